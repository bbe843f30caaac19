"""The files of a run folder, by name. No name leads out of it, and what is being written or is secret is not there."""

import os
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from amla.services.problems import Problem
from amla.services.wire import Artifact
from amla.study.log import EVENTS, STORE

HIDDEN = {EVENTS, f"{EVENTS}-wal", f"{EVENTS}-shm", STORE, "scheduler.json"}  # a log under way is no file to copy
MEDIA = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".yaml": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
OTHER = "application/octet-stream"
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
)


def artifacts(folder: Path) -> Iterator[Artifact]:
    """Yield the files of a run folder, by name."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            path = Path(where, file)
            name = path.relative_to(folder).as_posix()
            if file.startswith(".") or name in HIDDEN or path.is_symlink():
                continue
            try:
                status = path.stat()
            except FileNotFoundError:  # deleted meanwhile
                continue
            yield Artifact(name, status.st_size, status.st_mtime)


def found(folder: Path, name: str) -> Path:
    """Return where a file of a run folder is. Raises Problem for what is none."""
    parts = name.split("/")
    plain = all(part and not part.startswith(".") and part.isprintable() and "\\" not in part for part in parts)
    path = folder.joinpath(*parts) if plain and name not in HIDDEN and len(name) < 1_000 else None
    try:
        if path and path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    except OSError:
        pass
    raise Problem(
        HTTPStatus.NOT_FOUND, f"There is no artifact {name[:80]!r}; the list of artifacts names those there are."
    )


def media(path: Path) -> str:
    """Return what kind of file it is."""
    return MEDIA.get(path.suffix, OTHER)
