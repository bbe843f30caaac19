"""Successive halving without waiting: ASHA (Li et al. 2020, Algorithm 2), in one bracket or in Hyperband's.

Networks train in legs. Whenever a worker is free, the best of a rung that have not gone on do so, for `eta` times as
many steps in all, from the weights of their last leg; where none may, a random network begins. With costs the best are
those that none dominates: multi-objective ASHA (Schmucker et al. 2021).
"""

from bisect import insort
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isfinite

import numpy as np

from amla.algorithms import pareto
from amla.algorithms.protocol import best, reached, trained
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial, TrialId


@dataclass(frozen=True, eq=False)
class Halving:
    """ASHA with up to so many `rungs`, the last of which is at `steps`; each is at 1 / `eta` of the one above.

    With several `brackets` networks begin at the first rung or at a later one, as often as makes the brackets cost
    about the same (Hyperband, Li et al. 2018), and go on if they are among the best of their bracket. A leg's learning
    rates end with the leg, so that networks are compared at rest. `costs` are metrics that should be low.

    Raises ValueError for numbers out of range.
    """

    space: Space
    steps: int
    rungs: int = 3
    eta: int = 3
    brackets: int = 1
    costs: tuple[str, ...] = ()
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        if self.eta < 2 or not 1 <= self.brackets <= self.rungs:
            raise ValueError(
                f"eta is {self.eta}, rungs {self.rungs} and brackets {self.brackets}; say an eta of 2 or more, and "
                "from 1 bracket to as many as there are rungs."
            )

    @cached_property
    def totals(self) -> tuple[int, ...]:
        """The steps of a network at each rung, all its legs together; rungs of less than a step are left out."""
        found = [self.steps]
        while len(found) < self.rungs and found[-1] >= self.eta:
            found.append(found[-1] // self.eta)
        return tuple(reversed(found))

    def ask(self, history: History) -> Proposal:
        """Return the next leg of one of the best, or a new network; this never ends."""
        ladder = history.replayed(self, lambda: _Ladder(self), lambda found, trial: found.hear(trial, history))
        running = history.running
        going_on = {trial.proposal.start for trial in running}
        if (chosen := ladder.promotable(going_on, history)) is not None:
            trial, rung = chosen
            leg = self.totals[rung + 1] - self.totals[rung]
            keep = rung + 1 < len(self.totals) - 1
            return Proposal(trial.proposal.architecture, leg, start=trial.id, seed=trial.proposal.seed, keep=keep)
        begun = [*ladder.begun]
        for trial in running:
            if trial.proposal.start is None and trial.proposal.budget in self.totals[: len(begun)]:
                begun[self.totals.index(trial.proposal.budget)] += 1
        first = min(range(len(begun)), key=lambda rung: (begun[rung] + 1) / self._share(rung))
        rng = np.random.default_rng((self.seed, sum(begun)))  # the same networks, with any number of workers
        network = self.space.sample(rng)
        return Proposal(network, self.totals[first], seed=self.seed, keep=first < len(self.totals) - 1)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network with the best metric of the highest rung that was reached."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None

    def _share(self, first: int) -> float:
        """Return how many networks begin at a rung, relatively (Hyperband, Algorithm 1, line 3)."""
        above = len(self.totals) - first
        return len(self.totals) / above * float(self.eta ** (above - 1))


@dataclass
class _Rung:
    """The networks of one bracket that were trained so far: the best first, and in the order of their promotion."""

    sorted: list[tuple[float, TrialId]] = field(default_factory=list)
    order: list[TrialId] | None = None


@dataclass
class _Ladder:
    """The rungs by the one that a bracket begins with, and by their own number."""

    search: Halving
    rungs: dict[tuple[int, int], _Rung] = field(default_factory=dict)
    gone_on: set[TrialId] = field(default_factory=set)
    begun: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.begun = [0] * min(self.search.brackets, len(self.search.totals))

    def hear(self, trial: Trial, history: History) -> None:
        """Take in a leg that is over; one of other lengths, from another search, counts for nothing."""
        totals, ask = self.search.totals, trial.proposal
        begins, total = history.lineage(trial)[-1].proposal.budget, trained(history, trial)
        if ask.start is not None:
            self.gone_on.add(ask.start)
        if begins not in totals[: len(self.begun)] or total not in totals:
            return
        first = totals.index(begins)
        self.begun[first] += ask.start is None
        rung = self.rungs.setdefault((first, totals.index(total)), _Rung())
        insort(rung.sorted, (-reached(trial, self.search.metric), trial.id))
        rung.order = None

    def promotable(self, going_on: set[TrialId | None], history: History) -> tuple[Trial, int] | None:
        """Return a trial that may go on, and its rung: from the highest rung that has one, the best of it."""
        for first, number in sorted(self.rungs, key=lambda place: (-place[1], place[0])):
            rung = self.rungs[first, number]
            if number + 1 == len(self.search.totals):
                continue
            for trial_id in self._order(rung, history):
                if trial_id not in self.gone_on and trial_id not in going_on and history[trial_id].proposal.keep:
                    return history[trial_id], number
        return None

    def _order(self, rung: _Rung, history: History) -> list[TrialId]:
        """Return the best 1 / eta of a rung, those that failed aside, the best first."""
        if rung.order is None:
            count = len(rung.sorted) // self.search.eta
            able = [trial_id for value, trial_id in rung.sorted if value < inf]
            rung.order = (self._by_layers(able, history) if self.search.costs else able)[:count]
        return rung.order

    def _by_layers(self, able: list[TrialId], history: History) -> list[TrialId]:
        """Return trials layer by layer, those of a layer so that the first are spread over it."""
        found = pareto.points((history[i] for i in able), self.search.metric, self.search.costs)
        known = [place for place, row in enumerate(found.tolist()) if all(map(isfinite, row))]
        if not known:
            return []
        rows = found[known]
        return [able[known[layer[place]]] for layer in pareto.layers(rows) for place in pareto.spread(rows[layer])]
