"""How well classes are told apart where each counts the same, however many examples it has."""

from collections.abc import Sequence


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
