"""A digest of the files that a dataset is made of."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_BLOCK = 2**20
_SETTLED = 2 * 10**9  # ns; a file changed more recently may change again without its times showing it

_Digests = dict[str, tuple[list[int], str]]


def fingerprint(root: Path, files: Sequence[Path], *, remembered_in: Path) -> str:
    """A hex digest of the names (relative to `root`), sizes and contents of these files, the same on every machine.

    What each file's content came to is kept in the folder `remembered_in`, if that can be written, so that only files
    whose size or times have changed are read again.
    """
    memory = remembered_in / f"{_digest(os.fsencode(root.resolve()))}.json"
    before = _remembered(memory)
    now: _Digests = {}
    total = hashlib.blake2b(digest_size=16)
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        status = file.stat()
        state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        known = before.get(name)
        digest = known[1] if known and known[0] == state else _content_digest(file)
        now[name] = (state, digest)
        total.update(os.fsencode(f"{len(name)} {name} {status.st_size} {digest}\n"))
    if now != before:
        _remember(memory, now)
    return total.hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _content_digest(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _remembered(memory: Path) -> _Digests:
    try:
        return {name: (list(state), str(digest)) for name, (state, digest) in json.loads(memory.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(memory: Path, digests: _Digests) -> None:
    latest = time.time_ns() - _SETTLED
    settled = {name: entry for name, entry in digests.items() if max(entry[0][1:]) < latest}
    part = memory.with_suffix(f".{uuid4().hex}")
    with suppress(OSError):  # without a memory it is only slower
        memory.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(settled), encoding="utf-8")
        os.replace(part, memory)
    with suppress(OSError):
        part.unlink(missing_ok=True)
