"""What a trained network is shown: files, folders and arrays, made into inputs as those that it was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.cropping import middle
from amla.tasks.dataset import DataError
from amla.tasks.readers import npz, parquet, series, sounds, ucr
from amla.tasks.readers.axes import channels_of
from amla.tasks.readers.folders import IMAGES, RECORDINGS, Kind, batches, files_in
from amla.tasks.readers.images import Album, chunks
from amla.tasks.readers.resizing import resized
from amla.tasks.readers.source import Chunk, Frame, Picture, Size, listed
from amla.tasks.sound import Sound

_NAMES = ("images", "x", "x_test", "x_val", "x_valid", "x_validation", "x_train")  # in an archive, the first counts
_SERIES = ("series", "series_test", "series_val", "series_validation", "series_train")
_CHUNK = 1024
_LUMA = np.array((299, 587, 114))  # thousandths of red, green and blue in grey (ITU-R BT.601), as decoders take them


@dataclass(frozen=True, eq=False)
class Shown:
    """Some inputs (k, *spatial, channels), what each is called, and the names of those that cannot be read."""

    names: tuple[str, ...]
    inputs: NDArray[Any]
    unreadable: tuple[str, ...] = ()


def shown(
    paths: Sequence[Path], shape: tuple[int, ...], canvas: Size | None = None, sound: Sound | None = None
) -> Iterator[Shown]:
    """Yield the images or series at `paths` in order, a few at a time, as a network of inputs `shape` takes them.

    With a `canvas`, of (height, width), images are scaled to cover it, and their middle is taken. With `sound`,
    recordings become spectrograms by it.

    A path is an image file, a folder of such, a parquet file of images or a folder of such, or an .npz file, of which
    one array is looked at: rather what is to be looked at or tested on than what was trained on. With series, an .npz
    file or one of the UCR archive, whose labels are not looked at; with `sound`, a recording, a folder of such, or an
    .npz file of spectrograms. Raises DataError for what is none of these.
    """
    if _is_series(shape) and sound is None:
        for path in paths:
            yield from _named(path, arrays(_series(path), shape, "series", str(path)))
        return
    kind = RECORDINGS if sound else IMAGES
    given: list[Picture] = []
    for path in paths:
        if path.is_file() and path.suffix == ".npz":
            yield from _files(given, shape, canvas, sound)
            given = []
            yield from _archive(path, shape, canvas)
        elif rows := _rows(path, kind):
            yield from _files(given, shape, canvas, sound)
            given = []
            yield from _of_album(rows, shape, canvas, sound)
        else:
            given += [Picture(str(file), file) for file in _found(path, kind)]
    yield from _files(given, shape, canvas, sound)


def arrays(
    images: NDArray[Any],
    shape: tuple[int, ...],
    name: str = "images",
    address: str = "array",
    canvas: Size | None = None,
) -> NDArray[Any]:
    """Return images (n, height, width) or (n, height, width, channels) as a network of inputs `shape` takes them.

    Floating-point numbers that go up to 1 are shares of 255, as in training. A network that reads series takes
    (n, channels, time), or (n, time) if it has one channel. `name` and `address` are for messages. Raises DataError for
    what are no images, or no such series.
    """
    if _is_series(shape):
        return _as_series(images, shape, name, address)
    axis, scale = _axis(images, shape, name, address), npz.scales(address, {name: images})[name]
    made = np.empty((len(images), *shape[1:], shape[0]), np.uint8)
    frame = _frame(shape, canvas)
    for start in range(0, len(images), _CHUNK):
        part = npz.converted(axis, scale, images[start : start + _CHUNK])
        some = resized(np.ascontiguousarray(_coloured(part, shape[0], name, address)), frame)
        made[start : start + _CHUNK] = middle(some, (shape[1], shape[2]))
    return made


def _frame(shape: tuple[int, ...], canvas: Size | None) -> Frame:
    return Frame(shape[1], shape[2]) if canvas is None else Frame(*canvas, cover=True)


def _found(path: Path, kind: Kind) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise DataError(
            f"There is no file and no folder {str(path)!r}. Name {kind.called}, folders of such, or .npz files."
        )
    files = files_in(path, kind)
    if not files:
        raise DataError(f"{str(path)!r} has no {kind.called} in it ({', '.join(kind.suffixes)}).")
    return files


def _files(given: list[Picture], shape: tuple[int, ...], canvas: Size | None, sound: Sound | None) -> Iterator[Shown]:
    if given:
        yield from _of_album(Album(np.arange(len(given)), partial(batches, given)), shape, canvas, sound)


def _rows(path: Path, kind: Kind) -> Album | None:
    """Return the images in parquet files at a path; None where there are none, or image files beside them."""
    if kind != IMAGES or (path.is_dir() and files_in(path, kind)):
        return None
    files = parquet.files_of(path) if path.exists() else []
    return parquet.unlabelled(files) if files else None


def _of_album(album: Album, shape: tuple[int, ...], canvas: Size | None, sound: Sound | None) -> Iterator[Shown]:
    for chunk in sounds.chunks(album, sound) if sound else _images(album, shape, canvas):
        yield Shown(tuple(picture.name for picture in chunk.pictures), chunk.inputs, chunk.unreadable)


def _images(album: Album, shape: tuple[int, ...], canvas: Size | None) -> Iterator[Chunk]:
    _check_images(shape)
    for chunk in chunks(album, _frame(shape, canvas), shape[0]):
        yield replace(chunk, inputs=middle(chunk.inputs, (shape[1], shape[2])))


def _archive(path: Path, shape: tuple[int, ...], canvas: Size | None) -> Iterator[Shown]:
    name, found = _of_archive(path, _SERIES if _is_series(shape) else _NAMES)
    yield from _named(path, arrays(found, shape, name, str(path), canvas))


def _of_archive(path: Path, names: Sequence[str]) -> tuple[str, NDArray[Any]]:
    """Return the array of an archive that has one of these names, or is the only one, and its name."""
    try:
        present = npz.all_names(path)
    except Exception:  # a damaged archive raises nearly anything; the reader says what is wrong
        present = [names[0]]
    name = next((name for name in names if name in present), present[0] if len(present) == 1 else None)
    if name is None:
        raise DataError(
            f"{str(path)!r} holds {listed(present) or 'nothing'}; call the {names[0]} to be looked at {names[0]!r}."
        )
    return name, npz.arrays(path, (name,))[name]


def _named(path: Path, inputs: NDArray[Any]) -> Iterator[Shown]:
    for start in range(0, len(inputs), _CHUNK):
        part = inputs[start : start + _CHUNK]
        yield Shown(tuple(f"{path}[{start + i}]" for i in range(len(part))), part)


def _is_series(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2


def _series(path: Path) -> NDArray[Any]:
    if path.is_file() and path.suffix == ".npz":
        return _of_archive(path, _SERIES)[1]
    if path.is_file() and path.suffix in ucr.SUFFIXES:
        return ucr.read(path)[0]
    raise DataError(f"{str(path)!r} is no file of series. Name .npz files, or {', '.join(ucr.SUFFIXES)}.")


def _as_series(given: NDArray[Any], shape: tuple[int, ...], name: str, address: str) -> NDArray[np.float32]:
    found = series.three_axes(address, name, given)
    if found.shape[1:] != shape:
        raise DataError(
            f"{name} of {address!r} has {found.shape[1]} channels of {found.shape[2]:,} values; the network reads "
            f"{shape[0]} of {shape[1]:,}."
        )
    series.check_finite(address, name, found)
    return series.converted(found)


def _axis(images: NDArray[Any], shape: tuple[int, ...], name: str, address: str) -> int | None:
    """Return which axis holds the channels: that which makes images as the network reads them, or by their shape."""
    channels, *extents = shape
    fitting = [axis for axis, of in ((3, (*extents, channels)), (1, shape)) if images.shape[1:] == of]
    return fitting[0] if fitting else channels_of(address, name, images).axis


def _coloured(images: NDArray[np.uint8], channels: int, name: str, address: str) -> NDArray[np.uint8]:
    """Return images with so many channels: grey becomes RGB, and RGB grey, as in the decoding of files."""
    found = images.shape[3]
    if found == channels:
        return images
    if channels == 3 and found == 1:
        return images.repeat(3, axis=3)
    if channels == 3 and found == 4:  # without how opaque they are
        return images[..., :3]
    if channels == 1 and found in (3, 4):
        grey: NDArray[np.uint8] = ((images[..., :3] * _LUMA).sum(axis=3, keepdims=True) / 1000 + 0.5).astype(np.uint8)
        return grey
    raise DataError(
        f"{name} of {address!r} has images of {found} channels, but the network reads {channels}. Give it images like "
        "those that it was trained on."
    )


def _check_images(shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise DataError(
            f"The network reads inputs of {'x'.join(map(str, shape))}, which no image files hold. Give it an .npz file "
            "of such."
        )
