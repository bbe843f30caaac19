"""Images that a trained network is shown: files, folders and arrays, made as those that it was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers import npz
from amla.tasks.readers.folders import SUFFIXES, batches, images_in
from amla.tasks.readers.images import Album, Picture, chunks
from amla.tasks.readers.resizing import resized
from amla.tasks.readers.source import listed

_NAMES = ("images", "x", "x_test")  # of arrays in an archive, in the order in which they are looked for
_CHUNK = 1024
_LUMA = np.array((299, 587, 114))  # thousandths of red, green and blue in grey (ITU-R BT.601), as decoders take them


@dataclass(frozen=True, eq=False)
class Shown:
    """Some images (k, height, width, channels), what each is called, and the names of those that cannot be read."""

    names: tuple[str, ...]
    inputs: NDArray[np.uint8]
    unreadable: tuple[str, ...] = ()


def shown(paths: Sequence[Path], shape: tuple[int, ...]) -> Iterator[Shown]:
    """Yield the images at `paths` in order, a few at a time, as a network of inputs `shape` takes them.

    A path is an image file, a folder of such, or an .npz file. Raises DataError for what is none of these.
    """
    pictures: list[Picture] = []
    for path in paths:
        if path.is_file() and path.suffix == ".npz":
            yield from _files(pictures, shape)
            pictures = []
            yield from _archive(path, shape)
        else:
            pictures += [Picture(str(file), file) for file in _found(path)]
    yield from _files(pictures, shape)


def arrays(
    images: NDArray[Any], shape: tuple[int, ...], name: str = "images", address: str = "array"
) -> NDArray[np.uint8]:
    """Return images (n, height, width) or (n, height, width, channels) as a network of inputs `shape` takes them.

    Floating-point numbers that go up to 1 are shares of 255, as in training. `name` and `address` are for messages.
    Raises DataError for what are no images.
    """
    _check_images(shape)
    axis, scale = npz.channel_axis(address, name, images), npz.scales(address, {name: images})[name]
    made = np.empty((len(images), *shape[1:], shape[0]), np.uint8)
    for start in range(0, len(images), _CHUNK):
        part = npz.converted(axis, scale, images[start : start + _CHUNK])
        made[start : start + _CHUNK] = resized(_coloured(np.ascontiguousarray(part), shape[0]), (shape[1], shape[2]))
    return made


def _found(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise DataError(f"There is no file and no folder {str(path)!r}. Name images, folders of images, or .npz files.")
    files = images_in(path)
    if not files:
        raise DataError(f"{str(path)!r} has no images in it ({', '.join(SUFFIXES)}).")
    return files


def _files(pictures: list[Picture], shape: tuple[int, ...]) -> Iterator[Shown]:
    if not pictures:
        return
    _check_images(shape)
    album = Album(np.arange(len(pictures)), partial(batches, pictures))
    for chunk in chunks(album, (shape[1], shape[2], shape[0])):
        yield Shown(tuple(pictures[i].name for i in chunk.labels.tolist()), chunk.inputs, chunk.unreadable)


def _archive(path: Path, shape: tuple[int, ...]) -> Iterator[Shown]:
    try:
        present = npz.all_names(path)
    except Exception:  # a damaged archive raises nearly anything; the reader says what is wrong
        present = ["images"]
    name = next((name for name in _NAMES if name in present), present[0] if len(present) == 1 else None)
    if name is None:
        raise DataError(
            f"{str(path)!r} holds {listed(present) or 'nothing'}; call the images to be looked at 'images'."
        )
    found = npz.arrays(path, (name,))[name]
    inputs = arrays(found, shape, name, str(path))
    for start in range(0, len(inputs), _CHUNK):
        part = inputs[start : start + _CHUNK]
        yield Shown(tuple(f"{path}[{start + i}]" for i in range(len(part))), part)


def _coloured(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Return images with so many channels: grey becomes RGB, and RGB grey, as in the decoding of files."""
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return images.repeat(3, axis=3)
    grey: NDArray[np.uint8] = ((images * _LUMA).sum(axis=3, keepdims=True) / 1000 + 0.5).astype(np.uint8)
    return grey


def _check_images(shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise DataError(f"The network reads inputs of {'x'.join(map(str, shape))}, which no image files hold.")
