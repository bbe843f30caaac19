"""Train given architectures: final training, and reruns with new seeds, are a search over a list."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from amla.algorithms.protocol import best
from amla.spec.architecture import Architecture, NodeId
from amla.trials.history import History
from amla.trials.trial import Proposal


@dataclass(frozen=True)
class Fixed:
    """Train each of `architectures` with each of `seeds` for `steps`, with the same changes of its `recipe`.

    `probes` watch the same nodes in all of them.
    """

    architectures: tuple[Architecture, ...]
    steps: int
    seeds: tuple[int, ...] = (0,)
    metric: str = "accuracy"
    keep: bool = True
    recipe: Mapping[str, float] = field(default_factory=dict)
    probes: Mapping[str, tuple[NodeId, ...]] = field(default_factory=dict)

    def ask(self, history: History) -> Proposal | None:
        """Return the next pair of architecture and seed, or None after the last."""
        which, seed = divmod(len(history), len(self.seeds))
        if which >= len(self.architectures):
            return None
        return Proposal(
            self.architectures[which],
            self.steps,
            probes=self.probes,
            seed=self.seeds[seed],
            keep=self.keep,
            recipe=self.recipe,
        )

    def recommend(self, history: History) -> Architecture | None:
        """Return the architecture with the best metric."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None
