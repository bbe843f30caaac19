"""A driver of a study, in a process of its own: started, watched, and ended by what goes wrong."""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Thread

from amla.chaos.faults import Instant, Usual
from amla.chaos.processes import MARK, TICK, Process, marked

LINES = 12  # of its output, of which the last are kept
LOOKS = 0.25  # seconds between two looks for the processes that it has started


@dataclass(frozen=True)
class Command:
    """What is run, again and again: the arguments of `amla`, and what its environment has besides ours."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


class Driver:
    """A process that drives the run in `folder`. What it has started is known by `mark`, also once it is dead."""

    def __init__(self, command: Command, folder: Path, mark: str) -> None:
        self.folder, self.mark = folder, mark
        self.began, self._looked = time.monotonic(), 0.0
        self.family: set[Process] = set()  # all that were seen to have been started
        self.signs, self.was_killed = 0, False
        self._seen = self._files()
        self._lines: deque[str] = deque(maxlen=LINES)
        self._process = subprocess.Popen(  # noqa: S603 - no shell, and the command is our own
            [sys.executable, "-m", "amla", *command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            env={**os.environ, **command.environment, MARK: mark},
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self.relatives()

    @property
    def code(self) -> int | None:
        """Its exit code, None while it lives."""
        return self._process.poll()

    @property
    def words(self) -> str:
        """The last lines that it has printed."""
        return "\n".join(self._lines)

    @property
    def usual(self) -> Usual:
        """What it has taken until now."""
        return Usual(time.monotonic() - self.began, self.signs)

    def reaches(self, instant: Instant, silence: float) -> bool:
        """Wait for an instant; return whether the driver has lived to see it.

        Raises TimeoutError if it lives, and nothing in its folder has changed for `silence` seconds.
        """
        until = self.signs + instant.signs
        due = self.began + instant.seconds if not instant.signs else None
        heard = time.monotonic()
        while self.code is None:
            now = time.monotonic()
            if self._look():
                heard = now
            if now - heard > silence:
                raise TimeoutError
            if due is None and self.signs >= until:
                due = now + instant.seconds
            if due is not None and now >= due:
                return self.code is None
            time.sleep(TICK)
        return False

    def lives_on(self, silence: float) -> None:
        """Wait until it has ended by itself. Raises TimeoutError as `reaches` does."""
        self.reaches(Instant(0, inf), silence)

    def relatives(self) -> set[Process]:
        """Return the processes that it has started, and that live; not itself."""
        found = marked(self.mark)
        self.family |= found
        return {each for each in found if each.pid != self._process.pid}

    def kill(self) -> None:
        """Kill it, and nothing that it has started."""
        self.relatives()
        self.was_killed = self.code is None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill it and all that it has started, if that lives."""
        for each in self.relatives():
            each.kill()
        self._process.kill()
        self._process.wait()
        self.hear_out()

    def hear_out(self) -> None:
        """Hear what it has said last, once it is over; something that it has started may have its pipe open."""
        self._reader.join(5)
        if self._process.stdout and not self._reader.is_alive():
            self._process.stdout.close()

    def starve(self) -> None:
        """Let it, and what trains for it, write nothing more."""
        for each in self.relatives():
            if each.is_worker:
                each.starve()
        Process(self._process.pid, 0).starve()

    def _read(self) -> None:
        with suppress(ValueError):  # closed meanwhile
            for line in self._process.stdout or ():
                self._lines.append(line.rstrip())

    def _look(self) -> bool:
        """Return whether something in the folder has changed since the last look, and count what has."""
        if time.monotonic() - self._looked > LOOKS:
            self.relatives()
            self._looked = time.monotonic()
        seen = self._files()
        changed = sum(self._seen.get(path) != state for path, state in seen.items())
        self._seen = seen
        self.signs += changed
        return changed > 0

    def _files(self) -> dict[str, tuple[int, int]]:
        """Return when each file of the run was written last, and how large it is."""
        found: dict[str, tuple[int, int]] = {}
        for place, _, files in os.walk(self.folder):
            for path in (os.path.join(place, file) for file in files):
                with suppress(OSError):
                    status = os.stat(path)
                    found[path] = status.st_mtime_ns, status.st_size
        return found
