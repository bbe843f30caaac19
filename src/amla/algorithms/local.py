"""Local search (White et al. 2021, Algorithm 1): from a random network to a better neighbour, until there is none.

Then it begins anew, at another random network. What is known is never trained again. With several workers the next
neighbours are trained at once, and where there are no more of them, the networks at which it will begin anew.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from numpy.random import default_rng

from amla.algorithms.protocol import best, reached
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial

FAMILIAR = 100  # climbs in a row that meet nothing new; the space is then taken to be searched through


@dataclass(frozen=True, eq=False)  # each instance keeps its own replay
class LocalSearch:
    """Climb from random networks, each trained for `steps`.

    With the improvement "first" it moves to the first better neighbour that is trained, its neighbours being in random
    order; with "best" to the best of all neighbours, once all are. A network whose training fails is worse than any.
    It ends when a hundred climbs in a row have met nothing that is not known.
    """

    space: Space
    steps: int
    improvement: Literal["first", "best"] = "first"
    seed: int = 0
    metric: str = "accuracy"

    def ask(self, history: History) -> Proposal | None:
        """Return the next neighbour or beginning that is neither known nor being trained."""
        running = {trial.proposal.architecture for trial in history.running}
        network = next((network for network in self._climb(history).wanted() if network not in running), None)
        return None if network is None else Proposal(network, self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network with the best metric."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None

    def _climb(self, history: History) -> "_Climb":
        return history.replayed(self, lambda: _Climb(self), _Climb.hear)


@dataclass
class _Climb:
    """Where the climb is, and what is known: networks by what they reached, in the order in which they finished."""

    search: LocalSearch
    known: dict[Architecture, float] = field(default_factory=dict)
    number: int = 0  # of the climb
    familiar: int = 0  # climbs before this one that met nothing new
    centre: Architecture | None = None
    tried: int = 0  # neighbours of the centre, from the first on, that are known
    around: "_Neighbours" = field(init=False)

    def hear(self, trial: Trial) -> None:
        """Take in a network that is trained, and move as far as is known."""
        network, value = trial.proposal.architecture, reached(trial, self.search.metric)
        if network in self.known:
            return
        self.known[network], self.familiar = value, 0
        if self.centre is not None and self.search.improvement == "first":
            self._move_to(network)
        while self.familiar < FAMILIAR and self._moves():
            pass

    def wanted(self) -> Iterator[Architecture]:
        """Yield what is not known, in the order in which it would be needed if nothing better were found."""
        beginning, number = self.centre is None, self.number
        if self.centre is not None:
            yield from (network for network in self.around.after(self.tried) if network not in self.known)
        for later in range(0 if beginning else 1, FAMILIAR):
            if (network := self._beginning(number + later)) not in self.known:
                yield network

    def _moves(self) -> bool:
        """Move once, and return whether that could be done: to a better neighbour, or to begin anew."""
        if self.centre is None:
            return self._begin()
        if self.search.improvement == "first" and not self.tried and any(map(self._move_to, self.known)):
            return True
        while (neighbour := next(self.around.after(self.tried), None)) is not None:
            if neighbour not in self.known:
                return False
            self.tried += 1
        top = max(self.around.after(0), key=self.known.__getitem__, default=self.centre)
        if not self._move_to(top):
            self.centre, self.number, self.familiar = None, self.number + 1, self.familiar + 1
        return True

    def _begin(self) -> bool:
        network = self._beginning(self.number)
        if network not in self.known:
            return False
        if self.known[network] == -inf:
            self.number, self.familiar = self.number + 1, self.familiar + 1
        else:
            self._stand_at(network)
        return True

    def _move_to(self, network: Architecture) -> bool:
        """Move to a network if it is a better neighbour; return whether it is."""
        assert self.centre is not None  # noqa: S101
        if not (self.known[network] > self.known[self.centre] and self._is_neighbour(network)):
            return False
        self._stand_at(network)
        return True

    def _stand_at(self, network: Architecture) -> None:
        self.centre, self.tried = network, 0
        self.around = _Neighbours(
            self.search.space.neighbours(network, default_rng((self.search.seed, len(self.known))))
        )

    def _is_neighbour(self, network: Architecture) -> bool:
        """Return whether one move leads from the centre to a network."""
        space = self.search.space
        assert self.centre is not None  # noqa: S101
        here, there = space.read(self.centre), space.read(network)
        changed = [pick for pick in here if pick in there and here[pick] != there[pick]]
        if len(changed) != 1:
            return False
        (pick,) = changed
        old, new = set(here[pick]), set(there[pick])
        one_step = len(new - old) <= 1 and len(old - new) <= 1
        return one_step and space.moved(here, pick, there[pick]) == network

    def _beginning(self, number: int) -> Architecture:
        return self.search.space.sample(default_rng((self.search.seed, number)))


@dataclass
class _Neighbours:
    """The neighbours of a network, each made when it is first looked at."""

    more: Iterator[Architecture]
    made: list[Architecture] = field(default_factory=list)

    def after(self, count: int) -> Iterator[Architecture]:
        """Yield all but the first `count`."""
        for place in itertools.count(count):
            while len(self.made) <= place:
                if (network := next(self.more, None)) is None:
                    return
                self.made.append(network)
            yield self.made[place]
