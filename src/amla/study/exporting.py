"""The network of a run in other forms: ONNX is compared with it, and of ONNX in 8 bits the accuracy is measured."""

from collections.abc import Callable, Iterator
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from amla.evidence.numbers import r2
from amla.export.source import renamed, source
from amla.reports.numbers import percent, size
from amla.storage.files import Files
from amla.study.card import card
from amla.study.result import Tested, result
from amla.study.study import StudyError
from amla.study.trained import Trained, task_again
from amla.tasks.cropping import taken
from amla.tasks.dataset import Examples, Parts

Form = Literal["source", "onnx", "int8", "torch", "card"]
Wrote = Callable[[Path, str], None]  # is told what was written, and what it is or how it was checked
Noted = Callable[[str], None]  # is told what a user must know before using it
FORMS: tuple[Form, ...] = ("source", "onnx", "int8", "torch", "card")
PROGRAM, ONNX = ("amla.export.module", "torch"), ("amla.export.onnx", "onnx")  # what writes forms, in which extra
NEEDS: tuple[tuple[tuple[str, str], set[Form]], ...] = ((PROGRAM, {"onnx", "int8", "torch"}), (ONNX, {"onnx", "int8"}))
MOST_LOST = 0.03  # of R2 in 8 bits; more than that is said
CHECKED, CALIBRATED, BATCH = 512, 512, 64  # real examples; a batch of them
MADE_UP = 4  # batches of made-up numbers that outputs are compared on


def forms(given: list[str]) -> tuple[Form, ...]:
    """Return the forms that were asked for. Raises StudyError for what is none."""
    for name in given:
        if name not in FORMS:
            raise StudyError(f"--to {name!r} is no form of a network; write one of {', '.join(FORMS)}.")
    return tuple(form for form in FORMS if form in given)


def export(
    found: Trained, forms: tuple[Form, ...], place: Path, data_dir: Path | None, wrote: Wrote, noted: Noted
) -> None:
    """Write a network in some forms into the folder `place`; `wrote` is told of each, `noted` of one that is far worse.

    Raises StudyError where a library or the data that a form needs are not there.
    """
    for (module, extra), made in NEEDS:
        if not made.isdisjoint(forms):
            needed(module, extra)  # before anything is written
    place.mkdir(parents=True, exist_ok=True)
    files = Files(place)
    if "source" in forms:
        _source(wrote, found, files, place)
    limits: list[str] = []
    if not {"onnx", "int8", "torch"}.isdisjoint(forms):
        limits += _programs(wrote, noted, found, forms, place, data_dir)
    if "card" in forms:
        files.write_text("card.md", card(found, *limits))
        wrote(place / "card.md", "fill in what it is for")


def _source(wrote: Wrote, found: Trained, files: Files, place: Path) -> None:
    from safetensors.numpy import save

    files.write_text("network.py", source(found.architecture, found.facts))
    files.write_bytes("network.safetensors", save(renamed(found.architecture, found.weights)))
    wrote(
        place / "network.py",
        "plain PyTorch, without amla: load('network.safetensors'), predict(model, images)",
    )


def _programs(
    wrote: Wrote, noted: Noted, found: Trained, forms: tuple[Form, ...], place: Path, data_dir: Path | None
) -> Iterator[str]:
    """Write what is made from the source as a module: a program of PyTorch, ONNX, and ONNX in 8 bits.

    Yields what a model card should say of their limits.
    """
    making = needed(*PROGRAM)
    network = making.module(found.architecture, found.weights, found.facts)
    inputs = making.example(found.architecture)
    if "torch" in forms:
        making.save_program(network, inputs, place / "network.pt2")
        wrote(place / "network.pt2", "torch.export.load('network.pt2').module()")
    if {"onnx", "int8"}.isdisjoint(forms):
        return
    writing = needed(*ONNX)
    path = place / "network.onnx"
    units, says = found.facts.target_deviation or (1.0,), writing.VALUES if found.facts.target_mean else writing.LOGITS
    writing.export(network, inputs, path, says)
    parts = task_again(found.run, data_dir).parts
    test = parts.test
    real = _batches(found, test, CHECKED)
    rng = np.random.default_rng(0)
    made_up = [rng.normal(size=(BATCH, *inputs.shape[1:])).astype(np.float32) for _ in range(MADE_UP)]
    worst = writing.compare(network, path, [*made_up, *real], units)
    on = f"{min(CHECKED, len(test.labels))} real inputs and {MADE_UP * BATCH} made-up ones"
    of = "deviations " if found.facts.target_mean else ""
    wrote(path, f"{says} within {worst:.1g} {of}of PyTorch's, on {on}")
    if "int8" in forms:
        yield from _eight_bits(wrote, noted, found, path, parts)


