"""How many runs it takes: for a difference as large as the one seen, or to be able to tell anything at all."""

from collections.abc import Sequence
from math import ceil, log2

import numpy as np

LEVEL, POWER = 0.05, 0.8
Z_LEVEL, Z_POWER = 1.959964, 0.841621  # of the standard normal distribution, for two sides of 5 %, and for 80 %
MOST = 100_000  # runs; where more would be needed, none will do


def least(family: int = 1) -> int:
    """Return with how many pairs the sign-flip test can tell anything, as one of a `family` of tests (Holm)."""
    return ceil(log2(2 * family / LEVEL))


def needed(apart: Sequence[float], family: int = 1) -> int | None:
    """Return how many pairs would tell a true difference as large as that of these pairs, four times out of five.

    By the normal approximation, n = ((z_level + z_power) sd / mean)^2, at the level that is left to one of a `family`
    of tests; never fewer than `least`. None where there is no difference to tell.
    """
    sample = np.asarray(apart, float)
    middle = abs(float(sample.mean()))
    if len(sample) < 2 or middle == 0.0:
        return None
    from scipy import stats

    z = float(stats.norm.ppf(1 - LEVEL / family / 2)) if family > 1 else Z_LEVEL
    n = ceil(((z + Z_POWER) * float(sample.std(ddof=1)) / middle) ** 2)
    return max(n, least(family)) if n <= MOST else None
