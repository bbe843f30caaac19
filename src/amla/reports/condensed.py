"""A history in which each network is one trial, however many legs it was trained in: what reports show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from amla.algorithms.pruning import averaged
from amla.algorithms.rounds import Construction, continued
from amla.trials.history import History
from amla.trials.trial import Cost, Failure, Measurement, Outcome, Trial, TrialId


@dataclass(frozen=True)
class Condensed:
    """The shorter history, and which legs each of its trials stands for, in order."""

    history: History
    legs: Mapping[TrialId, tuple[TrialId, ...]]

    def trial(self, leg: TrialId) -> TrialId:
        """Return the trial that stands for a leg."""
        return next(trial for trial, legs in self.legs.items() if leg in legs)


def condensed(history: History) -> Condensed:
    """Return `history` with the legs of one network put together.

    Steps and seconds are those of all legs, metrics those after the last one that is done, and readings the means that
    NAC goes by. A leg that failed stays by itself.
    """
    groups: dict[TrialId, list[Trial]] = {}
    first: dict[TrialId, TrialId] = {}  # of each leg, the first leg of its network
    for trial in history.trials:
        start = continued(trial, history)
        apart = start is None or isinstance(trial.outcome, Failure)
        first[trial.id] = trial.id if apart or start is None else first[start]
        groups.setdefault(first[trial.id], []).append(trial)
    legs = {number: tuple(leg.id for leg in group) for number, group in enumerate(groups.values())}
    if len(legs) == len(history):
        return Condensed(history, legs)
    numbers = {leg: number for number, group in legs.items() for leg in group}
    shorter = History()
    for group in groups.values():
        proposal = group[0].proposal
        start = numbers.get(proposal.start) if proposal.start is not None else None
        budget = sum(leg.proposal.budget for leg in group)
        shorter = shorter.asked(replace(proposal, budget=budget, start=start, horizon=None))
    for number, group in enumerate(groups.values()):
        if (outcome := _outcome(group)) is not None:
            shorter = shorter.told(number, outcome)
    return Condensed(shorter, legs)


def _outcome(group: Sequence[Trial]) -> Outcome | None:
    done = tuple(leg for leg in group if isinstance(leg.outcome, Measurement))
    if not done:
        return group[0].outcome
    construction, last = Construction(done), done[-1].measurement
    return Measurement(
        last.metrics,
        {probe: averaged(construction.windows(probe)) for probe in last.statistics},
        sum(leg.measurement.seconds for leg in done),
        _cost([leg.measurement.cost for leg in done]),
    )


def _cost(costs: Sequence[Cost | None]) -> Cost | None:
    known = [cost for cost in costs if cost]
    if not known:
        return None
    joules = [cost.joules for cost in known if cost.joules is not None]
    return Cost(known[-1].device, sum(cost.flops for cost in known), sum(joules) if len(joules) == len(known) else None)
