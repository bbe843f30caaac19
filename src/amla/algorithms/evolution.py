"""Regularised evolution (Real et al. 2019, Algorithm 1): the best of a few parents, mutated; the oldest network dies.

The population is what finished last, however good, so that a network lives on only through children that do as well
when they are trained anew. Workers wait for nobody.
"""

from dataclasses import dataclass

from numpy.random import Generator

from amla.algorithms.protocol import best, check_least, reached
from amla.spaces.space import Space, SpaceError
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal


@dataclass(frozen=True)
class Evolution:
    """Train random networks until `population` of them are done; from then on children of one of the last so many.

    A parent is the best of `sample` networks drawn from the population, with replacement; a child differs from it in
    one decision. Each is trained for `steps`. Failed trials never enter the population. Raises ValueError for a
    population or a sample of none.
    """

    space: Space
    steps: int
    population: int = 10
    sample: int = 3
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_least(self, 1, "population", "sample")

    def ask(self, history: History) -> Proposal:
        """Return a random network or a child; this never ends."""
        rng = history.rng(self.seed)
        alive = history.done[-self.population :]
        if len(alive) < self.population:
            return Proposal(self.space.sample(rng), self.steps, seed=self.seed, keep=False)
        drawn = [alive[i] for i in rng.integers(len(alive), size=self.sample)]
        parent = max(drawn, key=lambda trial: reached(trial, self.metric))
        child = mutated(self.space, parent.proposal.architecture, rng)
        return Proposal(child, self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network with the best metric, dead or alive."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None


def mutated(space: Space, parent: Architecture, rng: Generator) -> Architecture:
    """Return a network one decision from `parent`, or a random one where the space accepts none of those."""
    try:
        return space.mutate(parent, rng)
    except SpaceError:
        return space.sample(rng)
