"""What a tracker is told of a run: values that know nothing of where they are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Trial


@dataclass(frozen=True)
class Begun:
    """A run. Its `key` is the same whenever and from wherever it is sent, and no other run's.

    `settings` are those of the study by address ("recipe.batch"), `study` is its file; `at` is in seconds since 1970.
    """

    key: str
    name: str
    settings: Mapping[str, str]
    study: str
    at: float


@dataclass(frozen=True)
class Leg:
    """A trial of a phase, as far as it is: when it was asked for and told, and the steps of its lineage before it."""

    phase: str
    trial: Trial
    before: int
    asked: float
    told: float | None = None

    @property
    def key(self) -> str:
        """What it is called: "search/7"."""
        return f"{self.phase}/{self.trial.id}"

    def metrics(self) -> dict[str, float]:
        """Return what is known once it is told, by name: its metrics, its seconds, and whether it failed."""
        match self.trial.outcome:
            case Measurement(metrics=metrics, seconds=seconds):
                return {**metrics, "seconds": seconds, "failed": 0.0}
            case Failure(seconds=seconds):
                return {"seconds": seconds, "failed": 1.0}
            case _:
                return {}

    def by_trial(self) -> dict[str, float]:
        """Return what the study shows of each of its trials: its metrics without those of single classes, by phase."""
        return {f"{self.phase}/{name}": number for name, number in self.metrics().items() if "/" not in name}

    def statistics(self) -> dict[str, float]:
        """Return the readings of its probes, by probe and node: "taylor/stage0/cell0/3x3"."""
        outcome = self.trial.outcome
        found = outcome.statistics if isinstance(outcome, Measurement) else {}
        return {f"{probe}/{node}": reading for probe, table in found.items() for node, reading in table.items()}


@dataclass(frozen=True)
class Line:
    """A line of a learning curve: `step` counts those of the whole lineage; `at` is in seconds since 1970."""

    step: int
    at: float
    loss: float
    accuracy: float
    rate: float

    def values(self) -> dict[str, float]:
        """Return what it says by name; of the training batches, as "accuracy" alone is that of the validation part."""
        return {"train/loss": self.loss, "train/accuracy": self.accuracy, "train/rate": self.rate}


@dataclass(frozen=True)
class Ended:
    """How far a run has come: whether it is `finished`, the `figures` of its test, and files by name."""

    finished: bool
    figures: Mapping[str, float]
    files: Mapping[str, Path]
    at: float


def lines(curve: Sequence[Progress], leg: Leg) -> list[Line]:
    """Return the lines of a leg's curve; a leg that was cut off counts its seconds anew, but time goes on."""
    found: list[Line] = []
    for progress in curve:
        at = leg.asked + (progress.seconds if isfinite(progress.seconds) else 0.0)
        at = max(at, found[-1].at) if found else at
        found.append(Line(leg.before + progress.step, at, progress.loss, progress.accuracy, progress.rate))
    return found
