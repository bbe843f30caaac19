"""What a finished run gives to those who use Python: the network, its accuracy, its report, and predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amla.evidence.beside import Beside
from amla.reports.names import metric_name
from amla.reports.numbers import count, duration, interval, metric_interval, metric_reading, percent
from amla.spec.architecture import Architecture
from amla.study.baselines import beside
from amla.study.exporting import export, forms
from amla.study.folder import REPORT, read
from amla.study.prediction import Predict, labels_of, predictor
from amla.study.result import Result, Tested, result
from amla.study.study import Study, StudyError
from amla.study.trained import Trained, trained
from amla.tasks.dataset import DataError
from amla.tasks.shown import arrays, shown
from amla.trials.history import History

HEIGHT = 720  # of a report within a notebook, in pixels


class Accuracy(float):
    """Accuracy on the test part, a share of 1, with Wilson's 95 % interval: `interval`, (low, high)."""

    interval: tuple[float, float]
    right: int
    examples: int

    @classmethod
    def of(cls, tested: Tested) -> "Accuracy":
        """Return it with its interval, and how many of how many examples were right."""
        made = cls(tested.accuracy)
        made.interval, made.right, made.examples = (tested.low, tested.high), tested.right, tested.examples
        return made

    def __repr__(self) -> str:
        return f"{percent(self, 2)} (95 % interval {interval(*self.interval)}; {self.right:,} of {self.examples:,})"


