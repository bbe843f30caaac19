"""NSGA-II (Deb et al. 2002): evolution towards all networks that no other beats in accuracy and in every cost.

A generation is the next `population` networks that finish, so that workers wait for nobody. It and the parents compete:
layer by layer, and where a layer does not fit, those with the most room around them live.
"""

from dataclasses import dataclass, field
from math import isfinite

from numpy.random import Generator

from amla.algorithms import pareto
from amla.algorithms.evolution import mutated
from amla.algorithms.protocol import best, check_least
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial

CROSSED = 0.9  # of all children (Deb et al. 2002, section V)


@dataclass(frozen=True, eq=False)
class Nsga2:
    """Train random networks until a `population` of them is done; then children of the best, each for `steps`.

    Both parents win a tournament of two. A child has each decision from one of them, and one decision mutated. `costs`
    are metrics that should be low: "parameters", "macs", "peak_memory", "step_seconds", or any that trials report.

    Raises ValueError for a population of fewer than two, and where there is no cost.
    """

    space: Space
    steps: int
    costs: tuple[str, ...] = ("parameters",)
    population: int = 20
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_least(self, 2, "population")
        if not self.costs:
            raise ValueError("costs is empty; name one or more metrics that should be low.")

    def ask(self, history: History) -> Proposal:
        """Return a random network or a child; this never ends."""
        rng, parents = history.rng(self.seed), self._generations(history).parents
        if not parents:
            return Proposal(self.space.sample(rng), self.steps, seed=self.seed, keep=False)
        mother, father = (_tournament(parents, rng) for _ in range(2))
        child = self._crossed(mother, father, rng) if rng.random() < CROSSED else mother
        return Proposal(mutated(self.space, child, rng), self.steps, seed=self.seed, keep=False)

    def recommend(self, history: History) -> Architecture | None:
        """Return the network with the best metric, whatever it costs; `front` tells of the others."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None

    def front(self, history: History) -> list[Trial]:
        """Return the trials that no other beats in every objective, that of the best metric first."""
        return pareto.front(history.done, self.metric, self.costs)

    def _generations(self, history: History) -> "_Generations":
        return history.replayed(self, lambda: _Generations(self), _Generations.hear)

    def _crossed(self, mother: Architecture, father: Architecture, rng: Generator) -> Architecture:
        """Return a network with each decision from one of two, as both have it or by chance; the one where refused.

        With constraints, what is beyond them is brought within (`Space.nearest`).
        """
        hers, his = self.space.read(mother), self.space.read(father)
        mixed = {
            pick: hers[pick] if pick not in his or (pick in hers and rng.random() < 0.5) else his[pick]
            for pick in (*hers, *(pick for pick in his if pick not in hers))
        }
        return self.space.nearest({**self.space.draw(rng), **mixed}, rng) or mother


@dataclass(frozen=True)
class _Parent:
    """A network that may have children: the number of its layer, and the room around it there."""

    trial: Trial
    layer: int
    room: float


@dataclass
class _Generations:
    """The parents of the next children, none before the first generation is complete; and the generation so far."""

    search: Nsga2
    parents: list[_Parent] = field(default_factory=list)
    children: list[Trial] = field(default_factory=list)

    def hear(self, trial: Trial) -> None:
        """Take in a trial that is over; one that failed, or lacks an objective, is no child."""
        row = pareto.points([trial], self.search.metric, self.search.costs)[0].tolist()
        if not all(map(isfinite, row)):
            return
        self.children.append(trial)
        if len(self.children) == self.search.population:
            rivals = {t.proposal.architecture: t for t in (*self.children, *(parent.trial for parent in self.parents))}
            self.parents, self.children = self._survivors(list(rivals.values())), []

    def _survivors(self, rivals: list[Trial]) -> list[_Parent]:
        """Return as many as the population has room for."""
        found, alive = pareto.points(rivals, self.search.metric, self.search.costs), list[_Parent]()
        for number, layer in enumerate(pareto.layers(found)):
            room = pareto.crowding(found[layer])
            ranked = sorted(zip(layer, room, strict=True), key=lambda one: (-one[1], rivals[one[0]].id))
            alive += [_Parent(rivals[place], number, space) for place, space in ranked]
            if len(alive) >= self.search.population:
                break
        return alive[: self.search.population]


def _tournament(parents: list[_Parent], rng: Generator) -> Architecture:
    """Return the better of two parents drawn at random: of the lower layer, or with more room."""
    drawn: list[_Parent] = [parents[i] for i in rng.integers(len(parents), size=2)]
    better: _Parent = min(drawn, key=lambda parent: (parent.layer, -parent.room))
    return better.trial.proposal.architecture
