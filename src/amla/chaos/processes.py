"""The processes of a study that is being shaken: found by a mark in their environment, killed, and kept from writing.

Linux tells all that in /proc, and lets a process bound what another one of the same user may write.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "AMLA_CHAOS"  # a variable of the environment, which whatever a process starts inherits
WORKER = ("amla.execution.worker", "ray::_Host")  # what is in the command of one that trains, or stands for its node
TICK = 0.01  # seconds between two looks


@dataclass(frozen=True)
class Process:
    """A process, told from later ones of the same number by when it was started, in clock ticks since the boot."""

    pid: int
    started: int
    command: str = ""

    @property
    def is_worker(self) -> bool:
        """Whether trials run in it, or it is an actor that has such a process."""
        return any(word in self.command for word in WORKER)

    @property
    def lives(self) -> bool:
        """Whether it is not over; one that nobody has waited for yet is over."""
        found = _status(self.pid)
        return found is not None and found[1] == self.started

    def kill(self) -> bool:
        """Kill it, and return whether it was there to be killed."""
        if self.lives:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
                return True
        return False

    def starve(self) -> None:
        """Let nothing more that it writes fit into any file, as if all disks were full; pipes are no files."""
        if sys.platform != "linux":
            raise NotImplementedError("Only Linux lets a process bound another one.")
        with suppress(ProcessLookupError, PermissionError):
            _, most = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, most))


def marked(mark: str) -> set[Process]:
    """Return the processes that live and have this mark, or descend from one that has: some write over their marks."""
    wanted = f"{MARK}={mark}".encode()
    found: dict[int, Process] = {}
    parents: dict[int, tuple[int, int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal() and (status := _status(int(place.name))):
            pid = int(place.name)
            parents[pid] = status
            with suppress(OSError):
                if wanted in (place / "environ").read_bytes().split(b"\0"):
                    found[pid] = Process(pid, status[1], _command(place))
    grown = bool(found)
    while grown:
        more = {pid for pid, (parent, _) in parents.items() if parent in found and pid not in found}
        found |= {pid: Process(pid, parents[pid][1], _command(Path(f"/proc/{pid}"))) for pid in more}
        grown = bool(more)
    return set(found.values())


def wait_for_end(processes: Iterable[Process], seconds: float, most: int = 0) -> set[Process]:
    """Wait until at most so many processes live, for so many seconds; return those that do."""
    left, until = {each for each in processes if each.lives}, time.monotonic() + seconds
    while len(left) > most and time.monotonic() < until:
        time.sleep(TICK)
        left = {each for each in left if each.lives}
    return left


def _status(pid: int) -> tuple[int, int] | None:
    """Return the parent of a process that is not over, and when it was started."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[1]), int(fields[19]))


def _command(place: Path) -> str:
    try:
        return (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
