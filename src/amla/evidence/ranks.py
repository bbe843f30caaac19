"""Several ways over several tasks: mean ranks, whether they differ at all, and which cannot be told apart.

Demšar (2006): Friedman's test, then Nemenyi's critical difference of mean ranks.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from amla.spec.values import value

LEVEL = 0.05


@value
class Ranking:
    """Mean ranks over `tasks`, 1 being best; Friedman's p; and groups whose ranks differ by less than the `critical`.

    `critical` is Nemenyi's, at 5 %. `groups` are the largest ones, of two or more, the best first.
    """

    ranks: Mapping[str, float]
    p: float
    critical: float
    groups: tuple[tuple[str, ...], ...]
    tasks: int


def ranking(scores: Mapping[str, Sequence[float]]) -> Ranking | None:
    """Return the ranking of ways by their score on each task, more being better; None below three tasks or ways.

    Friedman's test is not to be trusted below about ten tasks; it is given all the same, with how many there were.
    """
    names = list(scores)
    table = np.array([scores[name] for name in names], float).T  # tasks, ways
    if len(names) < 3 or len(table) < 3:
        return None
    from scipy import stats

    ranked = stats.rankdata(-table, axis=1)
    tasks, ways = table.shape
    p = 1.0 if (ranked == ranked[:, :1]).all() else float(stats.friedmanchisquare(*table.T).pvalue)
    spread = float(stats.studentized_range.ppf(1 - LEVEL, ways, np.inf)) / 2**0.5
    critical = spread * (ways * (ways + 1) / (6 * tasks)) ** 0.5
    means = dict(sorted(zip(names, ranked.mean(axis=0).tolist(), strict=True), key=lambda pair: pair[1]))
    return Ranking(means, p, critical, _groups(means, critical), tasks)


def _groups(means: Mapping[str, float], critical: float) -> tuple[tuple[str, ...], ...]:
    names = list(means)
    found: list[tuple[int, int]] = []
    for first, name in enumerate(names):
        last = max(place for place, other in enumerate(names) if means[other] - means[name] < critical)
        if last > first and not (found and found[-1][1] >= last):
            found.append((first, last))
    return tuple(tuple(names[first : last + 1]) for first, last in found)
