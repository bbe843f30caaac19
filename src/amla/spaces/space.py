"""A search space: one open architecture, which of its Picks decide together, and which closings are acceptable."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import comb

from numpy.random import Generator

from amla.spaces.counting import count_closings
from amla.spaces.errors import SpaceError as SpaceError
from amla.spaces.guide import Guide
from amla.spaces.moves import MAX_TRIES as MAX_TRIES
from amla.spaces.moves import Kept, Moves
from amla.spaces.paths import for_all
from amla.spaces.within import Within
from amla.spec.architecture import Architecture, NodeId
from amla.spec.closing import Closing, is_plain
from amla.spec.constraints import Constraints, Counts
from amla.spec.decisions import Decisions, close, in_order, read
from amla.spec.tally import Tally, tally_of
from amla.spec.values import SpecError

MOST_NODES = 16_000_000  # of the closings that are remembered, all together: about 130 MB

Key = tuple[Kept | None, ...]  # what each gene keeps


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

    `within` are constraints on what networks cost, made by `constrained`: `accepts` is true of none beyond, and what is
    random is drawn within them. `narrow` is the template at its least width, where `sized` makes networks as wide as
    the constraints allow: what is not within them there is not at all.

    With `even` a draw gives every subset that a gene may keep the same chance, else every number of inputs first.
    Raises SpaceError for ties that cannot be.
    """

    template: Architecture
    accepts: Callable[[Architecture], bool] = everything
    sized: Callable[[Decisions], Architecture] | None = None
    tied: Mapping[NodeId, NodeId] = field(default_factory=dict, hash=False)
    even: bool = False
    within: Constraints = field(default_factory=Constraints)
    narrow: Architecture | None = None

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

    def accepted(self, decisions: Decisions) -> Architecture | None:
        """Return the architecture that decisions make, None where it is not accepted. Raises SpecError as `close`."""
        if self._tally is None or not isinstance(self.accepts, Within):
            return network if self.accepts(network := self.close(decisions)) else None
        if (counted := self.counted(decisions)) is None or not self.within.admit(counted):
            return None  # and is not made
        return network if self.accepts.besides(network := self.close(decisions)) else None

    def counted(self, decisions: Decisions) -> Counts | None:
        """Return what the architecture of decisions has of what `within` limits, None if it cannot be built."""
        try:
            if self._tally is None:
                return self.within.of(self.close(decisions))
            tally = self._tally
            return self.within.only(
                partial(tally.used, decisions), partial(tally.peak_memory, decisions), partial(tally.amounts, decisions)
            )
        except SpecError:
            return None

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
        """Return a random acceptable architecture: a draw, repeated until it is accepted, at most a thousand times.

        With constraints, one that `Guide.sample` draws where the first is beyond them. Raises SpaceError where none is
        found.
        """
        for _ in range(1 if self.within else MAX_TRIES):
            if (architecture := self.accepted(self.draw(rng))) is not None:
                return architecture
        if self.within:
            return self.guide.sample(rng)
        raise SpaceError(f"None of {MAX_TRIES} random architectures was accepted; loosen the space's constraint.")

    def nearest(self, decisions: Decisions, rng: Generator) -> Architecture | None:
        """Return the acceptable architecture that decisions make, or with constraints one of some of them.

        See `Guide.repaired`. None where it is refused in a space without constraints. Raises SpaceError where nothing
        is within them.
        """
        if (architecture := self.accepted(decisions)) is not None:
            return architecture
        return self.guide.repaired(decisions, rng) if self.within else None

    def mutate(self, parent: Architecture, rng: Generator) -> Architecture:
        """Return an acceptable architecture that differs from `parent` in one decision, chosen at random.

        Genes that come alive through it are decided at random; with constraints, as in `neighbours` where that is
        beyond them. Raises SpaceError where none is found: in a thousand tries, or with constraints among all.
        """
        kept = self.read(parent)
        genes = [gene for gene in kept if self.moves.of(gene, kept[gene])]
        if not genes:
            raise SpaceError("This space has a single architecture; there is nothing to mutate.")
        next_moves = self.moves.shuffled if self.within else self.moves.drawn
        for gene, move in next_moves(genes, kept, rng):
            dead = {other: self._draw_one(other, rng) for other in self.genes if other not in kept}
            child = self.accepted({**dead, **kept, gene: move})
            if child is not None and child != parent:
                return child
            if self.within and dead and (moved := self.moved(kept, gene, move)) is not None and moved != parent:
                return moved
        why = "No mutation is" if self.within else f"None of {MAX_TRIES} mutations was"
        raise SpaceError(f"{why} accepted; loosen the space's constraint.")

    def neighbours(self, parent: Architecture, rng: Generator | None = None) -> Iterator[Architecture]:
        """Yield every acceptable architecture that adds, drops or exchanges one input of one gene of `parent`.

        Genes that come alive keep as many inputs as allowed; with constraints, where that is beyond them, what the
        leanest network keeps. The order is that of the template, or one that `rng` draws at once.
        """
        kept = self.read(parent)
        moves = [(gene, move) for gene in kept for move in self.moves.of(gene, kept[gene])]
        order = range(len(moves)) if rng is None else rng.permutation(len(moves))

        def closed() -> Iterator[Architecture]:
            for place in order:
                if (child := self.moved(kept, *moves[place])) is not None and child != parent:
                    yield child

        return closed()

    def moved(self, kept: Decisions, gene: NodeId, move: Kept) -> Architecture | None:
        """Return the neighbour with another decision on a gene, None where it is not accepted."""
        fullest = {**self.fullest(), **kept, gene: move}
        if (child := self.accepted(fullest)) is not None:
            return child
        if not self.within or kept.keys() >= self.read(self.close(fullest)).keys():
            return None
        return self.accepted({**self.guide.leanest, **kept, gene: move})

    @cached_property
    def moves(self) -> Moves:
        """The decisions that are one input away from others."""
        return Moves(self.template)

    @cached_property
    def guide(self) -> Guide:
        """What leads to networks within the constraints; made when it is first needed."""
        return Guide(self)

    def _draw_one(self, gene: NodeId, rng: Generator) -> Kept:
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

    @cached_property
    def _tally(self) -> Tally | None:
        """What counts architectures before they are made, if any can."""
        return tally_of(self._closing) if self.within and self._closing else None

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


def constrained(space: Space, constraints: Constraints) -> Space:
    """Return the networks of a space that are within constraints, and within those that it has."""
    if not constraints:
        return space
    accepts = Within(constraints, space.accepts)
    return replace(space, accepts=accepts, within=space.within.tightened(constraints))
