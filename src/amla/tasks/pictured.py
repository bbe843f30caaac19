"""Images that are decoded anew whenever they are read, by several threads: nothing decoded is kept."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.inputs import Filed, Inputs, can_be_filed, positions
from amla.tasks.readers.images import THREADS, decoded
from amla.tasks.readers.source import Frame, Picture


def packed(picture: Picture) -> bytes:
    """Return a picture as bytes: its name and, after a zero, the encoded image; of a file its name alone."""
    name = os.fsencode(picture.name)
    return name + b"\0" + picture.data if isinstance(picture.data, bytes) else name


class Pictured:
    """Encoded images, `packed` one after another (bytes,), of which each ends at (n,) `ends`.

    They become images of a frame with 1 channel or 3. Files lie in the folder `root`. Reading raises DataError for an
    image that could be decoded once, and cannot be now.
    """

    dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __init__(
        self, pictures: NDArray[np.uint8], ends: NDArray[np.int64], root: Path | None, frame: Frame, channels: int
    ) -> None:
        self._packed: Inputs = Filed(pictures) if can_be_filed(pictures) else pictures
        self._ends, self._root, self._frame, self._channels = np.asarray(ends), root, frame, channels
        self.shape: tuple[int, ...] = (len(ends), *frame.size, channels)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any, /) -> NDArray[np.uint8]:
        pictures = [self._picture(place) for place in positions(index, len(self)).tolist()]
        rows = np.empty((len(pictures), *self.shape[1:]), np.uint8)
        images = decoded(pictures, self._frame, self._channels, self._pool if len(pictures) > 1 else None)
        for row, image, picture in zip(rows, images, pictures, strict=True):
            if image is None:
                raise DataError(
                    f"{picture.name!r} cannot be read any more, though it could when the data were first looked "
                    "through. Restore it, and start again: nothing that was done is lost."
                )
            row[:] = image
        return rows

    def _picture(self, place: int) -> Picture:
        start = int(self._ends[place - 1]) if place else 0
        name, zero, data = self._packed[start : int(self._ends[place])].tobytes().partition(b"\0")
        if zero:
            return Picture(os.fsdecode(name), data)
        return Picture(os.fsdecode(name), (self._root or Path()) / os.fsdecode(name))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS)
