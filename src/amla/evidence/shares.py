"""Shares of what was counted, and how sure they are."""

from math import sqrt

Z = 1.959964  # of the standard normal distribution, for 95 %


def wilson(right: int, examples: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share (Wilson 1927), which is sound near 0 and 1 and for few examples."""
    share, square = right / examples, Z * Z / examples
    middle = (share + square / 2) / (1 + square)
    half = Z * sqrt(share * (1 - share) / examples + square / (4 * examples)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
