"""Leads to networks within constraints: draws them where random ones seldom are, and brings others there.

What is drawn leans towards what costs less (`amla.spaces.leaning`), is counted exactly, and is given only where it is
within the constraints. The smallest and the largest networks are found by descent.
"""

from dataclasses import replace
from functools import cached_property
from itertools import islice
from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from amla.spaces.coding import Coding, Rows
from amla.spaces.errors import SpaceError
from amla.spaces.leaning import Leaning, fitted, leaning, pilots
from amla.spec.architecture import Architecture
from amla.spec.constraints import Counts
from amla.spec.decisions import Decisions

if TYPE_CHECKING:
    from amla.spaces.space import Space

PATIENCE = 40  # drawn networks that are counted, or batches, before one is brought within the constraints
STARTS = 3  # networks from which a smallest one is looked for


class Guide:
    """What is known about the costs of a space with constraints; all of it follows from the space."""

    def __init__(self, space: "Space") -> None:
        self.space, self.constraints = space, space.within
        self._narrow = replace(space, template=space.narrow, sized=None) if space.narrow else space
        self._coding = Coding(space)

    def counted(self, decisions: Decisions) -> Counts | None:
        """Return what a network has of what is limited, None if it cannot be; of several widths, the narrowest."""
        return self._narrow.counted(decisions)

    def sample(self, rng: Generator) -> Architecture:
        """Return a random network within the constraints. Raises SpaceError where there is none.

        Chances are those of a random draw that is repeated until it is within, but for networks predicted to cost more
        than nearly all within do: they are rarer, or absent. Where none of some networks drawn so is within, the last
        one is brought there by `repaired`.
        """
        self.leanest  # noqa: B018 - raises where there is none
        decisions = self.space.draw(rng)
        batches = PATIENCE if self._leaning.share * PATIENCE > 1 else 0
        for row in islice(self._leaning.rows(batches, rng), PATIENCE):
            decisions = self._coding.decisions(row)
            if (network := self._within(decisions)) is not None:
                return network
        return self.repaired(decisions, rng)

    def repaired(self, decisions: Decisions, rng: Generator) -> Architecture:
        """Return the network of these decisions, but for as many as are needed, drawn, that are those of the leanest.

        Raises SpaceError where the space has no network within its constraints.
        """
        leanest = self.leanest
        genes = [self.space.genes[place] for place in rng.permutation(len(self.space.genes))]

        def brought(count: int) -> Decisions:
            return {**decisions, **{gene: leanest[gene] for gene in genes[:count]}}

        low, high = 0, len(genes)  # all of them are enough
        while low < high:
            middle = (low + high) // 2
            if self._fits(brought(middle)):
                high = middle
            else:
                low = middle + 1
        for count in range(high, len(genes) + 1):  # counts do not grow with each decision everywhere
            if (network := self._within(brought(count))) is not None:
                return network
        raise SpaceError("The leanest network of the space is refused; loosen its constraint.")

    @cached_property
    def leanest(self) -> Decisions:
        """The decisions of a network within the constraints that uses the least of them, of those found by descent.

        Raises SpaceError where that one is not within, saying what it costs.
        """
        found = self.smallest
        if (counted := self.counted(found)) is None or not self.constraints.admit(counted):
            broken = "cannot be built" if counted is None else f"has {self.constraints.broken(counted)}"
            raise SpaceError(
                f"No network of the space is within the constraints: the smallest one found {broken}. Loosen them, or "
                "take a smaller space."
            )
        return found

    @cached_property
    def smallest(self) -> Decisions:
        """The decisions of the network that uses the least of the constraints, found by descent from a few networks."""
        return self._extreme(1)

    @cached_property
    def largest(self) -> Decisions:
        """The decisions of the network that uses the most of them, found likewise."""
        return self._extreme(-1)

    def _extreme(self, sign: int) -> Decisions:
        rows, shares = self._pilots
        first = np.argsort(sign * shares.max(axis=1), kind="stable")[:STARTS]
        cheapest = self._coding.least(sign * fitted(rows, shares)[0].sum(axis=1))
        starts = [cheapest, *(self._coding.decisions(rows[place]) for place in first)]
        able = [start for start in starts if self.counted(start) is not None]
        ends = [self._descended(start, sign) for start in able]
        return min(ends, key=lambda decisions: self._height(decisions, sign))

    def _descended(self, decisions: Decisions, sign: int) -> Decisions:
        """Return decisions from which no single move leads to a network that uses less; with the sign -1, more."""
        best, moved = self._height(decisions, sign), True
        while moved:
            moved = False
            for gene in self._narrow.read(self._narrow.close(decisions)):
                for move in self._narrow.moves.of(gene, decisions[gene]):
                    changed = {**decisions, gene: move}
                    if (found := self._height(changed, sign)) < best:
                        best, decisions, moved = found, changed, True
        return decisions

    def _height(self, decisions: Decisions, sign: int) -> tuple[float, float]:
        if (counted := self.counted(decisions)) is None:
            return inf, inf
        shares = self.constraints.shares(counted)
        return sign * max(shares), sign * sum(shares)

    def _fits(self, decisions: Decisions) -> bool:
        counted = self.counted(decisions)
        return counted is not None and self.constraints.admit(counted)

    def _within(self, decisions: Decisions) -> Architecture | None:
        """Return the network that decisions make, None where it is refused."""
        if self.space.narrow is not None and not self._fits(decisions):
            return None  # before it is found out how wide it may be
        return self.space.accepted(decisions)

    def _shares(self, rows: Rows) -> Rows:
        """Return what share of each limit the networks of some rows use; none that is a number where they cannot be."""
        none = [nan] * len(self.constraints.given)
        counted = (self.counted(self._coding.decisions(row)) for row in rows)
        return np.array([none if found is None else self.constraints.shares(found) for found in counted])

    @cached_property
    def _pilots(self) -> tuple[Rows, Rows]:
        return pilots(self._coding, self._shares)

    @cached_property
    def _leaning(self) -> Leaning:
        return leaning(self._coding, self._pilots, self._shares)
