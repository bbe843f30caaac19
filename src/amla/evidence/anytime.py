"""How good the best so far is after so much was spent: several runs as one curve, with the quartiles around it."""

from collections.abc import Sequence

import numpy as np

from amla.spec.values import value

POINTS = 80  # of a curve, at which runs are read

Step = tuple[float, float]  # spent, and the best from there on


@value
class Anytime:
    """Median and quartiles over `runs` of the best so far, after each amount of `spent`.

    It begins where all runs have something, and ends where the longest one does; a run that has ended keeps its best.
    `area` is the mean of the median over what was spent: the higher, the better or the earlier.
    """

    spent: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    area: float
    runs: int


def anytime(runs: Sequence[Sequence[Step]], until: float | None = None) -> Anytime | None:
    """Return the curve of several runs, `until` so much was spent; None if not all runs have a step by then."""
    if not runs or not all(runs):
        return None
    first = max(run[0][0] for run in runs)
    last = max(run[-1][0] for run in runs) if until is None else until
    if first > last:
        return None
    places = np.unique(np.concatenate(([first], np.linspace(first, last, POINTS), [last])))
    read = np.array([_read(run, places) for run in runs])
    low, median, high = np.quantile(read, (0.25, 0.5, 0.75), axis=0)
    width = last - first
    area = float(np.sum(np.diff(places) * median[:-1]) / width) if width else float(median[0])
    return Anytime(
        tuple(places.tolist()), tuple(median.tolist()), tuple(low.tolist()), tuple(high.tolist()), area, len(runs)
    )


def _read(run: Sequence[Step], places: np.ndarray) -> np.ndarray:
    spent, best = np.array([step[0] for step in run]), np.array([step[1] for step in run])
    found: np.ndarray = best[np.clip(np.searchsorted(spent, places, side="right") - 1, 0, None)]
    return found
