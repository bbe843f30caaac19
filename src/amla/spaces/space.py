"""A search space: one open architecture, and which of its closings are acceptable."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from numpy.random import Generator

from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, close, in_order, read

MAX_TRIES = 1000


class SpaceError(ValueError):
    """A space that cannot do what was asked of it."""


def everything(architecture: Architecture) -> bool:
    """Accept any architecture."""
    return True


@dataclass(frozen=True)
class Space:
    """All closings of `template` that `accepts` is true of.

    With `sized`, which says at what width some decisions are closed, it returns the template at that width: the same
    nodes, other channels.
    """

    template: Architecture
    accepts: Callable[[Architecture], bool] = everything
    sized: Callable[[Decisions], Architecture] | None = None

    def close(self, decisions: Decisions) -> Architecture:
        """Return the closed architecture that `decisions` make."""
        return close(self.sized(decisions) if self.sized else self.template, decisions)

    def read(self, architecture: Architecture) -> Decisions:
        """Return the decisions behind a closed architecture of this space."""
        return read(self.template, architecture)

    def draw(self, rng: Generator) -> Decisions:
        """Return a decision for every Pick: uniform over the number of inputs, then over the subsets of that size."""
        return {pick: self._draw_one(pick, rng) for pick in self.template.picks}

    def fullest(self) -> Decisions:
        """Return the decisions that keep, everywhere, as many inputs as allowed, the first ones."""
        return {pick: self.template[pick].inputs[: op.at_most] for pick, op in self.template.picks.items()}

    def sample(self, rng: Generator) -> Architecture:
        """Return a random acceptable architecture. Raises SpaceError where a thousand draws find none."""
        for _ in range(MAX_TRIES):
            if self.accepts(architecture := self.close(self.draw(rng))):
                return architecture
        raise SpaceError(f"None of {MAX_TRIES} random architectures was accepted; loosen the space's constraint.")

    def mutate(self, parent: Architecture, rng: Generator) -> Architecture:
        """Return an acceptable architecture that differs from `parent` in one decision, chosen at random.

        Picks that come alive through it are decided at random. Raises SpaceError where a thousand tries find none.
        """
        kept = self.read(parent)
        picks = [pick for pick in kept if self._moves(pick, kept[pick])]
        if not picks:
            raise SpaceError("This space has a single architecture; there is nothing to mutate.")
        for _ in range(MAX_TRIES):
            pick = picks[rng.integers(len(picks))]
            moves = self._moves(pick, kept[pick])
            child = self.close({**self.draw(rng), **kept, pick: moves[rng.integers(len(moves))]})
            if child != parent and self.accepts(child):
                return child
        raise SpaceError(f"None of {MAX_TRIES} mutations was accepted; loosen the space's constraint.")

    def neighbours(self, parent: Architecture, rng: Generator | None = None) -> Iterator[Architecture]:
        """Yield every acceptable architecture that adds, drops or exchanges one input of one Pick of `parent`.

        Picks that come alive keep as many inputs as allowed. The order is that of the template, or one that `rng`
        draws at once.
        """
        kept, fullest = self.read(parent), self.fullest()
        moves = [(pick, move) for pick in kept for move in self._moves(pick, kept[pick])]
        order = range(len(moves)) if rng is None else rng.permutation(len(moves))

        def closed() -> Iterator[Architecture]:
            for pick, move in (moves[place] for place in order):
                child = self.close({**fullest, **kept, pick: move})
                if child != parent and self.accepts(child):
                    yield child

        return closed()

    def _moves(self, pick_id: NodeId, kept: tuple[NodeId, ...]) -> list[tuple[NodeId, ...]]:
        """Return the decisions one step from `kept`: one input more, one less, or one for another."""
        pick, inputs = self.template.picks[pick_id], self.template[pick_id].inputs
        absent = [source for source in inputs if source not in kept]
        free = [source for source in kept if source not in inputs[: pick.fixed]]
        more = [{*kept, new} for new in absent] if len(kept) < pick.at_most else []
        less = [{*kept} - {old} for old in free] if len(kept) > pick.at_least else []
        other = [{*kept, new} - {old} for old in free for new in absent]
        return [in_order(self.template, pick_id, chosen) for chosen in (*more, *less, *other)]

    def _draw_one(self, pick_id: NodeId, rng: Generator) -> tuple[NodeId, ...]:
        pick, inputs = self.template.picks[pick_id], self.template[pick_id].inputs
        count = int(rng.integers(pick.at_least, pick.at_most + 1)) - pick.fixed
        free = inputs[pick.fixed :]
        chosen = (free[i] for i in rng.choice(len(free), size=count, replace=False)) if count else ()
        return in_order(self.template, pick_id, (*inputs[: pick.fixed], *chosen))
