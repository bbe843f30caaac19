"""What every search algorithm is: a function from the history so far to the next proposal."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Protocol, runtime_checkable

from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal, Trial


@runtime_checkable
class Algorithm(Protocol):
    """A search. It keeps no state: the history of trials is all there is."""

    def ask(self, history: History) -> Proposal | None:
        """Return the next proposal, or None: wait for running trials, or stop if there are none."""

    def recommend(self, history: History) -> Architecture | None:
        """Return the closed architecture this algorithm stands behind so far, or None before there is one."""


def check_least(algorithm: Algorithm, least: int, *names: str) -> None:
    """Raise ValueError unless each of these settings of an algorithm is a number, and at least so much."""
    for name in names:
        if not (found := getattr(algorithm, name)) >= least:  # which a NaN is not
            raise ValueError(f"{name} is {found}; it must be {least} or more.")


def best(history: History, metric: str = "accuracy") -> Trial | None:
    """Return the closed trial with the highest `metric` among those whose lineage trained longest; the first of equals.

    Trials whose metric is missing or not finite do not count.
    """

    def compare(leader: _Leader, trial: Trial) -> None:
        if isfinite(value := reached(trial, metric)) and not trial.proposal.architecture.is_open:
            leader.compare(trial, trained(history, trial), value)

    return history.replayed(("best", metric), _Leader, compare).trial


def ranked(history: History, trials: Iterable[Trial], metric: str = "accuracy") -> list[Trial]:
    """Return those of some trials that `best` may choose from, the best first."""
    rivals = [trial for trial in trials if isfinite(reached(trial, metric)) and not trial.proposal.architecture.is_open]
    steps = {trial.id: trained(history, trial) for trial in rivals}
    longest = max(steps.values(), default=0)
    return sorted(
        (trial for trial in rivals if steps[trial.id] == longest),
        key=lambda trial: (-trial.measurement.metrics[metric], trial.id),
    )


def reached(trial: Trial, metric: str = "accuracy") -> float:
    """Return a trial's metric; minus infinity where it has none, or one that is no finite number."""
    found = trial.outcome.metrics.get(metric, -inf) if isinstance(trial.outcome, Measurement) else -inf
    return found if isfinite(found) else -inf


def trained(history: History, trial: Trial) -> int:
    """Return the steps of a trial's whole lineage."""
    return sum(leg.proposal.budget for leg in history.lineage(trial))


@dataclass
class _Leader:
    """The best trial so far, and what it is the best by."""

    trial: Trial | None = None
    rank: tuple[int, float, int] = (-1, -inf, 0)

    def compare(self, trial: Trial, steps: int, value: float) -> None:
        """Let a trial take the lead if it is better."""
        rank = (steps, value, -trial.id)
        if rank > self.rank:
            self.trial, self.rank = trial, rank
