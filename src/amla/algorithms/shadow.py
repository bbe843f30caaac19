"""Searches that are shown another history than the real one: `Repeated`, and `Warm`."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from amla.algorithms.protocol import Algorithm, check_least, trained
from amla.spaces.space import everything
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Cost, Failure, Measurement, Outcome, Proposal, Trial


@dataclass(frozen=True, eq=False)
class Repeated:
    """Whatever `search` asks for, trained with so many `seeds` each: the search is told the means.

    The seeds are that of the proposal and those after it. A network one of whose trainings fails has failed. Raises
    ValueError for fewer than one seed.
    """

    search: Algorithm
    seeds: int = 3

    def __post_init__(self) -> None:
        check_least(self, 1, "seeds")

    def ask(self, history: History) -> Proposal | None:
        """Return the next seed of the last network, or the next network."""
        if which := len(history) % self.seeds:
            return self._seeded(history[len(history) - which].proposal, which, which)
        asked = self.search.ask(means(history, self.seeds))
        if asked is None or asked.start is None:
            return asked
        return replace(asked, start=asked.start * self.seeds)

    def recommend(self, history: History) -> Architecture | None:
        """Return what the search recommends, by the means."""
        return self.search.recommend(means(history, self.seeds))

    def _seeded(self, first: Proposal, which: int, later: int) -> Proposal:
        start = None if first.start is None else first.start + later
        return replace(first, seed=first.seed + which, start=start)


@dataclass(frozen=True, eq=False)
class Warm:
    """Whatever `search` asks for, as if the trials of `past`, other studies, had come first.

    No weights came with them: what would start from one of them begins anew, for as many steps as all its legs.
    """

    search: Algorithm
    past: History

    def ask(self, history: History) -> Proposal | None:
        """Return the next proposal."""
        before, shown = len(self.past), _shadow(self, self.past, 1, history)
        asked = self.search.ask(shown)
        if asked is None or asked.start is None:
            return asked
        if asked.start >= before:
            return replace(asked, start=asked.start - before)
        return replace(asked, start=None, budget=asked.budget + trained(shown, shown[asked.start]))

    def recommend(self, history: History) -> Architecture | None:
        """Return what the search recommends of its own trials: those of the past may be of other data."""
        return self.search.recommend(history)


def means(history: History, seeds: int) -> History:
    """Return what a search repeated with so many seeds is told: trial n stands for n * seeds and those after it."""
    return _shadow(("means", seeds), History(), seeds, history)


def joined(histories: Sequence[History], fits: Callable[[Architecture], bool] = everything) -> History:
    """Return the finished trials of some histories as one, as far as networks fit, and those that they started from."""
    whole = History()
    for history in histories:
        places: dict[int, int] = {}
        for trial in history.finished:
            ask = trial.proposal
            if (
                trial.outcome is None
                or not fits(ask.architecture)
                or (ask.start is not None and ask.start not in places)
            ):
                continue
            start = None if ask.start is None else places[ask.start]
            places[trial.id] = len(whole)
            whole = whole.asked(replace(ask, start=start)).told(len(whole), trial.outcome)
    return whole


@dataclass
class _Shadow:
    """What a search is shown: after `before`, one trial for every `each` of the real ones."""

    shown: History
    before: int
    each: int
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)

    def hear(self, trial: Trial, history: History) -> None:
        """Take in a trial that is over."""
        group = trial.id // self.each
        self.ask(history, group + 1)
        heard = self.outcomes.setdefault(group, [])
        if trial.outcome is not None:
            heard.append(trial.outcome)
        if len(heard) == self.each:
            self.shown = self.shown.told(self.before + group, _mean(self.outcomes.pop(group)))

    def ask(self, history: History, groups: int) -> None:
        """Take in the first trial of each of the first so many groups."""
        for group in range(len(self.shown) - self.before, groups):
            first = history[group * self.each].proposal
            start = None if first.start is None else self.before + first.start // self.each
            self.shown = self.shown.asked(replace(first, start=start))


def _shadow(key: Hashable, before: History, each: int, history: History) -> History:
    """Return what the search is shown of a history."""
    groups = -(-len(history) // each)
    shadow = history.replayed(
        key, lambda: _Shadow(before.branch(), len(before), each), lambda found, trial: found.hear(trial, history)
    )
    if len(shadow.shown) > len(before) + groups:  # it has seen a longer history than this one
        shadow = _Shadow(before.branch(), len(before), each)
        for trial in history.finished:
            shadow.hear(trial, history)
    shadow.ask(history, groups)
    return shadow.shown


def _mean(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the means of some measurements, their seconds and costs added; the first failure if there is one."""
    seconds = sum(outcome.seconds for outcome in outcomes)
    measured = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
    if failed := next((outcome for outcome in outcomes if isinstance(outcome, Failure)), None):
        return replace(failed, seconds=seconds)
    if len(measured) == 1:
        return measured[0]
    metrics = {
        name: fmean(found.metrics[name] for found in measured)
        for name in measured[0].metrics
        if all(name in found.metrics for found in measured)
    }
    statistics = {
        probe: {node: fmean(found.statistics[probe][node] for found in measured) for node in table}
        for probe, table in measured[0].statistics.items()
    }
    return Measurement(metrics, statistics, seconds, _sum([found.cost for found in measured if found.cost]))


def _sum(found: Sequence[Cost]) -> Cost | None:
    if not found:
        return None
    joules = [cost.joules for cost in found if cost.joules is not None]
    return Cost(found[0].device, sum(cost.flops for cost in found), sum(joules) if len(joules) == len(found) else None)
