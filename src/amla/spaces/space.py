"""A search space: one open architecture, which of its Picks decide together, and which closings are acceptable."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import comb

from numpy.random import Generator

from amla.spaces.counting import count_closings
from amla.spaces.paths import for_all
from amla.spec.architecture import Architecture, NodeId
from amla.spec.closing import Closing, is_plain
from amla.spec.decisions import Decisions, close, in_order, read

MAX_TRIES = 1000
MOST_NODES = 16_000_000  # of the closings that are remembered, all together: about 130 MB

Key = tuple[tuple[NodeId, ...] | None, ...]  # what each gene keeps


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

    `tied` says of some Picks which other one they decide as: they keep inputs at the same places. So all cells of a
    network can be alike. The other Picks are the genes; decisions are about them alone. A gene must live wherever a
    Pick that is tied to it does.

    With `even` a draw gives every subset that a gene may keep the same chance, else every number of inputs first.
    Raises SpaceError for ties that cannot be.
    """

    template: Architecture
    accepts: Callable[[Architecture], bool] = everything
    sized: Callable[[Decisions], Architecture] | None = None
    tied: Mapping[NodeId, NodeId] = field(default_factory=dict, hash=False)
    even: bool = False

    def __post_init__(self) -> None:
        for pick, gene in self.tied.items():
            for name in (pick, gene):
                if name not in self.template.picks:
                    raise SpaceError(f"{pick!r} is tied to {gene!r}, but {name!r} is no Pick of the template.")
            same = self.template.picks[pick] == self.template.picks[gene]
            if gene in self.tied or not same or len(self.template[pick].inputs) != len(self.template[gene].inputs):
                raise SpaceError(f"{pick!r} is tied to {gene!r}, which must be a like Pick that is itself not tied.")

    @cached_property
    def genes(self) -> tuple[NodeId, ...]:
        """The Picks that are decided by themselves, in the order of the template."""
        return tuple(pick for pick in self.template.picks if pick not in self.tied)

    @cached_property
    def size(self) -> int | None:
        """How many closings the template has, whether accepted or not; None where they are too many ways to count."""
        return count_closings(self.template, self.tied)

    def close(self, decisions: Decisions) -> Architecture:
        """Return the closed architecture that decisions about the genes make. Raises SpecError."""
        if self._closing is None:
            return close(
                self.sized(decisions) if self.sized else self.template, for_all(self.template, decisions, self.tied)
            )
        key: Key = tuple(map(decisions.get, self.genes))
        if key not in self._closed:
            if len(self._closed) * len(self.template) > MOST_NODES:
                self._closed.clear()
                self._behind.clear()
            made, living = self._closing.close(decisions)
            alive = set(living)
            kept = {gene: in_order(self.template, gene, decisions[gene]) for gene in self.genes if gene in alive}
            self._closed[key] = self._behind.setdefault(made, (made, kept))[0]
        return self._closed[key]

    def read(self, architecture: Architecture) -> Decisions:
        """Return the decisions behind a closed architecture of this space: what each gene that lives keeps."""
        if self._behind and (known := self._behind.get(architecture)):
            return known[1]
        found = read(self.template, architecture)
        return {gene: found[gene] for gene in self.genes if gene in found}

    def draw(self, rng: Generator) -> Decisions:
        """Return a decision for every gene: uniform over the number of inputs, then over the subsets of that size.

        In a space that is `even`, uniform over all subsets at once.
        """
        return {gene: self._draw_one(gene, rng) for gene in self.genes}

    def fullest(self) -> Decisions:
        """Return the decisions that keep, everywhere, as many inputs as allowed, the first ones."""
        return {gene: self.template[gene].inputs[: self.template.picks[gene].at_most] for gene in self.genes}

    def sample(self, rng: Generator) -> Architecture:
        """Return a random acceptable architecture. Raises SpaceError where a thousand draws find none."""
        for _ in range(MAX_TRIES):
            if self.accepts(architecture := self.close(self.draw(rng))):
                return architecture
        raise SpaceError(f"None of {MAX_TRIES} random architectures was accepted; loosen the space's constraint.")

    def mutate(self, parent: Architecture, rng: Generator) -> Architecture:
        """Return an acceptable architecture that differs from `parent` in one decision, chosen at random.

        Genes that come alive through it are decided at random. Raises SpaceError where a thousand tries find none.
        """
        kept = self.read(parent)
        genes = [gene for gene in kept if self._moves(gene, kept[gene])]
        if not genes:
            raise SpaceError("This space has a single architecture; there is nothing to mutate.")
        for _ in range(MAX_TRIES):
            gene = genes[rng.integers(len(genes))]
            moves = self._moves(gene, kept[gene])
            dead = {other: self._draw_one(other, rng) for other in self.genes if other not in kept}
            child = self.close({**dead, **kept, gene: moves[rng.integers(len(moves))]})
            if child != parent and self.accepts(child):
                return child
        raise SpaceError(f"None of {MAX_TRIES} mutations was accepted; loosen the space's constraint.")

    def neighbours(self, parent: Architecture, rng: Generator | None = None) -> Iterator[Architecture]:
        """Yield every acceptable architecture that adds, drops or exchanges one input of one gene of `parent`.

        Genes that come alive keep as many inputs as allowed. The order is that of the template, or one that `rng`
        draws at once.
        """
        kept, fullest = self.read(parent), self.fullest()
        moves = [(gene, move) for gene in kept for move in self._moves(gene, kept[gene])]
        order = range(len(moves)) if rng is None else rng.permutation(len(moves))

        def closed() -> Iterator[Architecture]:
            for gene, move in (moves[place] for place in order):
                child = self.close({**fullest, **kept, gene: move})
                if child != parent and self.accepts(child):
                    yield child

        return closed()

    def _moves(self, gene: NodeId, kept: tuple[NodeId, ...]) -> list[tuple[NodeId, ...]]:
        """Return the decisions one step from `kept`: one input more, one less, or one for another."""
        if self.template.picks[gene].at_most > 1:
            return self._all_moves(gene, kept)
        if (gene, kept) not in self._single_moves:
            self._single_moves[gene, kept] = self._all_moves(gene, kept)
        return self._single_moves[gene, kept]

    def _all_moves(self, gene: NodeId, kept: tuple[NodeId, ...]) -> list[tuple[NodeId, ...]]:
        pick, inputs = self.template.picks[gene], self.template[gene].inputs
        absent = [source for source in inputs if source not in kept]
        free = [source for source in kept if source not in inputs[: pick.fixed]]
        more = [{*kept, new} for new in absent] if len(kept) < pick.at_most else []
        less = [{*kept} - {old} for old in free] if len(kept) > pick.at_least else []
        other = [{*kept, new} - {old} for old in free for new in absent]
        return [in_order(self.template, gene, chosen) for chosen in (*more, *less, *other)]

    def _draw_one(self, gene: NodeId, rng: Generator) -> tuple[NodeId, ...]:
        pick, inputs = self.template.picks[gene], self.template[gene].inputs
        if pick.at_most == 1 and not pick.fixed:
            return (inputs[rng.integers(len(inputs))],)
        free = inputs[pick.fixed :]
        count = self._draw_count(pick.at_least - pick.fixed, pick.at_most - pick.fixed, len(free), rng)
        chosen = (free[i] for i in rng.choice(len(free), size=count, replace=False)) if count else ()
        return in_order(self.template, gene, (*inputs[: pick.fixed], *chosen))

    def _draw_count(self, least: int, most: int, free: int, rng: Generator) -> int:
        if not self.even:
            return int(rng.integers(least, most + 1))
        ways = [comb(free, count) for count in range(least, most + 1)]
        return least + int(rng.choice(len(ways), p=[number / sum(ways) for number in ways]))

    # Caches: a closing is made once, and what it was made of is known. A space with shares has no part in it.

    @cached_property
    def _closing(self) -> Closing | None:
        return Closing(self.template, self.tied) if self.sized is None and is_plain(self.template) else None

    @cached_property
    def _closed(self) -> dict[Key, Architecture]:
        return {}

    @cached_property
    def _behind(self) -> dict[Architecture, tuple[Architecture, Decisions]]:
        return {}

    @cached_property
    def _single_moves(self) -> dict[tuple[NodeId, tuple[NodeId, ...]], list[tuple[NodeId, ...]]]:
        return {}
