"""Entries: what a scheduler knows of a study besides its run folder, in a file of that folder."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from amla.services.drivers import UPLOAD
from amla.services.errors import ServiceError
from amla.services.wire import Found
from amla.spec.values import value
from amla.storage.files import Files
from amla.study.study import Study, to_yaml

ENTRY, LOCK = "scheduler.json", ".scheduler.lock"
MAKING, DELETING = ".making-", ".deleting-"  # what folders are called that are not whole, or no longer
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@value
class Entry:
    """A study of a scheduler: what is wanted of it, who drives it, and how it ended.

    `idempotency` and `body` are digests of what made it. `pid` and `process` name its driver, `attempts` how often one
    was killed since the log had `events` events.
    """

    key: str
    name: str
    created: float
    trace: str
    body: str
    idempotency: str | None = None
    wanted: Literal["run", "stop"] = "stop"
    ended: Literal["done", "failed"] | None = None
    why: str | None = None
    found: Found | None = None
    pid: int = 0
    process: str = ""
    attempts: int = 0
    events: int = 0


_entry = TypeAdapter(Entry)


class Folder:
    """The folder below which a scheduler has its runs, for as long as it is locked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Return the run folder of a study."""
        return self.root / key

    def entries(self) -> Iterator[Entry]:
        """Yield the entries there are, and take away what was cut off while it was made or deleted."""
        for path in sorted(self.root.iterdir()):
            if path.name.startswith((MAKING, DELETING)):
                shutil.rmtree(path, ignore_errors=True)
            elif KEY.fullmatch(path.name) and (path / ENTRY).is_file():
                with suppress(OSError, ValidationError):  # one that is damaged is no study of this server
                    found = _entry.validate_json((path / ENTRY).read_bytes())
                    if found.key == path.name:
                        yield found

    def make(self, entry: Entry, study: Study) -> None:
        """Make a run folder with an entry and the study as it was sent: all of it or nothing."""
        making = self.root / f"{MAKING}{entry.key}"
        making.mkdir()
        Files(making).write_text(UPLOAD, to_yaml(study))
        Files(making).write_text(ENTRY, _text(entry))
        making.rename(self.path(entry.key))

    def write(self, entry: Entry) -> None:
        """Write an entry that has changed."""
        Files(self.path(entry.key)).write_text(ENTRY, _text(entry))

    def delete(self, key: str) -> None:
        """Delete a run folder: at once it is gone, and then its files."""
        gone = self.root / f"{DELETING}{key}-{token_hex(4)}"
        self.path(key).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def new_key(self, name: str) -> str:
        """Return what a study is to be called: its name and some random letters, as nobody can guess."""
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40] or "study"
        return f"{plain}-{token_hex(4)}"


@contextmanager
def locked(root: Path) -> Iterator[Folder]:
    """Have a folder for one scheduler alone. Raises ServiceError if another has it."""
    import fcntl  # not on Windows, where the rest of amla runs

    root.mkdir(parents=True, exist_ok=True)
    file = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ServiceError(
                f"Another scheduler has its studies in '{root}'. Let that one end, or name another folder with --root."
            ) from None
        yield Folder(root)
    finally:
        os.close(file)


def _text(entry: Entry) -> str:
    return _entry.dump_json(entry, indent=1).decode() + "\n"
