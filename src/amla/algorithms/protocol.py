"""What every search algorithm is: a function from the history so far to the next proposal."""

from collections.abc import Iterable
from math import isfinite
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


def best(history: History, metric: str = "accuracy") -> Trial | None:
    """Return the closed trial with the highest `metric` among those whose lineage trained longest; the first of equals.

    Trials whose metric is missing or not finite do not count.
    """
    return next(iter(ranked(history, history.done, metric)), None)


def ranked(history: History, trials: Iterable[Trial], metric: str = "accuracy") -> list[Trial]:
    """Return those of some trials that `best` may choose from, the best first."""
    rivals = [
        trial
        for trial in trials
        if isinstance(trial.outcome, Measurement)
        and not trial.proposal.architecture.is_open
        and isfinite(trial.outcome.metrics.get(metric, float("nan")))
    ]
    steps = {trial.id: sum(leg.proposal.budget for leg in history.lineage(trial)) for trial in rivals}
    longest = max(steps.values(), default=0)
    return sorted(
        (trial for trial in rivals if steps[trial.id] == longest),
        key=lambda trial: (-trial.measurement.metrics[metric], trial.id),
    )
