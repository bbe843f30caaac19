"""What can be wrong with what is stored, and how SQLite's complaints are told: as these errors, or as OSErrors."""

import errno
import os
import shutil
import sqlite3
from pathlib import Path

FULL = 64 * 1024  # bytes: with less than this left on a disk, a write that failed is put down to the lack of space


class StoreError(RuntimeError):
    """Records that cannot be used: damaged, foreign, of a newer version, or being written by another process."""


class DamagedFile(ValueError):
    """A snapshot or curve that is torn, altered, or not such a file at all."""


def explained(error: sqlite3.Error, path: Path, doing: str) -> Exception:
    """Return what stopped `doing` something with the database at `path`: an OSError with its errno, or a StoreError."""
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:  # the low byte is the primary code
        case sqlite3.SQLITE_FULL:
            return _os_error(errno.ENOSPC, path, doing)
        case sqlite3.SQLITE_IOERR:
            return _os_error(errno.ENOSPC if _is_full(path.parent) else errno.EIO, path, doing)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return _os_error(_why_closed(path), path, doing)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"Could not {doing}: another process has kept '{path}' locked for too long. "
                "End that process, or let it finish, and try again."
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreError(
                f"Could not {doing}: '{path}' is damaged, or is no SQLite database ({error}). "
                "Name another file, or put a copy of it from before the damage in its place."
            )
        case _:
            return StoreError(f"Could not {doing} in '{path}': {error}.")


def _os_error(number: int, path: Path, doing: str) -> OSError:
    return OSError(number, f"{os.strerror(number)}: could not {doing}", str(path))


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL
    except OSError:
        return False


def _why_closed(path: Path) -> int:
    """Return the errno that tells why SQLite could not open or write `path`; it does not say so itself."""
    if path.is_dir():
        return errno.EISDIR
    if not path.parent.is_dir():
        return errno.ENOENT
    if hasattr(os, "statvfs") and os.statvfs(path.parent).f_flag & os.ST_RDONLY:
        return errno.EROFS
    return errno.ENOSPC if _is_full(path.parent) else errno.EACCES
