"""`amla export`: the network of a run in other forms, each checked against the network itself."""

from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from amla.cli.console import escape, opened, say
from amla.export.source import renamed, source
from amla.reports.numbers import percent, size
from amla.storage.files import Files
from amla.study.card import card
from amla.study.resolve import task_of
from amla.study.study import StudyError
from amla.study.trained import Trained, trained
from amla.tasks.dataset import Examples
from amla.tasks.load import load
from amla.tasks.task import Task

Form = Literal["source", "onnx", "int8", "torch", "card"]
FORMS: tuple[Form, ...] = ("source", "onnx", "int8", "torch", "card")
CHECKED, CALIBRATED, BATCH = 512, 512, 64  # real examples; a batch of them
MADE_UP = 4  # batches of made-up numbers that outputs are compared on


def forms(given: list[str]) -> tuple[Form, ...]:
    """Return the forms that were asked for. Raises StudyError for what is none."""
    for name in given:
        if name not in FORMS:
            raise StudyError(f"--to {name!r} is no form of a network; write one of {', '.join(FORMS)}.")
    return tuple(form for form in FORMS if form in given)


def export_run(folder: Path, forms: tuple[Form, ...], output: Path | None, data_dir: Path | None) -> None:
    """Write the network of a run in some forms, and say what was checked."""
    console, found = opened(), trained(folder)
    place = output or folder / "export"
    place.mkdir(parents=True, exist_ok=True)
    files = Files(place)
    if "card" in forms:
        files.write_text("card.md", card(found))
        _wrote(console, place / "card.md", "fill in what it is for")
    if "source" in forms:
        _source(console, found, files, place)
    if not {"onnx", "int8", "torch"}.isdisjoint(forms):
        _programs(console, found, forms, place, data_dir)


def _source(console: Console, found: Trained, files: Files, place: Path) -> None:
    from safetensors.numpy import save

    files.write_text("network.py", source(found.architecture, found.facts))
    files.write_bytes("network.safetensors", save(renamed(found.architecture, found.weights)))
    _wrote(
        console,
        place / "network.py",
        "plain PyTorch, without amla: load('network.safetensors'), predict(model, images)",
    )


def _programs(console: Console, found: Trained, forms: tuple[Form, ...], place: Path, data_dir: Path | None) -> None:
    """Write what is made from the source as a module: a program of PyTorch, ONNX, and ONNX in 8 bits."""
    making = _needed("amla.export.module", "torch")
    network = making.module(found.architecture, found.weights, found.facts)
    inputs = making.example(found.architecture)
    if "torch" in forms:
        making.save_program(network, inputs, place / "network.pt2")
        _wrote(console, place / "network.pt2", "torch.export.load('network.pt2').module()")
    if {"onnx", "int8"}.isdisjoint(forms):
        return
    writing = _needed("amla.export.onnx", "onnx")
    path = place / "network.onnx"
    writing.export(network, inputs, path)
    parts = _task(found, data_dir).parts
    test = parts.test
    real = _batches(found, test.inputs[:CHECKED])
    rng = np.random.default_rng(0)
    made_up = [rng.normal(size=(BATCH, *inputs.shape[1:])).astype(np.float32) for _ in range(MADE_UP)]
    worst = writing.compare(network, path, [*made_up, *real])
    on = f"{min(CHECKED, len(test.labels))} real inputs and {MADE_UP * BATCH} made-up ones"
    _wrote(console, path, f"logits within {worst:.1g} of PyTorch's, on {on}")
    if "int8" in forms:
        small = place / "network.int8.onnx"
        writing.quantise(path, small, _batches(found, parts.train.inputs[:CALIBRATED]))
        before, after = (_accuracy(writing, found, file, test) for file in (path, small))
        sizes = " to ".join(size(file.stat().st_size) for file in (path, small))
        _wrote(console, small, f"{sizes}; test accuracy {percent(before, 2)} before, {percent(after, 2)} after")


def _accuracy(writing: Any, found: Trained, path: Path, test: Examples) -> float:
    """Return the accuracy of an ONNX file on the test part, measured as that of the run was."""
    session, right = writing.opened(path), 0
    for start, batch in zip(range(0, len(test.labels), BATCH), _batches(found, test.inputs), strict=True):
        logits = writing.logits(session, batch)
        if found.facts.mirrored:
            logits = logits + writing.logits(session, np.ascontiguousarray(batch[..., ::-1]))
        right += int((logits.argmax(1) == test.labels[start : start + BATCH]).sum())
    return right / len(test.labels)


def _batches(found: Trained, inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
    """Return inputs as networks take them: normalised, channels first."""
    mean, deviation = np.array(found.facts.mean), np.array(found.facts.deviation)
    parts = (inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH))
    return [np.ascontiguousarray(np.moveaxis((part - mean) / deviation, -1, 1), np.float32) for part in parts]


def _task(found: Trained, data_dir: Path | None) -> Task:
    """Return the task of a run, its data loaded. Raises StudyError if they are not what they were."""
    study = found.run.study
    dataset = load(study.data.source, data_dir=data_dir, size=study.data.size)
    if study.provenance and study.provenance.data != dataset.fingerprint:
        raise StudyError(
            f"The run is of data with the fingerprint {study.provenance.data}, but {study.data.source!r} now has "
            f"{dataset.fingerprint}. Find the data it was run on."
        )
    return task_of(study, dataset)


def _needed(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise StudyError(f"This needs {error.name!r}; install it with: pip install 'amla[{extra}]'.") from None


def _wrote(console: Console, path: Path, what: str) -> None:
    say(console, f"[bold]{escape(str(path))}[/bold]  {escape(what)}")
