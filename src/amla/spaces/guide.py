"""Draws networks within constraints where random ones seldom are: leaning towards what costs less, then thinned.

Costs are nearly sums over decisions. A line is fitted to the counts of random networks; decisions are drawn with
chances multiplied by exp(-lean x cost), by as much as brings the predicted costs to the limits (exponential tilting, as
for rare events: Siegmund 1976); and of what is drawn so much is passed over that the leaning cancels out. What remains
is counted exactly, and only what is within the constraints is given.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from math import comb, inf
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from amla.spaces.errors import SpaceError
from amla.spec.architecture import Architecture, NodeId
from amla.spec.constraints import Counts
from amla.spec.decisions import Decisions
from amla.spec.values import SpecError

if TYPE_CHECKING:
    from amla.spaces.space import Space

PILOTS, ROUNDS = 200, 6  # random networks of a round, and rounds
ENOUGH = 0.25  # share of what is drawn within the constraints, from which no further round is needed
BATCH = 64  # decisions that are drawn at once
PATIENCE = 40  # drawn networks that are counted, or empty batches, before one is brought within the constraints
THINNEST = 0.1  # of what is drawn, what is not passed over at the least
STARTS = 3  # networks from which a smallest one is looked for
STEEPEST = 30.0  # of a leaning: a chance is multiplied by exp(-30) at most
RIDGE = 0.5  # of a fit, in squared inputs of decisions: what was seen in few networks says little
FAR = 3.0  # standard deviations of what a fit leaves open: nothing is counted that is predicted farther beyond limits
KEPT = 0.5  # share of the networks within the constraints that are drawn as often as at random
Rows = NDArray[np.float64]


class Guide:
    """What is known about the costs of a space with constraints; all of it follows from the space."""

    def __init__(self, space: "Space") -> None:
        self.space, self.constraints = space, space.within
        self._narrow = replace(space, template=space.narrow, sized=None) if space.narrow else space
        self._genes = [_Gene(space, gene) for gene in space.genes]
        ends = np.cumsum([0, *(len(gene.free) for gene in self._genes)])
        self._slices = [slice(*ends[place : place + 2]) for place in range(len(self._genes))]
        self._width = int(ends[-1])

    def counted(self, decisions: Decisions) -> Counts | None:
        """Return what a network has of what is limited, None if it cannot be; of several widths, the narrowest."""
        try:
            return self.constraints.of(self._narrow.close(decisions))
        except SpecError:
            return None

    def sample(self, rng: Generator) -> Architecture:
        """Return a random network within the constraints. Raises SpaceError where there is none.

        Chances are those of a random draw that is repeated until it is within, but for networks predicted to cost more
        than nearly all within do: they are rarer, or absent. Where none of some networks drawn so is within, the last
        one is brought there by `repaired`.
        """
        self.leanest  # noqa: B018 - raises where there is none
        decisions = self.space.draw(rng)
        for row in islice(self._drawn(self._leaning, rng), PATIENCE):
            decisions = self._decisions(row)
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
        starts = [self._predicted(sign), *(self._decisions(rows[place]) for place in first)]
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
        return network if self.space.accepts(network := self.space.close(decisions)) else None

    def _drawn(self, leaning: "_Leaning", rng: Generator) -> Iterator[Rows]:
        """Yield rows of decisions that are drawn as the leaning says, without those that are passed over."""
        for _ in range(PATIENCE if leaning.share * PATIENCE > 1 else 0):
            rows = self._rows(leaning.weights, BATCH, rng)
            stays = np.log(rng.random(len(rows))) < -rows @ leaning.weights - leaning.most
            yield from rows[stays & (rows @ leaning.slopes <= leaning.room).all(axis=1)]

    def _rows(self, weights: Rows, count: int, rng: Generator) -> Rows:
        """Return rows of drawn decisions: a column for each input that may be kept, its chance times exp(weight)."""
        drawn = [gene.drawn(weights[its], count, rng) for gene, its in zip(self._genes, self._slices, strict=True)]
        return np.hstack(drawn) if drawn else np.zeros((count, 0))

    def _decisions(self, row: Rows) -> Decisions:
        return {gene.name: gene.kept(row[its]) for gene, its in zip(self._genes, self._slices, strict=True)}

    def _predicted(self, sign: int) -> Decisions:
        """Return the decisions that are predicted to cost least; with the sign -1, most."""
        slopes, found = sign * self._slopes.sum(axis=1), {}
        for gene, its in zip(self._genes, self._slices, strict=True):
            order, row = np.argsort(slopes[its], kind="stable"), np.zeros(len(gene.free))
            row[order[: min(gene.most, max(gene.least, int((slopes[its] < 0).sum())))]] = 1.0
            found[gene.name] = gene.kept(row)
        return found

    def _shares(self, rows: Rows) -> Rows:
        """Return what share of each limit the networks of some rows use; none that is a number where they cannot be."""
        found = list[list[float]]()
        for row in rows:
            counted = self.counted(self._decisions(row))
            found.append(
                [np.nan] * len(self.constraints.given) if counted is None else self.constraints.shares(counted)
            )
        return np.array(found)

    @cached_property
    def _pilots(self) -> tuple[Rows, Rows]:
        """Random decisions and their shares of the limits: the same in every process."""
        rows = self._rows(np.zeros(self._width), PILOTS + self._width, default_rng(0))
        return _known(rows, self._shares(rows))

    @cached_property
    def _slopes(self) -> Rows:
        return _fitted(*self._pilots)[0]

    @cached_property
    def _leaning(self) -> "_Leaning":
        """The leaning with which enough of what is drawn is within the constraints, or the last that was tried."""
        rng, (rows, shares) = default_rng(1), self._pilots
        best: _Leaning | None = None
        for number in range(ROUNDS):
            slopes, level, rest = _fitted(rows, shares)
            weights = self._towards(slopes, 1 - level - number * rest / 2, rng)
            new = self._rows(weights, PILOTS, rng)
            within = (found := self._shares(new)).max(axis=1) <= 1
            share = float(within.mean())
            if best is None or share > best.share:
                most = min(_quantile(-new[within] @ weights), _thinnest(-new @ weights))
                best = _Leaning(weights, most, slopes, 1 - level + FAR * rest + 1e-9, share)
            if best.share >= ENOUGH:
                break
            new, found = _known(new, found)
            rows, shares = np.vstack([rows, new]), np.vstack([shares, found])
        assert best is not None  # noqa: S101
        return best

    def _towards(self, slopes: Rows, room: Rows, rng: Generator) -> Rows:
        """Return weights under which the predicted shares of what is drawn are, on average, at most `room`.

        Newton's method, of which the means and variances are those of drawn decisions.
        """
        lean = np.zeros(slopes.shape[1])
        for _ in range(12):
            predicted = self._rows(_weights(slopes, lean), 2 * BATCH, rng) @ slopes
            step = (predicted.mean(axis=0) - room) / (predicted.var(axis=0) + 1e-12)
            lean = np.maximum(0.0, lean + np.clip(step, -1.0 - lean / 2, 1.0 + lean))
        return _weights(slopes, lean)


@dataclass(frozen=True)
class _Leaning:
    """By what logarithms the chances of inputs are changed; and up to which cost, in these, that is cancelled out.

    `share` of what is drawn so was within the constraints; rows beyond `room` by the fitted `slopes` were far from it.
    """

    weights: Rows
    most: float
    slopes: Rows
    room: Rows
    share: float


class _Gene:
    """A gene of a space: how many of its free inputs it may keep, and which."""

    def __init__(self, space: "Space", name: NodeId) -> None:
        pick, inputs = space.template.picks[name], space.template[name].inputs
        self.name, self.fixed, self.free = name, inputs[: pick.fixed], inputs[pick.fixed :]
        self.least, self.most = pick.at_least - pick.fixed, pick.at_most - pick.fixed
        ways = np.array([comb(len(self.free), count) for count in range(len(self.free) + 1)], float)
        self._chances = np.zeros(len(ways))  # of one set of each size
        self._chances[self.least : self.most + 1] = 1.0 if space.even else 1 / ways[self.least : self.most + 1]

    def kept(self, row: Rows) -> tuple[NodeId, ...]:
        """Return the decision of a row: 1 for each free input that is kept."""
        return (*self.fixed, *(source for source, is_kept in zip(self.free, row, strict=True) if is_kept))

    def drawn(self, weights: Rows, count: int, rng: Generator) -> Rows:
        """Return rows drawn with the chances of a random draw, each times exp of the sum of weights that it keeps."""
        found, odds = np.zeros((count, len(weights))), np.exp(weights)
        if not len(weights):
            return found
        if self.least == self.most == 1:
            chances = odds.cumsum() / odds.sum()
            found[np.arange(count), np.minimum(np.searchsorted(chances, rng.random(count)), len(weights) - 1)] = 1.0
            return found
        sums = np.zeros((len(odds) + 1, len(odds) + 1))  # of products of so many of the first odds
        sums[:, 0] = 1.0
        for place, odd in enumerate(odds):
            sums[place + 1, 1:] = sums[place, 1:] + odd * sums[place, :-1]
        sizes = sums[-1] * self._chances
        left = np.searchsorted(sizes.cumsum() / sizes.sum(), rng.random(count))
        left = np.minimum(left, self.most)
        for place in range(len(odds) - 1, -1, -1):
            whole, with_it = sums[place + 1, left], odds[place] * sums[place, np.maximum(left - 1, 0)]
            takes = (left > 0) & (rng.random(count) * whole < with_it)
            found[takes, place] = 1.0
            left = left - takes
        return found


def _fitted(rows: Rows, shares: Rows) -> tuple[Rows, Rows, Rows]:
    """Return what each input adds to each share, what shares are without any, and how far they are off that."""
    middle, level = rows.mean(axis=0), shares.mean(axis=0)
    away = rows - middle
    slopes = np.linalg.solve(away.T @ away + RIDGE * np.eye(rows.shape[1]), away.T @ (shares - level))
    rest = (shares - level - away @ slopes).std(axis=0)
    return slopes, level - middle @ slopes, rest


def _known(rows: Rows, shares: Rows) -> tuple[Rows, Rows]:
    """Return the rows of networks that can be built. Raises SpaceError where there is none."""
    can_be = np.isfinite(shares).all(axis=1)
    if not can_be.any():
        raise SpaceError(f"None of {len(rows)} random architectures can be built; check the space.")
    return rows[can_be], shares[can_be]


def _quantile(costly: Rows) -> float:
    """Return the cost below which lie most networks within the constraints, if drawn as at random."""
    if not len(costly):
        return 0.0
    order = np.sort(costly)
    chances = np.exp(order - order.max()).cumsum()
    return float(order[np.searchsorted(chances, KEPT * chances[-1])])


def _thinnest(costly: Rows) -> float:
    """Return the cost up to which a leaning may be cancelled out, if enough of what is drawn is to be left."""
    levels = np.linspace(costly.min(), costly.max(), 33)
    kept = np.array([np.exp(np.minimum(0.0, costly - level)).mean() for level in levels])
    return float(levels[kept >= THINNEST].max())


def _weights(slopes: Rows, lean: Rows) -> Rows:
    """Return by what the logarithms of chances change where inputs cost so much and the leaning is so strong."""
    weights: Rows = np.clip(-slopes @ lean, -STEEPEST, STEEPEST)
    return weights
