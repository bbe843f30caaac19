"""The inputs of examples: an array, or what reads some of its rows when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol, TypeGuard
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 2**24  # elements that are looked at together, where all are looked at one after another


class Inputs(Protocol):
    """Examples as an array has them, (n, *spatial, channels), of which some are read at a time.

    An index is a slice or an array of positions, and gives an array in memory. Reading raises DataError or OSError
    where the data are not any more what they were.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *spatial, channels)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the elements."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> NDArray[Any]: ...


class Filed:
    """The rows of a memory-mapped .npy file, read from the file instead: into memory comes only what is asked for.

    Pages of a mapped file that were touched count as the process's memory, and fetching a page is slower than reading
    a row. Needs `os.preadv`; see `can_be_filed`.
    """

    def __init__(self, mapped: np.memmap[Any, Any]) -> None:
        self.shape: tuple[int, ...] = mapped.shape
        self.dtype: np.dtype[Any] = mapped.dtype
        self._path, self._start = Path(str(mapped.filename)), mapped.offset
        self._bytes = prod(mapped.shape[1:]) * mapped.dtype.itemsize
        self._file = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        places = positions(index, len(self))
        rows = np.empty((len(places), *self.shape[1:]), self.dtype)
        if not rows.size:
            return rows
        flat = rows.reshape(len(places), -1).view(np.uint8)
        for start, stop in _runs(places):
            self._fill(flat[start:stop].reshape(-1), self._start + int(places[start]) * self._bytes)
        return rows

    def _fill(self, into: NDArray[np.uint8], offset: int) -> None:
        """Read all bytes from an offset on, of which one call may read fewer (Linux: never more than 2 GiB)."""
        done = 0
        while done < len(into):
            read = os.preadv(self._file, [into[done:].data], offset + done)
            if not read:
                raise OSError(
                    f"'{self._path}' ends after {offset + done:,} bytes, {len(into) - done:,} before the examples that "
                    "are read do: it has become shorter since it was opened. It must not be changed."
                )
            done += read


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some examples of others, (n,) positions, which stay where they are."""

    of: Inputs
    places: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *spatial, channels)."""
        return (len(self.places), *self.of.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the elements."""
        return self.of.dtype

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        return self.of[self.places[positions(index, len(self))]]


@dataclass(frozen=True, eq=False)
class Joined:
    """Some examples and others after them, which stay where they are."""

    first: Inputs
    second: Inputs

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, *spatial, channels)."""
        return (len(self), *self.first.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the elements."""
        return self.first.dtype

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        places = positions(index, len(self))
        before = places < len(self.first)
        rows = np.empty((len(places), *self.shape[1:]), self.dtype)
        for source, here, shift in ((self.first, before, 0), (self.second, ~before, len(self.first))):
            if here.any():
                rows[here] = source[places[here] - shift]
        return rows


def _runs(places: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of the stretches of positions that follow on one another."""
    ends = np.flatnonzero(np.diff(places) != 1) + 1
    yield from zip([0, *ends.tolist()], [*ends.tolist(), len(places)], strict=True)


def can_be_filed(inputs: Inputs) -> TypeGuard[np.memmap[Any, Any]]:
    """Whether a `Filed` can be made of inputs, on this system."""
    return isinstance(inputs, np.memmap) and inputs.filename is not None and hasattr(os, "preadv")


def positions(index: Any, count: int) -> NDArray[np.int64]:
    """The positions that an index of `count` rows means, 0 or more each. Raises IndexError for those beyond."""
    if isinstance(index, slice):
        return np.arange(*index.indices(count), dtype=np.int64)
    places = np.asarray(index, np.int64)
    if len(places) and not -count <= places.min() <= places.max() < count:
        raise IndexError(f"There are {count} examples; asked for are {places.min()} to {places.max()}.")
    return np.where(places < 0, places + count, places)


def in_turn(inputs: Inputs, most: int) -> Iterator[NDArray[Any]]:
    """Yield all of the inputs as arrays, `most` examples at a time, or fewer where these are large."""
    step = max(1, min(most, AT_ONCE // max(1, prod(inputs.shape[1:]))))
    for start in range(0, len(inputs), step):
        yield inputs[start : start + step]
