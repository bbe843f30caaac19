"""Series of numbers that a source holds as arrays: as long as one another, checked against their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers.labels import Column, class_indices
from amla.tasks.readers.source import Chunk, Contents, Frame, Part, Stream

_CHUNK = 1024


def contents(
    address: str, series: Mapping[Part, tuple[str, NDArray[Any]]], columns: Mapping[Part, Column], *, size: Frame | None
) -> Contents:
    """The dataset that arrays (n, channels, time) and labels make; (n, time) has one channel. Each has a name.

    Examples are float32, (time, channels). Raises DataError where a part is empty, has other than one label for each
    series, is of another shape than the training part, or has what is no finite number, and if a `size` is given.
    """
    if size is not None:
        raise DataError(
            f"size is {size.size}, but {address!r} holds series, which keep their length. Leave the size out."
        )
    arrays = {part: three_axes(address, name, array) for part, (name, array) in series.items()}
    for part, array in arrays.items():
        _check(address, series[part][0], array, arrays["train"], columns[part])
    classes, labels = class_indices(columns)
    _, channels, time = arrays["train"].shape
    streams = {part: Stream(len(array), partial(_chunks, array, labels[part])) for part, array in arrays.items()}
    numbers = labels["train"].dtype.kind == "f"
    return Contents(address, classes, (time, channels), streams, dtype="<f4", numbers=numbers)


def three_axes(address: str, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Series as (n, channels, time). Raises DataError for arrays of other than two or three axes, or of no numbers."""
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{name} of {address!r} holds {array.dtype} values, but series are of numbers. Store numbers in it."
        )
    if array.ndim not in (2, 3):
        raise DataError(
            f"{name} of {address!r} has shape {array.shape}, but series are (n, channels, time), or (n, time) for one "
            "channel. Store them like that."
        )
    return array[:, None] if array.ndim == 2 else array


def converted(array: NDArray[Any]) -> NDArray[np.float32]:
    """Series (n, channels, time) as networks' inputs are kept: (n, time, channels), float32."""
    return np.ascontiguousarray(array.transpose(0, 2, 1), dtype=np.float32)


def check_finite(address: str, name: str, array: NDArray[Any]) -> None:
    """Raise DataError for the first series that has what is no number that 32 bits hold."""
    with np.errstate(over="ignore"):
        right = np.isfinite(array.astype(np.float32)).all(axis=(1, 2))
    for position in np.flatnonzero(~right)[:1]:
        raise DataError(
            f"{name}[{position}] of {address!r} has a value that is missing (NaN) or too large. Fill what is missing, "
            "or leave the series out."
        )


def _check(address: str, name: str, array: NDArray[Any], train: NDArray[Any], column: Column) -> None:
    if not array.size:
        raise DataError(
            f"{name} of {address!r} has shape {array.shape}: there is no series in it. Fill it, or leave that part out."
        )
    if len(array) != len(column.values):
        raise DataError(
            f"{name} of {address!r} has {len(array):,} series, but {column.name} has {len(column.values):,} labels. "
            "There must be one label for each series."
        )
    if array.shape[1:] != train.shape[1:]:
        raise DataError(
            f"{name} of {address!r} has {array.shape[1]} channels of {array.shape[2]:,} values, but the training part "
            f"{train.shape[1]} of {train.shape[2]:,}. Make all alike."
        )
    check_finite(address, name, array)


def _chunks(array: NDArray[Any], labels: NDArray[Any]) -> Iterator[Chunk]:
    for start in range(0, len(labels), _CHUNK):
        yield Chunk(converted(array[start : start + _CHUNK]), labels[start : start + _CHUNK])
