"""Decisions as rows of numbers, a column for each input that may be kept: to draw many at once, and to fit lines to."""

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from amla.spec.architecture import NodeId
from amla.spec.decisions import Decisions

if TYPE_CHECKING:
    from amla.spaces.space import Space

LISTED = 512  # sets of inputs of a gene, up to which each one is listed with its chance
Rows = NDArray[np.float64]


class Coding:
    """How decisions about the genes of a space are written as rows."""

    def __init__(self, space: "Space") -> None:
        self._genes = [_Gene(space, gene) for gene in space.genes]
        ends = np.cumsum([0, *(len(gene.free) for gene in self._genes)]).tolist()
        self._slices = [slice(*ends[place : place + 2]) for place in range(len(self._genes))]
        self.width: int = ends[-1]

    def decisions(self, row: Rows) -> Decisions:
        """Return the decisions of a row: 1 for each free input that is kept."""
        return {gene.name: gene.kept(row[its]) for gene, its in zip(self._genes, self._slices, strict=True)}

    def draws(self, weights: Rows) -> "Draws":
        """Return what draws rows with the chances of a random draw, each times exp of the sum of its weights."""
        return Draws([gene.drawn(weights[its]) for gene, its in zip(self._genes, self._slices, strict=True)])

    def least(self, slopes: Rows) -> Decisions:
        """Return the decisions that cost least where inputs cost so much."""
        found = {}
        for gene, its in zip(self._genes, self._slices, strict=True):
            order, row = np.argsort(slopes[its], kind="stable"), np.zeros(len(gene.free))
            row[order[: min(gene.most, max(gene.least, int((slopes[its] < 0).sum())))]] = 1.0
            found[gene.name] = gene.kept(row)
        return found


class _Drawn(Protocol):
    """Draws for one gene."""

    def rows(self, count: int, rng: Generator) -> Rows:
        """Return so many rows."""


class Draws:
    """Draws rows; what follows from the weights alone is worked out once."""

    def __init__(self, genes: list[_Drawn]) -> None:
        self._genes = genes

    def rows(self, count: int, rng: Generator) -> Rows:
        """Return so many rows of drawn decisions."""
        return np.hstack([np.zeros((count, 0)), *(gene.rows(count, rng) for gene in self._genes)])


class _Gene:
    """A gene of a space: how many of its free inputs it may keep, and which."""

    def __init__(self, space: "Space", name: NodeId) -> None:
        pick, inputs = space.template.picks[name], space.template[name].inputs
        self.name, self._fixed, self.free = name, inputs[: pick.fixed], inputs[pick.fixed :]
        self.least, self.most = pick.at_least - pick.fixed, pick.at_most - pick.fixed
        ways = np.array([comb(len(self.free), count) for count in range(self.least, self.most + 1)], float)
        self._chances = np.log(np.ones(len(ways)) if space.even else 1 / ways)  # of one set of each size
        self._sets = None if ways.sum() > LISTED else self._listed()
        self._known: dict[bytes, tuple[NodeId, ...]] = {}

    def kept(self, row: Rows) -> tuple[NodeId, ...]:
        """Return the decision of a row."""
        if (key := row.tobytes()) not in self._known:
            if len(self._known) > LISTED:
                self._known.clear()
            chosen = (source for source, is_kept in zip(self.free, row, strict=True) if is_kept)
            self._known[key] = (*self._fixed, *chosen)
        return self._known[key]

    def drawn(self, weights: Rows) -> _Drawn:
        """Return what draws rows, the chance of each of which is times exp of the sum of weights that it keeps."""
        if self._sets is None:
            return _InTurn(weights, self._chances, self.least)
        sizes = self._sets.sum(axis=1).astype(int) - self.least
        return _Listed(self._sets, self._sets @ weights + self._chances[sizes])

    def _listed(self) -> Rows:
        sets = [kept for size in range(self.least, self.most + 1) for kept in combinations(range(len(self.free)), size)]
        rows = np.zeros((len(sets), len(self.free)))
        for row, kept in zip(rows, sets, strict=True):
            row[list(kept)] = 1.0
        return rows


class _Listed:
    """Draws one of the sets that a gene may keep."""

    def __init__(self, sets: Rows, logs: Rows) -> None:
        self._sets, chances = sets, np.exp(logs - logs.max())
        self._upto = chances.cumsum() / chances.sum()

    def rows(self, count: int, rng: Generator) -> Rows:
        return self._sets[np.minimum(np.searchsorted(self._upto, rng.random(count)), len(self._sets) - 1)]


class _InTurn:
    """Draws how many inputs a gene keeps, then whether each of them is one, from the last to the first."""

    def __init__(self, weights: Rows, chances: Rows, least: int) -> None:
        count = len(weights)
        sums = np.full((count + 1, count + 1), -np.inf)  # logarithms of sums of products of so many of the first odds
        sums[:, 0] = 0.0
        for place, weight in enumerate(weights):
            sums[place + 1, 1:] = np.logaddexp(sums[place, 1:], weight + sums[place, :-1])
        logs = sums[-1, least : least + len(chances)] + chances
        sizes = np.exp(logs - logs.max())
        self._least, self._upto = least, sizes.cumsum() / sizes.sum()
        self._takes = np.zeros((count, count + 1))  # the chance that an input is one of so many that are left
        for place, weight in enumerate(weights):
            possible = np.isfinite(sums[place + 1, 1:])
            self._takes[place, 1:][possible] = np.exp(
                weight + sums[place, :-1][possible] - sums[place + 1, 1:][possible]
            )

    def rows(self, count: int, rng: Generator) -> Rows:
        found = np.zeros((count, len(self._takes)))
        left = self._least + np.minimum(np.searchsorted(self._upto, rng.random(count)), len(self._upto) - 1)
        for place in range(len(self._takes) - 1, -1, -1):
            takes = rng.random(count) < self._takes[place, left]
            found[takes, place] = 1.0
            left = left - takes
        return found
