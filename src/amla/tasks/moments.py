"""Means and standard deviations of data, by which inputs, and numbers that are to be predicted, are standardised."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.inputs import Inputs, in_turn

CHUNK = 4096  # examples summed up at once
Moments = tuple[tuple[float, ...], tuple[float, ...]]  # means, and deviations, 1 in place of 0


def of_channels(inputs: Inputs, sums: NDArray[np.int64] | None = None) -> Moments:
    """Return the moments of every channel of (n, *spatial, channels), in its units.

    `sums` (n, 2, channels) are those of the elements of each input and of their squares, where they are known.
    """
    if sums is not None:
        total, square = sums.sum(0).astype(np.float64)
    else:
        total, square = np.zeros(inputs.shape[-1]), np.zeros(inputs.shape[-1])
        for some in in_turn(inputs, CHUNK):
            chunk, axes = some.astype(np.float64), tuple(range(some.ndim - 1))
            total += chunk.sum(axes)
            square += (chunk * chunk).sum(axes)
    count = prod(inputs.shape[:-1])
    mean = total / count
    return _told(mean, np.sqrt(np.maximum(square / count - mean * mean, 0)))


def of_columns(labels: NDArray[Any]) -> Moments:
    """Return the moments of every column of (n, targets)."""
    return _told(labels.mean(0), labels.std(0))


def _told(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Moments:
    return tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist())