@dataclass(frozen=True)
class Report:
    """The report of a run: `path`, one HTML page that needs no network. A notebook shows it."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        page = escape(self.path.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" width="100%" height="{HEIGHT}" style="border:0"></iframe>'


class SearchResult:
    """A finished run, in the folder `run`. Raises StudyError where there is none.

    Everything is read from the run folder when it is first asked for; nothing is trained or written.
    """

    def __init__(self, run: str | PathLike[str]) -> None:
        self.run = Path(run)
        self._read = read(self.run)
        found = result(self._read)
        if found is None:
            raise StudyError(
                f"'{self.run}' has no result yet. Start what began it again, amla.search or `amla search`; it goes on."
            )
        self._result: Result = found

    @property
    def network(self) -> Architecture:
        """The network that was found, trained and tested. Notebooks draw it."""
        return self._result.architecture

    @property
    def accuracy(self) -> Accuracy:
        """The accuracy on the test part, which was read once, after everything was decided.

        Raises StudyError where numbers are predicted, of which none is right: see `r2` and `errors`.
        """
        if self._result.tested is None:
            raise StudyError("There is no accuracy where numbers are predicted; look at r2 and errors.")
        return Accuracy.of(self._result.tested)

    @property
    def r2(self) -> float | None:
        """The share of the variance on the test part that is explained, of numbers; None of classes.

        NaN where a number is the same for all of the test part.
        """
        scored = self._result.scored
        return scored.value if scored and scored.metric == "r2" else None

    @property
    def errors(self) -> dict[str, tuple[float, float]]:
        """Of every number that is predicted the mean error and the root of the mean square, in its units."""
        found = zip(self.classes, self._result.errors, strict=False)
        return {name: (each.mean, each.root) for name, each in found}

    @property
    def balanced_accuracy(self) -> float | None:
        """The mean over classes of their accuracies on the test part; None where it was not measured."""
        return self._result.balanced_accuracy

    @property
    def macro_f1(self) -> float | None:
        """The mean over classes of F1 on the test part; None where it was not measured."""
        return self._result.macro_f1

    @property
    def metric(self) -> str:
        """What the search looked for the highest of, on the validation part."""
        return self.study.metric

    @property
    def report(self) -> Report:
        """The report; notebooks show it."""
        return Report(self.run / REPORT)

    @property
    def parameters(self) -> int:
        """How many numbers the network learned."""
        return self._result.parameters

    @property
    def macs(self) -> int:
        """The multiply-accumulates that one example takes."""
        return self._result.macs

    @property
    def baselines(self) -> Beside | None:
        """What was found beside plain and random networks that trained alike; None where there are no such."""
        return beside(self._read)

    @property
    def study(self) -> Study:
        """Every setting."""
        return self._read.study

    @property
    def history(self) -> History:
        """Every trial of the search. Notebooks show it as a table."""
        return self._read.search

    @property
    def seconds(self) -> float:
        """The seconds of all trials: of rehearsals, the search, its baselines, tuning, and the final training."""
        return sum(history.seconds for history in self._read.phases.values())

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of probabilities; or of the numbers that are predicted."""
        return self._trained.facts.classes

    def predict(self, images: ArrayLike | str | PathLike[str] | Sequence[str | PathLike[str]]) -> NDArray[Any]:
        """Return the most probable class of each image, (n,): a number where classes are numbers, else its name.

        Where numbers are predicted, those, in the units of the data: (n,), or (n, targets) of several. `images` are as
        in `predict_proba`.
        """
        if self._trained.facts.target_mean:
            values = self._said(images)
            return values[:, 0] if values.shape[1] == 1 else values
        chosen: NDArray[Any] = labels_of(self.classes)[self.predict_proba(images).argmax(1)]
        return chosen

    def predict_proba(
        self, images: ArrayLike | str | PathLike[str] | Sequence[str | PathLike[str]]
    ) -> NDArray[np.float64]:
        """Return the probability of each of `classes` for each image, (n, classes).

        `images` are an array as for `amla.search`, or the path of an image, a folder or an .npz file, or a list of such
        paths; or of recordings, where it was trained on such. They become what the network was trained on: its size,
        grey or coloured; spectrograms. Raises DataError for what cannot be read, and StudyError where numbers are
        predicted.
        """
        if self._trained.facts.target_mean:
            raise StudyError("There are no probabilities where numbers are predicted; use predict.")
        return self._said(images)

    def _said(self, images: ArrayLike | str | PathLike[str] | Sequence[str | PathLike[str]]) -> NDArray[np.float64]:
        """Return what the network says of each image, (n, classes) or (n, targets)."""
        found, shape = self._trained, self.network.shape
        paths = _paths(images)
        if paths is None:
            given = arrays(np.asarray(images), shape, canvas=found.canvas)
            return self._predict(given) if len(given) else np.empty((0, len(found.facts.classes)))
        parts = []
        for part in shown(paths, shape, found.canvas, found.sound):
            if part.unreadable:
                kind = "a recording" if found.sound else "an image"
                raise DataError(f"{part.unreadable[0]!r} cannot be read as {kind}. Leave it out, or restore it.")
            parts.append(self._predict(part.inputs))
        return np.concatenate(parts)

    def export(
        self,
        *to: str,
        output: str | PathLike[str] | None = None,
        data_dir: str | PathLike[str] | None = None,
    ) -> tuple[Path, ...]:
        """Write the network as "source", "onnx", "int8", "torch" or "card", and return the files with what was checked.

        Without a form: plain source and a model card. They go to the folder `output` (default: export in the run).
        Warns where "int8" is worse than chance explains.
        """
        written: list[Path] = []
        place = Path(output) if output is not None else self.run / "export"
        where = Path(data_dir) if data_dir is not None else None
        asked = forms(list(to or ("source", "card")))
        export(self._trained, asked, place, where, lambda path, _: written.append(path), warn)
        return tuple(written)

    def __repr__(self) -> str:
        return f"<SearchResult {str(self.run)!r}: {self._in_words()}>"

    def _repr_html_(self) -> str:
        from amla.api.notebook import drawn

        return f"<p><b>{escape(self.study.name)}</b>: {escape(self._in_words())}</p>{drawn(self.network)}"

    def _in_words(self) -> str:
        size = f"{count(self.parameters)} parameters, {count(self.macs)} MACs"
        return f"test {self._worth_in_words()}, {size}, in {duration(self.seconds)}"

    def _worth_in_words(self) -> str:
        """Return the accuracy, if there is one; before it the metric that decided, if it is another and is known."""
        said = [f"accuracy {self.accuracy!r}"] if self._result.tested else []
        if scored := self._result.scored:
            reached = metric_reading(scored.metric, scored.value, 2) if isfinite(scored.value) else "not known"
            sure = f" (95 % interval {metric_interval(scored.metric, scored.interval)})" if scored.interval else ""
            said.insert(0, f"{metric_name(scored.metric)} {reached}{sure}")
        return ", ".join(said)

    @cached_property
    def _trained(self) -> Trained:
        return trained(self.run)

    @cached_property
    def _predict(self) -> Predict:
        found = self._trained
        return predictor(found.architecture, found.weights, found.facts)


def _paths(images: Any) -> list[Path] | None:
    """Return the paths that were given, None for an array."""
    if isinstance(images, str | PathLike):
        return [Path(images)]
    if isinstance(images, list | tuple) and images and all(isinstance(each, str | PathLike) for each in images):
        return [Path(each) for each in images]
    return None
