"""Searches for several objectives at once, compared by the whole fronts that their runs leave.

A front is as good as what it dominates: the hypervolume between it and a corner that is worse than all of them. A front
that another one beats never dominates more (Zitzler et al. 2003). It is taken of every run by itself, so that
contenders are tested in pairs of seeds, as they are by accuracy.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from amla.comparison.pairs import Pair, pairs
from amla.comparison.record import Record
from amla.evidence.fronts import MARGIN, dominated, undominated
from amla.evidence.paired import interval
from amla.spec.values import Number, value

Front = tuple[tuple[float, ...], ...]  # of each network the metric, then its costs


@value
class Trade:
    """What the fronts of runs are worth on a task: shares, by contender and seed, of a box around all of them.

    The box is that of the networks that none of any run beats: from the best of them in every objective to a `corner`,
    in the order of a front's numbers, a tenth of their range beyond the worst (Ishibuchi et al. 2018). What lies beyond
    it counts nothing. `costs` are the objectives besides the metric. What was reached was `tested` where a table tells,
    else validated.
    """

    costs: tuple[str, ...]
    corner: tuple[float, ...]
    fronts: Mapping[str, Mapping[int, Front]]
    volumes: Mapping[str, Mapping[int, float]]
    means: Mapping[str, tuple[float, Number, Number]]
    pairs: tuple[Pair, ...]
    tested: bool


def trade(contenders: Sequence[str], costs: Sequence[str], by_name: Mapping[str, Mapping[int, Record]]) -> Trade | None:
    """Return what the fronts of those are worth that tried several networks; None where nobody goes by a cost."""
    several = {
        name: {seed: run.front for seed, run in sorted(runs.items()) if run.front and run.search.trials > 1}
        for name, runs in by_name.items()
    }
    fronts = {name: runs for name, runs in several.items() if runs}
    if not costs or not fronts:
        return None
    every = (_low(point) for runs in fronts.values() for front in runs.values() for point in front)
    rivals = np.array(undominated(every))
    best, extent = rivals.min(axis=0), np.ptp(rivals, axis=0)
    told = extent > 0  # where all are the same, an objective says nothing
    width = np.where(told, (1 + MARGIN) * extent, 1.0)
    volumes = {
        name: {seed: _share(front, best, width) for seed, front in runs.items()} for name, runs in fronts.items()
    }
    means = {name: (float(np.mean(list(of.values()))), *interval(list(of.values()))) for name, of in volumes.items()}
    tested = any(run.known for runs in by_name.values() for run in runs.values())
    corner = tuple(_low((best + width).tolist()))
    return Trade(tuple(costs), corner, fronts, volumes, means, pairs(contenders, volumes), tested)


def _low(point: Sequence[float]) -> list[float]:
    """Return the numbers of a front as numbers that should all be low, and the other way round."""
    return [-point[0], *point[1:]]


def _share(front: Front, best: np.ndarray, width: np.ndarray) -> float:
    rows = (np.array([_low(point) for point in front]) - best) / width
    return dominated(rows.tolist(), [1.0] * len(width))
