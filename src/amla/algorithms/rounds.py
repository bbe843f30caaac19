"""A history read as NAC lived it: rounds of constructions, each trained in one leg or several."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isnan

from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Table, Trial, TrialId


@dataclass(frozen=True)
class Construction:
    """A network and its legs so far, oldest first."""

    legs: tuple[Trial, ...]

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return self.legs[0].proposal.architecture

    def metric(self, name: str, legs: int) -> float:
        """Return a metric as it was after the first `legs` legs; lower than any other if it is not a number."""
        found = self.legs[legs - 1].measurement.metrics.get(name, -inf)
        return -inf if isnan(found) else found

    def windows(self, probe: str) -> list[Table]:
        """Return the readings of a probe in the later half of the legs, the one in the middle too."""
        return [leg.measurement.statistics.get(probe, {}) for leg in self.legs[len(self.legs) // 2 :]]


@dataclass(frozen=True)
class Round:
    """The constructions that were tried after the last network was settled on; `settled` is the one that was chosen."""

    constructions: tuple[Construction, ...]
    settled: Construction | None

    @property
    def chosen(self) -> Construction:
        """The one that is settled. Raises LookupError if none is yet."""
        if self.settled is None:
            raise LookupError("The round still goes on.")
        return self.settled


Settle = Callable[[Sequence[Round], tuple[Construction, ...]], Construction | None]


def rounds(history: History, settle: Settle) -> list[Round]:
    """Return the rounds of a history, the last one as far as it is.

    `settle` is told the rounds before and the constructions of the one that goes on, after each trial of it; it returns
    the one with which the round ends, if it does. A construction with a later leg did not end it, so then it is not
    asked.
    """
    found: list[Round] = []
    gone_on = {start for trial in history.done if (start := continued(trial, history)) is not None}
    open_ones: dict[TrialId, Construction] = {}  # of the round that goes on, by the last leg
    for trial in history.done:
        start = continued(trial, history)
        before = open_ones.pop(start, None) if start is not None else None
        open_ones[trial.id] = Construction((*before.legs, trial) if before else (trial,))
        tried = _in_order(open_ones.values())
        if trial.id not in gone_on and (chosen := settle(found, tried)):
            found.append(Round(tried, chosen))
            open_ones = {}
    if open_ones:
        found.append(Round(_in_order(open_ones.values()), None))
    return found


def fairest(history: History, metric: str, least: int) -> Construction | None:
    """Return the construction with the best metric, after as many legs as all of those have that have `least` or more.

    None where none has. So networks that trained for different times are compared after the same number of steps.
    """
    rivals = [found for found in constructions(history) if len(found.legs) >= least]
    legs = min((len(found.legs) for found in rivals), default=0)
    return max(rivals, key=lambda found: (found.metric(metric, legs), -found.legs[0].id), default=None)


def constructions(history: History) -> tuple[Construction, ...]:
    """Return every network that has been trained, with its legs."""
    found: dict[TrialId, Construction] = {}  # by the last leg
    for trial in history.done:
        start = continued(trial, history)
        before = found.pop(start, None) if start is not None else None
        found[trial.id] = Construction((*before.legs, trial) if before else (trial,))
    return _in_order(found.values())


def continued(trial: Trial, history: History) -> TrialId | None:
    """Return the trial that this one is a later leg of, or None if it is a first one."""
    start = trial.proposal.start
    if start is None or history[start].proposal.architecture != trial.proposal.architecture:
        return None
    return start


def _in_order(constructions: Iterable[Construction]) -> tuple[Construction, ...]:
    return tuple(sorted(constructions, key=lambda construction: construction.legs[0].id))
