"""Encoded images (PNG, JPEG, BMP, GIF, WebP, TIFF) decoded to arrays of one shape; unreadable ones are named."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from amla.tasks.readers.resizing import fitted, resizing_notices
from amla.tasks.readers.source import Chunk, Contents, Frame, Part, Picture, Size, Stream, unreadable_notice

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
_GREY_MODES = ("1", "L", "LA", "La")
_BATCH = 256
_BATCH_BYTES = 32 * 2**20
THREADS = min(8, os.cpu_count() or 1)  # that decode files, at most
_THREADS_PAY_FROM = 128 * 128  # pixels; smaller images cost threads more waiting for each other than decoding

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Album:
    """One part of a dataset: labels (n,), and n pictures in the same order, in batches of at most so many.

    Of numbers that are to be predicted, labels are (n, targets).
    """

    labels: NDArray[Any]
    batches: Callable[[int], Iterator[Sequence[Picture]]]


@dataclass(frozen=True)
class _Survey:
    """What the pictures have in common, by their headers."""

    sizes: Counter[Size]
    grey: bool
    transparent: int  # pictures that have transparency


def contents(
    address: str,
    albums: Mapping[Part, Album],
    *,
    size: Frame | None,
    classes: tuple[str, ...],
    notices: tuple[str, ...] = (),
) -> Contents:
    """The dataset that these pictures make.

    Reads the header of every picture. All become grey (1 channel) where all are grey, else RGB, without transparency;
    all get `size`, or the size that most have. Raises DataError where too many cannot be read.
    """
    survey = _surveyed(address, albums)
    frame = size or Frame(*survey.sizes.most_common(1)[0][0])
    channels = 1 if survey.grey else 3
    threads = THREADS if _typical_pixels(survey) >= _THREADS_PAY_FROM else 1
    return Contents(
        address=address,
        classes=classes,
        shape=(*frame.size, channels),
        parts={
            part: Stream(len(album.labels), partial(chunks, album, frame, channels, threads))
            for part, album in albums.items()
        },
        notices=notices + _transparency_notices(survey) + resizing_notices(survey.sizes, frame.size),
        encoded=True,
        numbers=albums["train"].labels.dtype.kind == "f",
    )


def _surveyed(address: str, albums: Mapping[Part, Album]) -> _Survey:
    sizes: Counter[Size] = Counter()
    grey, transparent = True, 0
    unreadable: list[str] = []
    for album in albums.values():
        for batch, headers in _worked_through(album, _header, count=_BATCH, threads=1):
            for picture, header in zip(batch, headers, strict=True):
                if header is None:
                    unreadable.append(picture.name)
                else:
                    size, is_grey, is_transparent = header
                    sizes[size] += 1
                    grey, transparent = grey and is_grey, transparent + is_transparent
    if unreadable:
        unreadable_notice(unreadable, sum(len(album.labels) for album in albums.values()), address)
    return _Survey(sizes, grey, transparent)


def _transparency_notices(survey: _Survey) -> tuple[str, ...]:
    if not survey.transparent:
        return ()
    return (
        f"{survey.transparent:,} of {survey.sizes.total():,} images have transparency, which was left out: their "
        "colours count all the same. To keep it, make an .npz file of them, with four channels.",
    )


def _typical_pixels(survey: _Survey) -> float:
    pixels = sum(height * width * count for (height, width), count in survey.sizes.items())
    return pixels / survey.sizes.total()


def chunks(album: Album, frame: Frame, channels: int, threads: int = THREADS) -> Iterator[Chunk]:
    """The pictures of an album as images of a frame with 1 channel or 3, in chunks with their labels."""
    start = 0
    count = max(1, min(_BATCH, _BATCH_BYTES // (frame.height * frame.width * channels)))
    for batch, images in _worked_through(album, partial(_pixels, frame, channels), count=count, threads=threads):
        readable = [image for image in images if image is not None]
        kept = np.array([image is not None for image in images], dtype=np.bool_)
        yield Chunk(
            np.stack(readable) if readable else np.empty((0, *frame.size, channels), dtype=np.uint8),
            album.labels[start : start + len(batch)][kept],
            tuple(picture.name for picture, image in zip(batch, images, strict=True) if image is None),
            tuple(picture for picture, image in zip(batch, images, strict=True) if image is not None),
        )
        start += len(batch)


def decoded(
    pictures: Sequence[Picture], frame: Frame, channels: int, pool: Executor | None = None
) -> list[NDArray[np.uint8] | None]:
    """Pictures as images of a frame with 1 channel or 3, by the threads of a pool; None for what cannot be read.

    May be called in any thread: warnings, which belong to the whole process, are left as they are.
    """
    apply: Callable[..., Iterator[NDArray[np.uint8] | None]] = pool.map if pool else map
    return list(apply(partial(_attempt, partial(_pixels, frame, channels)), pictures))


def _worked_through(
    album: Album, work: Callable[[Image.Image], _Result], *, count: int, threads: int
) -> Iterator[tuple[Sequence[Picture], list[_Result | None]]]:
    """Batches of pictures with what `work` makes of each; None for those that cannot be read."""
    with ThreadPoolExecutor(threads) as pool:
        apply: Callable[..., Iterator[_Result | None]] = pool.map if threads > 1 else map
        for batch in album.batches(count):
            with _only_bombs_matter():
                results = list(apply(partial(_attempt, work), batch))
            yield batch, results


@contextmanager
def _only_bombs_matter() -> Iterator[None]:
    """Pillow warns of images of absurd size, which must not be decoded, and of much else, which is of no interest."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _attempt(work: Callable[[Image.Image], _Result], picture: Picture) -> _Result | None:
    from PIL import Image

    if picture.data is None:
        return None
    stream = BytesIO(picture.data) if isinstance(picture.data, bytes) else picture.data
    try:
        with Image.open(stream, formats=_FORMATS) as image:
            return work(image)
    except MemoryError:
        raise
    except Exception:  # decoders given damaged bytes raise nearly anything: OSError, SyntaxError, IndexError, ...
        return None


def _header(image: Image.Image) -> tuple[Size, bool, bool]:
    """((height, width), whether it is grey, whether it has transparency)."""
    _check_pixels(image)
    return (image.height, image.width), _is_grey(image), image.has_transparency_data


def _check_pixels(image: Image.Image) -> None:
    """Raise ValueError for a TIFF of floating-point numbers: nobody knows which of them are black and white."""
    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers")


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = image.getpalette("RGB") or []
        return palette[0::3] == palette[1::3] == palette[2::3]
    return image.mode in _GREY_MODES or _is_deep(image)


def _is_deep(image: Image.Image) -> bool:
    """Whether it has 16 bits of grey to a pixel; Pillow calls this I, I;16 or I;16B by its version."""
    return image.mode.startswith("I")


def _pixels(frame: Frame, channels: int, image: Image.Image) -> NDArray[np.uint8]:
    from PIL import Image

    _check_pixels(image)
    if _is_deep(image):  # Pillow's own conversion would cut everything off at 255
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(fitted(image, frame)).reshape(*frame.size, channels)
