"""A folder, on this machine or wherever fsspec reaches: files by name, written whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

# Of the kinds of fsspec, those whose files appear whole or not at all and that have no folders; to ask one of them for
# a folder might make a bucket.
_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "memory"}
_FORBIDDEN = set('\\:*?"<>|[]') | {chr(code) for code in range(32)}  # in names, on one system or another


class Folder:
    """Files by name below `root`: a local path, or a URL such as "s3://bucket/amla". No name leads out of it."""

    def __init__(self, root: str | Path) -> None:
        self._system: Any
        self._system, self._root = fsspec.core.url_to_fs(os.fspath(root))
        self._is_local = isinstance(self._system, LocalFileSystem)
        self._is_store = not _STORES.isdisjoint(self._protocols())

    def _protocols(self) -> tuple[str, ...]:
        found = self._system.protocol
        return (found,) if isinstance(found, str) else tuple(found)

    def path(self, name: str) -> str:
        """Return where the file `name` is. Raises ValueError for a name that is no relative path of plain parts."""
        parts = name.split("/")
        if any(not part or part.startswith(".") or _FORBIDDEN.intersection(part) for part in parts):
            raise ValueError(
                f"{name!r} cannot name a file here; use parts separated by '/' that are not empty, do not begin "
                "with '.' and have none of \\ : * ? \" < > | [ ]."
            )
        return "/".join([str(self._root).rstrip("/"), *parts])

    def read(self, name: str) -> bytes:
        """Return the content of a file. Raises FileNotFoundError, and OSError where the system does."""
        path = self.path(name)
        with _naming(path, "read"):
            return bytes(self._system.cat_file(path))

    def write(self, name: str, content: bytes) -> None:
        """Write a file, replacing one of the same name, all or nothing. Raises OSError, and leaves the old one then."""
        path = self.path(name)
        parent, _, last = path.rpartition("/")
        passing = f"{parent}/.{last}.{uuid4().hex}.tmp"
        with _naming(path, "write"):
            if self._is_store:
                self._system.pipe_file(path, content)
                return
            self._system.makedirs(parent, exist_ok=True)
            try:
                if self._is_local:
                    _write_through(passing, content)
                    os.replace(passing, path)
                    _sync_folder(parent)
                else:
                    self._system.pipe_file(passing, content)
                    self._system.mv(passing, path)
            except BaseException:
                with suppress(OSError):
                    self._system.rm_file(passing)
                raise

    def append(self, name: str, content: bytes) -> None:
        """Append to a file, which begins to exist. Raises OSError. Cut off, it may leave a part of `content` there."""
        if not self._is_local:  # object stores cannot append
            self.write(name, (self.read(name) if self.exists(name) else b"") + content)
            return
        path = self.path(name)
        with _naming(path, "write"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "ab", buffering=0) as file:
                if file.write(content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        return bool(self._system.isfile(self.path(name)))

    def names(self, under: str) -> list[str]:
        """Return the names of the files in a folder below this one, sorted; none if it is not there. Raises OSError."""
        path = self.path(under)
        with _naming(path, "read"):
            self._system.invalidate_cache()  # others write there, too
            try:
                found = self._system.ls(path, detail=True)
            except FileNotFoundError:
                return []
        last = [each["name"].rpartition("/")[2] for each in found if each["type"] == "file"]
        return sorted(f"{under}/{name}" for name in last if not name.startswith("."))

    def clear(self) -> None:
        """Delete all there is, and the folder. Raises OSError."""
        with suppress(FileNotFoundError), _naming(str(self._root), "delete"):
            self._system.rm(self._root, recursive=True)

    def drop(self, name: str) -> None:
        """Delete a file, if it is there. Raises OSError."""
        path = self.path(name)
        with suppress(FileNotFoundError), _naming(path, "delete"):
            self._system.rm_file(path)


@contextmanager
def _naming(path: str, doing: str) -> Iterator[None]:
    """Let an OSError say which file could not be read or written; not every system, and no fsync, says it."""
    try:
        yield
    except OSError as error:
        number = error.errno or (errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EIO)
        reason = os.strerror(number) if error.errno or number == errno.ENOENT else str(error)
        raise OSError(number, f"{reason}: could not {doing}", path) from error


def _write_through(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: str) -> None:
    """Make a renaming last through a power failure, where folders can be opened for it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
