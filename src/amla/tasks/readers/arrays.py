"""Images that a source holds as arrays already: checked against their labels, and resized where asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers.labels import Column, class_indices
from amla.tasks.readers.resizing import resized, resizing_notices
from amla.tasks.readers.source import Chunk, Contents, Frame, Part, Size, Stream

_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Pixels:
    """The images of one part as its source has them, first axis the example; `name` and `address` are for messages.

    `convert` makes some of them (k, height, width, channels) uint8.
    """

    name: str
    address: str
    values: NDArray[Any]
    convert: Callable[[NDArray[Any]], NDArray[np.uint8]]

    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image, converted."""
        height, width, channels = self.convert(self.values[:1]).shape[1:]
        return height, width, channels


def contents(
    address: str,
    pixels: Mapping[Part, Pixels],
    columns: Mapping[Part, Column],
    *,
    size: Frame | None,
    classes: tuple[str, ...] | None = None,
    notices: tuple[str, ...] = (),
) -> Contents:
    """The dataset that these images and labels make.

    Raises DataError where a part is empty or has other than one label for each image, where images of one part have
    other channels than those of another, and for labels that are none.
    """
    for part, images in pixels.items():
        _check_lengths(images, columns[part])
    classes, labels = class_indices(columns, classes)
    channels = _common_channels(pixels)
    frame = size or Frame(*_sizes(pixels).most_common(1)[0][0])
    return Contents(
        address=address,
        classes=classes,
        shape=(*frame.size, channels),
        parts={
            part: Stream(len(images.values), partial(_chunks, images, labels[part], frame))
            for part, images in pixels.items()
        },
        notices=notices + resizing_notices(_sizes(pixels), frame.size),
        numbers=labels["train"].dtype.kind == "f",
    )


def _check_lengths(images: Pixels, column: Column) -> None:
    if not images.values.size:
        raise DataError(
            f"{images.name} of {images.address!r} has shape {images.values.shape}: there is no image in it. "
            "Fill it, or leave that part out."
        )
    if len(images.values) != len(column.values):
        raise DataError(
            f"{images.name} of {images.address!r} has {len(images.values):,} images, but {column.name} of "
            f"{column.address!r} has {len(column.values):,} labels. There must be one label for each image."
        )


def _common_channels(pixels: Mapping[Part, Pixels]) -> int:
    channels = {part: images.shape()[2] for part, images in pixels.items()}
    for part, images in pixels.items():
        if channels[part] != channels["train"]:
            raise DataError(
                f"{images.name} of {images.address!r} has {channels[part]} channel(s), but the training images have "
                f"{channels['train']}. Give all of them the same channels."
            )
    return channels["train"]


def _sizes(pixels: Mapping[Part, Pixels]) -> Counter[Size]:
    sizes: Counter[Size] = Counter()
    for images in pixels.values():
        sizes[images.shape()[:2]] += len(images.values)
    return sizes


def _chunks(images: Pixels, labels: NDArray[Any], frame: Frame) -> Iterator[Chunk]:
    for start in range(0, len(labels), _CHUNK):
        converted = images.convert(images.values[start : start + _CHUNK])
        yield Chunk(resized(np.ascontiguousarray(converted), frame), labels[start : start + _CHUNK])
