"""The binary version of CIFAR-10: six files of records, or the archive that they are published in."""

from __future__ import annotations

import gzip
import re
import tarfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers.arrays import Pixels, contents
from amla.tasks.readers.labels import Column
from amla.tasks.readers.source import Contents, Frame, Part, Source, listed

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ARCHIVE = "cifar-10-binary.tar.gz"

_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = "test_batch.bin"
_PLANES = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32  # the label, then the red, the green and the blue values


def find(root: Path) -> Source | None:
    """The dataset in the archive `root` or in the folder `root`, which holds the archive or its files.

    None where there are none of them. Raises DataError where some are missing, and for the version that is made of
    pickles, as those could run code.
    """
    if root.name == ARCHIVE and root.is_file():
        return Source("cifar10", root, (root,), partial(_read_archive, root))
    names = {file.name for file in root.iterdir()} if root.is_dir() else set()
    present = [name for name in (*_TRAIN, _TEST) if name in names]
    if len(present) == 6:
        return Source("cifar10", root, tuple(root / name for name in present), partial(_read_folder, root))
    if ARCHIVE in names:
        return find(root / ARCHIVE)
    if present:
        missing = [name for name in (*_TRAIN, _TEST) if name not in names]
        raise DataError(f"{str(root)!r} has {listed(present)}, but lacks {listed(missing)}. Add the missing files.")
    if {"data_batch_1", "test_batch"} <= names:
        raise DataError(
            f"{str(root)!r} holds CIFAR-10 as Python pickles, which are never loaded as they could run code. "
            f"Get the binary version ({ARCHIVE}) instead."
        )
    return None


def _read_folder(root: Path, size: Frame | None) -> Contents:
    return _contents(root, {name: (root / name).read_bytes() for name in (*_TRAIN, _TEST)}, size)


def _read_archive(root: Path, size: Frame | None) -> Contents:
    try:
        files = _unpacked(root)
    except gzip.BadGzipFile as error:
        raise _damaged(root, error) from None
    except OSError:
        raise
    except (
        Exception
    ) as error:  # a damaged archive raises nearly anything: TarError, EOFError, zlib.error, TypeError, ...
        raise _damaged(root, error) from None
    missing = [name for name in (*_TRAIN, _TEST) if name not in files]
    if missing:
        raise DataError(f"{str(root)!r} lacks {listed(missing)}. Get it anew.")
    return _contents(root, files, size)


def _unpacked(root: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with gzip.open(root) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = re.split(r"[/\\]", member.name)[-1]
            content = archive.extractfile(member) if name in (*_TRAIN, _TEST) else None
            if content:
                files[name] = content.read()
        while stream.read(2**20):  # only at its end is the checksum of all compared
            pass
    return files


def _damaged(root: Path, error: Exception) -> DataError:
    return DataError(f"{str(root)!r} is damaged ({error}). Get it anew.")


def _contents(root: Path, files: Mapping[str, bytes], size: Frame | None) -> Contents:
    for name, data in files.items():
        if not data or len(data) % _RECORD:
            raise DataError(
                f"{name} of {str(root)!r} has {len(data):,} bytes, but must have a multiple of {_RECORD:,}, which "
                "is one image with its label. Get it anew."
            )
    names: dict[Part, tuple[str, ...]] = {"train": _TRAIN, "test": (_TEST,)}
    records = {
        part: np.frombuffer(b"".join(files[name] for name in of_part), dtype=np.uint8).reshape(-1, _RECORD)
        for part, of_part in names.items()
    }
    return contents(
        str(root),
        {part: Pixels("images", str(root), values[:, 1:], _pixels) for part, values in records.items()},
        {part: Column(f"{part} labels", str(root), values[:, 0]) for part, values in records.items()},
        size=size,
        classes=CLASSES,
    )


def _pixels(planes: NDArray[Any]) -> NDArray[np.uint8]:
    return planes.reshape(-1, *_PLANES).transpose(0, 2, 3, 1)
