"""What is better by several objectives at once: layers of networks that none of their layer or below dominates.

Points are rows of numbers that should all be low, infinite where a trial has none.
"""

from collections.abc import Iterable, Sequence
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from amla.algorithms.protocol import reached
from amla.trials.trial import Measurement, Trial

Points = NDArray[np.float64]


def points(trials: Iterable[Trial], metric: str, costs: Sequence[str]) -> Points:
    """Return a row for each trial: minus its metric, then its costs, which are metrics too."""
    return np.array([[-reached(trial, metric), *(_cost(trial, cost) for cost in costs)] for trial in trials])


def front(trials: Iterable[Trial], metric: str, costs: Sequence[str]) -> list[Trial]:
    """Return the trials that no other dominates, that of the best metric first; of equals, the first."""
    rivals = {tuple(row): trial for trial in reversed(list(trials)) for row in points([trial], metric, costs).tolist()}
    found = np.array([row for row in rivals if all(map(isfinite, row))])
    first = layers(found)[0] if len(found) else []
    return [rivals[row] for row in sorted(tuple(found[place].tolist()) for place in first)]


def layers(found: Points) -> list[list[int]]:
    """Return the rows that no other dominates, then those that only rows of layers before do, and so on.

    A row dominates another if it is nowhere higher and somewhere lower (fast non-dominated sort, Deb et al. 2002).
    """
    no_higher = np.all(found[:, None, :] <= found[None, :, :], axis=2)
    dominates = np.logical_and(no_higher, ~no_higher.T)
    above, left, sorted_out = dominates.sum(axis=0), np.ones(len(found), bool), list[list[int]]()
    while left.any():
        layer = np.flatnonzero(left & (above == 0))
        above -= dominates[layer].sum(axis=0)
        left[layer] = False
        sorted_out.append(layer.tolist())
    return sorted_out


def crowding(found: Points) -> list[float]:
    """Return how far each row's neighbours on both sides are apart, summed over objectives; infinite at the ends."""
    distance = np.zeros(len(found))
    for column in found.T:
        order = np.argsort(column, kind="stable")
        ends = column[order]
        extent = ends[-1] - ends[0]
        distance[order[[0, -1]]] = inf
        if extent > 0:
            distance[order[1:-1]] += (ends[2:] - ends[:-2]) / extent
    return distance.tolist()


def spread(found: Points) -> list[int]:
    """Return the rows in the order of an epsilon-net: the lowest first, then the one farthest from all before it.

    Distances are Euclidean, in units of the extent of each objective (Schmucker et al. 2021, section 4).
    """
    if not len(found):
        return []
    extent = np.ptp(found, axis=0)
    scaled = (found - found.min(axis=0)) / np.where(extent > 0, extent, 1.0)
    order = [int(np.lexsort(found.T[::-1])[0])]
    nearest = np.full(len(found), inf)
    while len(order) < len(found):
        nearest = np.minimum(nearest, np.linalg.norm(scaled - scaled[order[-1]], axis=1))
        nearest[order] = -1.0
        order.append(int(nearest.argmax()))
    return order


def _cost(trial: Trial, cost: str) -> float:
    found = trial.outcome.metrics.get(cost, inf) if isinstance(trial.outcome, Measurement) else inf
    return found if isfinite(found) else inf
