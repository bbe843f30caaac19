"""Drivers: the processes that run studies, each in a session of its own, so that they outlive the server."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from amla.storage.errors import StoreError
from amla.storage.lease import SECONDS, Lease
from amla.storage.process import identity
from amla.storage.records import Records
from amla.study import log
from amla.study.folder import STUDY
from amla.study.log import EVENTS
from amla.study.study import StudyError
from amla.trials.calls import TOKEN, TRACEPARENT

UPLOAD, SAID = "upload.yaml", "logs/driver.log"  # in a run folder
TAIL = 4_000  # bytes of what a driver said that are looked at


@dataclass
class Drivers:
    """The processes that run studies: started from here, or found running.

    `options` are those of `amla run` that all of them get. A process is known by its number and what
    `amla.storage.process.identity` calls it, as numbers are given again. The `token` of this process is not theirs
    unless they may call other services.
    """

    options: tuple[str, ...] = ()
    keeps_token: bool = False
    _children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, folder: Path, trace: str) -> tuple[int, str]:
        """Start the driver of a run; return its number and what it is called."""
        said = folder / SAID
        said.parent.mkdir(parents=True, exist_ok=True)
        study = folder / STUDY if (folder / STUDY).exists() else folder / UPLOAD
        command = [sys.executable, "-m", "amla", "run", str(study), "--run", str(folder), "--plain", *self.options]
        own = {name: text for name, text in os.environ.items() if name != TOKEN or self.keeps_token}
        own |= {TRACEPARENT: trace, "PYTHONSAFEPATH": "1"}  # nothing is imported from where the runs are
        with said.open("ab") as out:
            child = subprocess.Popen(  # noqa: S603 - a list of words, no shell
                command,
                cwd=folder.parent,
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._children[child.pid] = child
        return child.pid, identity(child.pid)

    def code(self, pid: int) -> int | None:
        """Return the exit code of a child that is over; None of one that runs, or is no child of this process."""
        child = self._children.get(pid)
        return None if child is None else child.poll()

    def is_live(self, pid: int, called: str) -> bool:
        """Return whether a driver runs."""
        if pid in self._children:
            return self._children[pid].poll() is None
        return bool(called) and identity(pid) == called

    def interrupt(self, pid: int, called: str, number: int = signal.SIGINT) -> None:
        """Tell a driver to end, as Ctrl-C does, or with SIGKILL end it and its workers."""
        if not self.is_live(pid, called):
            return
        with suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL and os.getpgid(pid) == pid:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)

    def forget(self, pid: int) -> None:
        """Forget a child that is over."""
        self._children.pop(pid, None)


def holder(folder: Path) -> Lease | None:
    """Return the lease of whoever drives a run, None if nobody does."""
    if not log.exists(folder):
        return None
    with suppress(StoreError, StudyError, OSError):  # what cannot be read now, nobody drives
        where, names = log.where(folder)
        with Records(where, read_only=True) as records:
            found = (lease for lease in records.leases() if lease.study in names.values() and lease.is_live)
            return next(found, None)
    return None


def by_hand(folder: Path) -> Lease | None:
    """Return the lease of whoever drives a run without a scheduler: somebody at a terminal.

    A log in a file is only opened if it was written while a lease of now could last.
    """
    files = [path for name in (EVENTS, f"{EVENTS}-wal") if (path := folder / name).exists()]
    with suppress(FileNotFoundError):
        if max((path.stat().st_mtime for path in files), default=0.0) > time() - SECONDS:
            return holder(folder)
    return None


def last_words(folder: Path) -> str:
    """Return what a driver said last: its message, as it ends with one."""
    try:
        with (folder / SAID).open("rb") as said:
            said.seek(max(0, os.fstat(said.fileno()).st_size - TAIL))
            lines = said.read().decode(errors="replace").splitlines()
    except OSError:
        return "It said nothing."
    begin = max((place for place, line in enumerate(lines) if line.startswith("amla: ")), default=len(lines) - 1)
    return "\n".join(lines[max(0, begin) :]).removeprefix("amla: ").strip() or "It said nothing."
