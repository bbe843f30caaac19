"""Whether a dataset is mapped into memory, or read batch by batch: chosen by the memory and the disk there are."""

from __future__ import annotations

import shutil
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np

from amla.tasks.cache import Form
from amla.tasks.dataset import DataError
from amla.tasks.decoding import Decoded
from amla.tasks.inputs import Filed, can_be_filed
from amla.tasks.memory import memory
from amla.tasks.pictured import Pictured
from amla.tasks.readers.source import Contents

Stream = Literal["auto", "never", "disk", "decode"]

SHARE = 0.25  # of the memory: what decoded examples may take that are mapped, as parts of them are copied
DISK_SHARE = 0.5  # of what is free on the disk of the cache: what decoded examples may take of it, unless asked for


def form_of(contents: Contents, stream: Stream, cache: Path) -> Form:
    """Return in which form a dataset is to be written into the folder `cache`.

    Raises DataError where images are to be decoded for every batch and there are none.
    """
    if stream == "decode" and not contents.encoded:
        held = "recordings, which are decoded once" if contents.sound else "arrays, which need no decoding"
        raise DataError(f"stream is 'decode', but {contents.address!r} holds {held}. Choose 'disk'.")
    needed = _bytes_of(contents)
    if stream == "never" or (stream == "auto" and needed <= _bound()):
        return "held"
    if stream == "decode" or (stream == "auto" and contents.encoded and needed > DISK_SHARE * _free(cache)):
        return "encoded"
    return "read"


def streamed(decoded: Decoded, stream: Stream) -> Decoded:
    """Return a dataset of the cache such that it is read as `stream` says, and tells the user so."""
    parts = decoded.parts
    needed = sum(prod(part.inputs.shape) * part.inputs.dtype.itemsize for part in parts.values())
    why = f"The data take {_giga(needed)} decoded"
    if stream == "auto":
        why += f", more than a quarter of the memory that may be used ({_giga(4 * _bound())})"
    if any(isinstance(part.inputs, Pictured) for part in parts.values()):
        why += ", and more of the cache's disk than there was" if stream == "auto" else ""
        said = f"{why}: images are decoded anew for every batch (data.stream)."
        return replace(decoded, notices=(*decoded.notices, said))
    if stream == "never" or (stream == "auto" and needed <= _bound()):
        return decoded
    if not all(can_be_filed(part.inputs) for part in parts.values()):
        return decoded
    read = {
        name: replace(part, inputs=Filed(part.inputs)) if can_be_filed(part.inputs) else part
        for name, part in parts.items()
    }
    said = f"{why}: they lie in the cache, and are read from the disk batch by batch (data.stream)."
    return replace(decoded, parts=read, notices=(*decoded.notices, said))


def check_fits(contents: Contents, problem: str) -> None:
    """Raise DataError where a dataset that cannot be written to the cache does not fit into memory either."""
    found, needed = memory(), _bytes_of(contents)
    if found is not None and needed > found:
        raise DataError(
            f"{problem}, and the data take {_giga(needed)} decoded, more than the memory that may be used "
            f"({_giga(found)}). Make it writable, or let AMLA_CACHE name another folder."
        )


def _bytes_of(contents: Contents) -> int:
    count = sum(stream.count for stream in contents.parts.values())
    return count * prod(contents.shape) * np.dtype(contents.dtype).itemsize


def _bound() -> float:
    found = memory()
    return float("inf") if found is None else SHARE * found


def _free(folder: Path) -> int:
    """Return the bytes that are free where a folder is, or will be."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(there).free


def _giga(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
