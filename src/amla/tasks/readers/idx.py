"""IDX files as MNIST and Fashion-MNIST come in them, plain or gzipped."""

from __future__ import annotations

import gzip
import re
import zlib
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers.arrays import Pixels, contents
from amla.tasks.readers.labels import Column
from amla.tasks.readers.source import Contents, Frame, Part, Source, listed, part_called

_NAME = re.compile(r"(?P<part>[a-z0-9]+)-(?P<what>images|labels)[-.]idx[13]-ubyte(\.gz)?")
_PIECE = 2**24
_AXES = {"images": 3, "labels": 1}


def find(root: Path) -> Source | None:
    """The dataset in the files PART-images-idx3-ubyte and PART-labels-idx1-ubyte (or .gz) of the folder `root`.

    PART is train, validation, or test (also called t10k). None where there are no such files. Raises DataError where
    one of a pair is missing.
    """
    found: dict[Part, dict[str, Path]] = {}
    for file in sorted(root.iterdir(), reverse=True) if root.is_dir() else ():  # so that plain ones replace .gz
        match = _NAME.fullmatch(file.name)
        part = match and ("test" if match["part"] == "t10k" else part_called(match["part"]))
        if match and part:
            found.setdefault(part, {})[match["what"]] = file
    if not found:
        return None
    _check_complete(root, found)
    files = tuple(file for pair in found.values() for file in pair.values())
    return Source(root.resolve().name, root, files, partial(_read, root, found))


def _check_complete(root: Path, found: dict[Part, dict[str, Path]]) -> None:
    for part, pair in {"train": {}, **found}.items():
        missing = [what for what in _AXES if what not in pair]
        if missing:
            names = [f"{part}-{what}-idx{_AXES[what]}-ubyte" for what in missing]
            raise DataError(f"{str(root)!r} lacks {listed(names)} (or .gz). Add the missing files.")


def _read(root: Path, found: dict[Part, dict[str, Path]], size: Frame | None) -> Contents:
    pixels: dict[Part, Pixels] = {}
    columns: dict[Part, Column] = {}
    for part, pair in found.items():
        pixels[part] = Pixels("images", str(pair["images"]), _array(pair["images"], _AXES["images"]), _with_channel)
        columns[part] = Column("labels", str(pair["labels"]), _array(pair["labels"], _AXES["labels"]))
    return contents(str(root), pixels, columns, size=size)


def _with_channel(images: NDArray[Any]) -> NDArray[np.uint8]:
    return images[..., None]


def _array(file: Path, axes: int) -> NDArray[np.uint8]:
    try:
        with cast("IO[bytes]", gzip.open(file) if file.suffix == ".gz" else file.open("rb")) as stream:
            shape = _shape(file, stream, axes)
            size = int(np.prod(shape, dtype=object))
            data = _at_most(stream, size)
            rest = stream.read(1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{str(file)!r} is damaged ({error}). Get it anew.") from None
    if len(data) != size or rest:
        raise DataError(
            f"{str(file)!r} says that it holds {shape} values, which is {size:,} bytes, but "
            f"{'more' if rest else f'only {len(data):,}'} follow. Get it anew."
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _at_most(stream: IO[bytes], size: int) -> bytes:
    """Up to so many bytes; piecewise, as a damaged file may claim more than there is memory for."""
    pieces = []
    while size > 0 and (piece := stream.read(min(size, _PIECE))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _shape(file: Path, stream: IO[bytes], axes: int) -> tuple[int, ...]:
    expected = bytes((0, 0, 8, axes))  # 8: unsigned bytes
    magic = stream.read(4)
    if magic != expected:
        raise DataError(
            f"{str(file)!r} starts with {magic.hex() or 'nothing'}, but an IDX file of "
            f"{'images' if axes == 3 else 'labels'} with one byte a value starts with {expected.hex()}. Get it anew."
        )
    lengths = stream.read(4 * axes)
    if len(lengths) != 4 * axes:
        raise DataError(f"{str(file)!r} ends within its first {4 + 4 * axes} bytes. Get it anew.")
    return tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