def _eight_bits(wrote: Wrote, noted: Noted, found: Trained, path: Path, parts: Parts) -> Iterator[str]:
    """Write an ONNX file again, in 8 bits, and measure both; yields what a model card should say of it."""
    writing, place, test = needed(*ONNX), path.parent, parts.test
    small, are_numbers = place / "network.int8.onnx", bool(found.facts.target_mean)
    last = writing.last_layer(path) if are_numbers else []  # 256 steps are too few for what is predicted
    writing.quantise(path, small, list(_batches(found, parts.train, CALIBRATED)), last)
    before, after = (_worth(writing, found, file, test) for file in (path, small))
    sizes = " to ".join(size(file.stat().st_size) for file in (path, small))
    worth = (
        f"test {'R²' if are_numbers else 'accuracy'} {_in_words(before, are_numbers)} before, "
        f"{_in_words(after, are_numbers)} after"
    )
    wrote(small, f"{sizes}; {worth}")
    yield f"In 8 bits, as `{small.name}`: {worth}."
    known = result(found.run)
    if too_much_lost(before, after, known.tested if known else None):
        said = f"{small.name} is worse than chance explains: {worth}. Use network.onnx instead."
        noted(said)
        yield said


def too_much_lost(before: float, after: float, tested: Tested | None) -> bool:
    """Return whether accuracy falls below the 95 % interval of what was `tested`, or R2 by more than `MOST_LOST`."""
    if tested is None:
        return not after >= before - MOST_LOST and isfinite(before)
    return after < min(before, tested.low)


def _in_words(worth: float, are_numbers: bool) -> str:
    return f"{worth:.3f}" if are_numbers else percent(worth, 2)


def _worth(writing: Any, found: Trained, path: Path, test: Examples) -> float:
    """Return the accuracy of an ONNX file on the test part, or R2 of numbers, measured as that of the run was."""
    session, said = writing.opened(path), []
    for batch in _batches(found, test):
        outputs = writing.logits(session, batch)
        if found.facts.mirrored:
            outputs = (outputs + writing.logits(session, np.ascontiguousarray(batch[..., ::-1]))) / 2
        said.append(outputs)
    whole = np.concatenate(said)
    if found.facts.target_mean:
        return r2(whole.astype(np.float64), test.labels)
    return float((whole.argmax(1) == test.labels).mean())


def _batches(found: Trained, examples: Examples, most: int | None = None) -> Iterator[NDArray[np.float32]]:
    """Yield the inputs of the first examples as networks take them: normalised, channels first."""
    mean, deviation = np.array(found.facts.mean), np.array(found.facts.deviation)
    count = len(examples.labels) if most is None else min(most, len(examples.labels))
    for start in range(0, count, BATCH):
        part = taken(examples, slice(start, min(start + BATCH, count)))
        yield np.ascontiguousarray(np.moveaxis((part - mean) / deviation, -1, 1), np.float32)


def needed(module: str, extra: str) -> Any:
    """Return a module that may need more than is installed. Raises StudyError, naming the extra."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise StudyError(f"This needs {error.name!r}; install it with: pip install 'amla[{extra}]'.") from None
