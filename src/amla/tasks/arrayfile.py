"""An array in a .npy file, written piece by piece and opened memory-mapped, with a record to tell it is unchanged."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = 128  # bytes before the values: fixed, so that it can be written last, when the length is known
_BLOCK = 2**20


class ArrayFile:
    """A .npy file that is being written; rows are `dtype` values of `shape`."""

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self._dtype, self._shape = dtype, shape
        self._rows = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._stream = path.open("xb")
        self._stream.write(bytes(_HEADER))

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows (k, *shape) after those before. Raises OSError where the disk does not take them."""
        data = np.ascontiguousarray(rows, dtype=self._dtype).tobytes()
        self._stream.write(data)
        self._digest.update(data)
        self._rows += len(rows)

    def finish(self) -> dict[str, Any]:
        """Complete the file and close it; returns the record that `opened` needs."""
        shape = (self._rows, *self._shape)
        header = repr({"descr": self._dtype, "fortran_order": False, "shape": shape}).encode()
        size = _HEADER - len(_MAGIC) - 2
        self._stream.seek(0)
        self._stream.write(_MAGIC + size.to_bytes(2, "little") + header.ljust(size - 1) + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())
        status = os.fstat(self._stream.fileno())
        self._stream.close()
        return {
            "dtype": self._dtype,
            "shape": shape,
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "digest": self._digest.hexdigest(),
        }

    def abandon(self) -> None:
        """Close the file as it is; does nothing to a finished one. Never raises."""
        try:
            self._stream.close()
        except OSError:  # what could not be written before cannot be written now
            return


def opened(path: Path, record: Mapping[str, Any]) -> NDArray[Any]:
    """The array of a finished file, read-only and memory-mapped.

    Raises ValueError, OSError, KeyError or TypeError where the file is not what `record` says. Its values are only
    compared where its time has changed, as it does when a cache is copied.
    """
    status = path.stat()
    if status.st_size != record["bytes"]:
        raise ValueError(f"{path} has another length")
    if status.st_mtime_ns != record["mtime_ns"] and _values_digest(path) != record["digest"]:
        raise ValueError(f"{path} has other values")
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if list(array.shape) != list(record["shape"]) or array.dtype.str != record["dtype"]:
        raise ValueError(f"{path} has another header")
    return array


def _values_digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        stream.seek(_HEADER)
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
