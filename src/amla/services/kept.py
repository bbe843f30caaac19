"""The snapshots that a worker service keeps, by the digest of their bytes, on its own disk."""

import os
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from re import fullmatch
from threading import Lock
from time import time

from amla.execution import orders
from amla.execution.orders import Kept

ROOM = 16 << 30  # bytes of snapshots that are kept
LARGEST = 2 << 30  # bytes of one
YOUNG = 3600.0  # seconds in which a snapshot is not thrown away, though there be too many
_BLOCK = 1 << 20


class Keeper:
    """Snapshots in `folder`. Beyond `room` bytes, those that nobody has asked for longest are thrown away.

    Names are digests, so that no name leads out of the folder and several services may share one.
    """

    def __init__(self, folder: Path, room: int = ROOM, largest: int = LARGEST) -> None:
        self._folder, self._room, self._largest = folder, room, largest
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()

    def path(self, digest: str) -> Path | None:
        """Return where a snapshot is, None if it is not kept. Raises ValueError for what is no digest."""
        if not fullmatch(orders.DIGEST, digest):
            raise ValueError(f"{digest[:80]!r} is no digest of a snapshot: SHA-256 of its bytes, in hexadecimal.")
        path = self._folder / digest
        try:
            os.utime(path)  # it was asked for
        except FileNotFoundError:
            return None
        return path

    def put(self, digest: str, offset: int, length: int, part: bytes) -> bool:
        """Take a part of a snapshot of so many bytes, and return whether that was the last one.

        Parts come in order, from the first one. Raises ValueError where they do not, or do not make what they should.
        """
        if self.path(digest):
            return True
        if not 0 < length <= self._largest or not part or offset < 0 or offset + len(part) > length:
            raise ValueError(
                f"{len(part):,} bytes from {offset:,} on are no part of a snapshot of {length:,} bytes; the most that "
                f"is kept is {self._largest:,}."
            )
        with self._lock:
            passing = self._folder / f".{digest}.part"
            there = passing.stat().st_size if offset and passing.exists() else 0
            if offset != there:
                raise ValueError(f"A part begins at {offset:,}, but {there:,} bytes are there; begin with the first.")
            with passing.open("ab" if offset else "wb") as file:
                file.write(part)
            if offset + len(part) < length:
                return False
            self._complete(passing, digest)
        return True

    def link(self, digest: str, to: Path) -> None:
        """Have a snapshot at `to` as well. Raises FileNotFoundError if it is not kept."""
        path = self.path(digest)
        if path is None:
            raise FileNotFoundError(f"There is no snapshot {digest}.")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.unlink(missing_ok=True)
        try:
            os.link(path, to)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(path, to)

    def take(self, path: Path) -> Kept:
        """Keep the snapshot at `path`, which goes from there."""
        digest, length = _digest(path), path.stat().st_size
        os.replace(path, self._folder / digest)
        self._make_room()
        return Kept(digest, length)

    def _complete(self, passing: Path, digest: str) -> None:
        try:
            if (found := _digest(passing)) != digest:
                raise ValueError(f"What was sent has the digest {found}, not {digest}.")
        except ValueError:
            passing.unlink()
            raise
        os.replace(passing, self._folder / digest)
        self._make_room()

    def _make_room(self) -> None:
        found = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        used, now = sum(size for _, size, _ in found), time()
        for at, size, path in sorted(found):
            if used <= self._room or now - at < YOUNG:
                break
            path.unlink(missing_ok=True)
            used -= size


def _digest(path: Path) -> str:
    hashed = sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hashed.update(block)
    return hashed.hexdigest()
