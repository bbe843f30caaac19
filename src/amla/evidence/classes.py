"""How well classes are told apart where each counts the same, however many examples it has."""

from collections.abc import Sequence
from math import hypot


def balanced_accuracy(right: Sequence[float], examples: Sequence[float]) -> float:
    """Return the mean over classes of the share of their examples that are right (Brodersen et al. 2010).

    Both are by class; a class without examples does not count. NaN where none has any.
    """
    shares = [hits / number for hits, number in zip(right, examples, strict=True) if number]
    return sum(shares) / len(shares) if shares else float("nan")


def macro_f1(right: Sequence[float], examples: Sequence[float], said: Sequence[float]) -> float:
    """Return the mean over classes of F1, the harmonic mean of precision and recall (Sokolova and Lapalme 2009).

    By class: how many were right, how many there are, and how many were said to be of it. A class without examples
    does not count. NaN where none has any.
    """
    scores = [2 * hits / (number + told) for hits, number, told in zip(right, examples, said, strict=True) if number]
    return sum(scores) / len(scores) if scores else float("nan")


def mean_interval(shares: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Return the interval of the mean of independent shares, each with the limits of its own: (share, low, high).

    By recovering variances from those limits (MOVER: Zou and Donner 2008, equation 3), so that it is within 0 and 1
    and sound where theirs are. Raises ValueError for none.
    """
    if not shares:
        raise ValueError("There are no shares; give the share and the limits of one class or more.")
    mean = sum(share for share, _, _ in shares) / len(shares)
    below = hypot(*(share - low for share, low, _ in shares)) / len(shares)
    above = hypot(*(high - share for share, _, high in shares)) / len(shares)
    return max(0.0, mean - below), min(1.0, mean + above)
