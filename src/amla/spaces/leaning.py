"""How to draw decisions that cost less more often, and by how much that is cancelled out.

Costs are nearly sums over decisions. A line is fitted to the counts of random networks; decisions are drawn with
chances multiplied by exp(-lean x cost), by as much as brings the predicted costs to the limits (exponential tilting, as
for rare events: Siegmund 1976); and of what is drawn so much is passed over that the leaning cancels out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng

from amla.spaces.coding import Coding, Draws, Rows
from amla.spaces.errors import SpaceError

PILOTS, ROUNDS = 200, 6  # random networks of a round, and rounds
ENOUGH = 0.25  # share of what is drawn within the constraints, from which no further round is needed
BATCH = 64  # decisions that are drawn at once
THINNEST = 0.1  # of what is drawn, what is not passed over at the least
STEEPEST = 30.0  # of a leaning: a chance is multiplied by exp(-30) at most
RIDGE = 0.5  # of a fit, in squared inputs of decisions: what was seen in few networks says little
FAR = 3.0  # standard deviations of what a fit leaves open: nothing is counted that is predicted farther beyond limits
KEPT = 0.5  # share of the networks within the constraints that are drawn as often as at random

Shares = Callable[[Rows], Rows]  # what share of each limit the networks of some rows use; NaN where they cannot be


@dataclass(frozen=True)
class Leaning:
    """By what logarithms the chances of inputs are changed; and up to which cost, in these, that is cancelled out.

    `share` of what is drawn so was within the constraints; rows beyond `room` by the fitted `slopes` were far from it.
    """

    weights: Rows
    draws: Draws
    most: float
    slopes: Rows
    room: Rows
    share: float

    def rows(self, batches: int, rng: Generator) -> Iterator[Rows]:
        """Yield rows of decisions from so many batches that are drawn, without those that are passed over."""
        for _ in range(batches):
            rows = self.draws.rows(BATCH, rng)
            stays = np.log(rng.random(len(rows))) < -rows @ self.weights - self.most
            yield from rows[stays & (rows @ self.slopes <= self.room).all(axis=1)]


def pilots(coding: Coding, shares: Shares) -> tuple[Rows, Rows]:
    """Return random decisions and their shares of the limits: the same in every process.

    Raises SpaceError where none of their networks can be built.
    """
    rows = coding.draws(np.zeros(coding.width)).rows(PILOTS + coding.width, default_rng(0))
    return _known(rows, shares(rows))


def fitted(rows: Rows, shares: Rows) -> tuple[Rows, Rows, Rows]:
    """Return what each input adds to each share, what shares are without any, and how far they are off that."""
    middle, level = rows.mean(axis=0), shares.mean(axis=0)
    away = rows - middle
    slopes = np.linalg.solve(away.T @ away + RIDGE * np.eye(rows.shape[1]), away.T @ (shares - level))
    rest = (shares - level - away @ slopes).std(axis=0)
    return slopes, level - middle @ slopes, rest


def leaning(coding: Coding, known: tuple[Rows, Rows], shares: Shares) -> Leaning:
    """Return the leaning with which most, of those tried, of what is drawn is within the constraints.

    It is learned from the pilots, `known`, and from what is drawn then, until that is enough.
    """
    rng, (rows, found), best = default_rng(1), known, list[Leaning]()
    for number in range(ROUNDS):
        slopes, level, rest = fitted(rows, found)
        weights = _towards(coding, slopes, 1 - level - number * rest / 2, rng)
        draws = coding.draws(weights)
        new = draws.rows(PILOTS, rng)
        new_found = shares(new)
        within = new_found.max(axis=1) <= 1
        most = min(_quantile(-new[within] @ weights), _thinnest(-new @ weights))
        room = 1 - level + FAR * rest + 1e-9
        best.append(Leaning(weights, draws, most, slopes, room, float(within.mean())))
        if best[-1].share >= ENOUGH:
            break
        new, new_found = _known(new, new_found)
        rows, found = np.vstack([rows, new]), np.vstack([found, new_found])
    return max(best, key=lambda each: each.share)


def _towards(coding: Coding, slopes: Rows, room: Rows, rng: Generator) -> Rows:
    """Return weights under which the predicted shares of what is drawn are, on average, at most `room`.

    Newton's method, of which the means and variances are those of drawn decisions.
    """
    lean = np.zeros(slopes.shape[1])
    for _ in range(12):
        predicted = coding.draws(_weights(slopes, lean)).rows(2 * BATCH, rng) @ slopes
        step = (predicted.mean(axis=0) - room) / (predicted.var(axis=0) + 1e-12)
        lean = np.maximum(0.0, lean + np.clip(step, -1.0 - lean / 2, 1.0 + lean))
    return _weights(slopes, lean)


def _weights(slopes: Rows, lean: Rows) -> Rows:
    """Return by what the logarithms of chances change where inputs cost so much and the leaning is so strong."""
    weights: Rows = np.clip(-slopes @ lean, -STEEPEST, STEEPEST)
    return weights


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
