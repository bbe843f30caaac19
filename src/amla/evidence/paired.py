"""Two ways of doing the same, run with the same seeds: the difference, its interval, and how likely chance makes it.

The test is the exact sign-flip permutation test (Fisher 1935): where both are alike, each difference is as likely to
point the other way. With n pairs the least p, of two sides, is 2 / 2^n: fewer than six can never tell at 5 %.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amla.spec.values import value

EXACT = 16  # pairs, up to which all ways of choosing signs are counted
DRAWS = 100_000  # of signs, beyond that; the standard error of a p of 0.05 is 0.0007
CHUNK = 10_000  # of them at once, so that hundreds of pairs take little memory
SMALL = 20  # pairs, below which an interval is Student's: the bootstrap's is too narrow then (docs/log.md)
RESAMPLES = 9_999
LEVEL = 0.95
TIE = 1e-12  # what rounding does to sums that are equal


@value
class Difference:
    """By how much the first of two is better: the mean over `n` pairs, its 95 % interval, and p of two sides.

    `wins` counts the pairs in which the first is better, `ties` those in which they are equal.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int
    wins: int
    ties: int


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """Return by how much `ours` are better than `theirs`, pair by pair. Raises ValueError unless there are as many."""
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{len(ours)} and {len(theirs)} numbers are no pairs; give as many of both, at least one.")
    apart = np.asarray(ours, float) - np.asarray(theirs, float)
    low, high = interval(apart)
    wins, ties = int((apart > 0).sum()), int((apart == 0).sum())
    return Difference(float(apart.mean()), low, high, sign_flip(apart), len(apart), wins, ties)


def sign_flip(apart: Sequence[float] | NDArray[np.float64]) -> float:
    """Return how often a mean as far from 0 comes about if the sign of each difference is drawn by a coin."""
    sizes = np.asarray(apart, float)
    n, found = len(sizes), abs(float(np.sum(sizes)))
    if n <= EXACT:
        coins = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1  # the first sign is fixed: the rest mirrors
        sums = np.abs((1 - 2 * coins) @ sizes)
        return float((sums >= found - TIE * max(1.0, found)).mean())
    rng, extreme = np.random.default_rng(0), 0
    for _ in range(DRAWS // CHUNK):
        coins = rng.integers(0, 2, (CHUNK, n), dtype=np.int8)
        sums = np.abs((1 - 2.0 * coins) @ sizes)
        extreme += int((sums >= found - TIE * max(1.0, found)).sum())
    return (1 + extreme) / (1 + DRAWS)


def interval(numbers: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a sample: Student's where it is small, else the bootstrap's, BCa.

    Of a single number, it is without bounds. BCa is that of Efron (1987).
    """
    sample = np.asarray(numbers, float)
    middle, n = float(sample.mean()), len(sample)
    if n < 2:
        return -np.inf, np.inf
    spread = float(sample.std(ddof=1))
    if float(np.ptp(sample)) <= TIE * max(1.0, abs(middle)):  # equal numbers, whose mean may be rounded
        return middle, middle
    from scipy import stats

    if n < SMALL:
        half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * spread / n**0.5
        return middle - half, middle + half
    found = stats.bootstrap(
        (sample,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method="BCa", rng=np.random.default_rng(0)
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def holm(ps: Sequence[float]) -> list[float]:
    """Return p adjusted for being one of several, in their order (Holm 1979): the least is taken as often as there are.

    The chance of any false alarm among all of them is then what an adjusted p says.
    """
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted, worst = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = worst
    return adjusted
