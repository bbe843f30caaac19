"""The studies of a scheduler: made, started, stopped, gone on with and deleted; every change is durable.

What runs is found out, not remembered: a driver is looked for by its process and by the lease of its log. So a
scheduler that was killed knows at once what runs and what is to run.
"""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from threading import RLock
from time import monotonic, time

from amla.services.drivers import UPLOAD, Drivers, by_hand
from amla.services.endings import after, found_by
from amla.services.entries import Entry, Folder
from amla.services.keys import Keys, digest
from amla.services.logbook import counts
from amla.services.problems import Problem
from amla.services.wire import Found, Standing, Standings, State
from amla.study import folder as folders
from amla.study.runs import forget
from amla.study.study import Study, load
from amla.trials.calls import begun, current, parsed

log = logging.getLogger("amla.services")

PATIENCE = 30.0  # seconds that a driver has to end when it is told to
DELETED = "There is no study {key!r} on this server; /v1/studies lists those there are."


@dataclass
class Studies:
    """The studies below a folder, of which `at_once` run at a time; the others wait in the order of their making."""

    folder: Folder
    drivers: Drivers = field(default_factory=Drivers)
    at_once: int = 1
    changed: Callable[[], None] = lambda: None  # called when there may be something to do
    _keys: Keys = field(default_factory=Keys)
    _entries: dict[str, Entry] = field(default_factory=dict)
    _told_to_end: dict[str, float] = field(default_factory=dict)  # when, by `monotonic`
    _lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        for entry in self.folder.entries():
            self._entries[entry.key] = entry
            self._keys.remember(entry.idempotency, entry.body, entry.key)

    def create(self, study: Study, body: bytes, key: str | None, start: bool) -> tuple[Standing, bool]:
        """Make a study, or find the one that was made with this idempotency key; return it, and whether it is new."""
        sent, asked = digest(body + (b"1" if start else b"0")), None if key is None else digest(key)
        with self._keys.lock, self._lock:
            if made := self._keys.made(asked, sent):
                return self.one(made), False
            trace = current() or begun()
            entry = Entry(
                key=self.folder.new_key(study.name),
                name=study.name,
                created=time(),
                trace=trace.header,
                body=sent,
                idempotency=asked,
                wanted="run" if start else "stop",
            )
            self.folder.make(entry, study)
            self._entries[entry.key] = entry
            self._keys.remember(asked, sent, entry.key)
        self.changed()
        return self.one(entry.key), True

    def newest(self, first: int, most: int) -> Standings:
        """Return up to so many studies, newest first."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda entry: (-entry.created, entry.key))
        shown = entries[first : first + most]
        return Standings(tuple(self._standing(entry) for entry in shown), len(entries))

    def one(self, key: str) -> Standing:
        """Return a study. Raises Problem if there is none."""
        return self._described(self._entry(key))

    def path(self, key: str) -> Path:
        """Return the run folder of a study. Raises Problem if there is none."""
        return self.folder.path(self._entry(key).key)

    def start(self, key: str) -> Standing:
        """Have a study run, from wherever it is; one that is done stays so."""
        with self._lock:
            entry = self._entry(key)
            if entry.ended != "done" and (entry.wanted != "run" or entry.ended):
                self._write(replace(entry, wanted="run", ended=None, why=None, attempts=0))
        self.changed()
        return self.one(key)

    def stop(self, key: str) -> Standing:
        """Have a study stop; what it has done stays, and it can go on."""
        with self._lock:
            entry = self._entry(key)
            if entry.ended is None:
                self._write(replace(entry, wanted="stop"))
                self._end(entry)
        self.changed()
        return self.one(key)

    def delete(self, key: str) -> None:
        """Delete a study that does not run, and all its files and events. Raises Problem for one that does."""
        with self._lock:
            entry = self._entry(key)
            if self._state(entry) in ("running", "stopping"):
                raise Problem(HTTPStatus.CONFLICT, f"The study {key!r} runs; stop it first.")
            del self._entries[key]  # so that nobody starts it meanwhile
        try:
            self._forget(key)
            self.folder.delete(key)
        except BaseException:
            with self._lock:
                self._entries[key] = entry
            raise
        self._keys.forget(key)

    def _forget(self, key: str) -> None:
        """Delete what a study has elsewhere. Raises Problem where that cannot be now."""
        try:
            forget(self.folder.path(key))
        except OSError as error:
            what = f"The study {key!r} cannot be deleted now, and stays: {error}"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, what) from None

    def look(self) -> None:
        """See which drivers have ended, end those that should, and start those that may. One thread calls this."""
        with self._lock:
            over = [each for each in self._entries.values() if each.pid and not self._is_live(each)]
            for entry in self._entries.values():
                if entry.pid and entry.wanted == "stop" and entry not in over:
                    self._end(entry)
        for entry in over:
            found = found_by(self.folder.path(entry.key))  # which may take long
            with self._lock:
                self._ended(self._entries[entry.key], found)
        with self._lock:
            running = sum(1 for entry in self._entries.values() if entry.pid)
            waiting = [
                each for each in self._entries.values() if each.wanted == "run" and not each.ended and not each.pid
            ]
            for entry in sorted(waiting, key=lambda entry: entry.created)[: max(0, self.at_once - running)]:
                self._begin(entry)

    def counted(self) -> dict[State, int]:
        """Return how many studies there are in each state."""
        with self._lock:
            found: dict[State, int] = {}
            for entry in self._entries.values():
                state = self._state(entry)
                found[state] = found.get(state, 0) + 1
            return found

    def running(self) -> list[str]:
        """Return the studies that a driver of this server runs."""
        with self._lock:
            return [entry.key for entry in self._entries.values() if entry.pid]

    def study(self, key: str) -> Study:
        """Return a study as it is run: with its provenance, once it has begun. Raises Problem."""
        path = self.path(key)
        return load(path / folders.STUDY if (path / folders.STUDY).exists() else path / UPLOAD)

    def _entry(self, key: str) -> Entry:
        with self._lock:
            if (entry := self._entries.get(key)) is None:
                raise Problem(HTTPStatus.NOT_FOUND, DELETED.format(key=key[:80]))
            return entry

    def _write(self, entry: Entry) -> None:
        self.folder.write(entry)
        self._entries[entry.key] = entry

    def _become(self, entry: Entry, said: str) -> None:
        """Write an entry that has changed, and into the journal why."""
        self._write(entry)
        trace = parsed(entry.trace)
        log.info(
            said, extra={"study": entry.key, "trace": trace.id if trace else None, "why": entry.why, "pid": entry.pid}
        )

    def _is_live(self, entry: Entry) -> bool:
        return self.drivers.is_live(entry.pid, entry.process)

    def _begin(self, entry: Entry) -> None:
        """Start the driver of a study; if somebody drives it already, that one is its driver."""
        path = self.folder.path(entry.key)
        if lease := by_hand(path):
            self._become(replace(entry, pid=lease.pid, process=lease.process), "found running")
            return
        try:
            pid, process = self.drivers.start(path, entry.trace)
        except OSError as error:
            self._become(replace(entry, ended="failed", why=f"Its process could not be started: {error}."), "failed")
        else:
            self._become(replace(entry, pid=pid, process=process), "started")

    def _end(self, entry: Entry) -> None:
        """Tell the driver of a study to end, and end it if it has not for long."""
        if not entry.pid:
            if lease := by_hand(self.folder.path(entry.key)):
                self.drivers.interrupt(lease.pid, lease.process)
            return
        since = self._told_to_end.get(entry.key)
        if since is None:
            self._told_to_end[entry.key] = monotonic()
            self.drivers.interrupt(entry.pid, entry.process)
        elif monotonic() > since + PATIENCE:
            self.drivers.interrupt(entry.pid, entry.process, signal.SIGKILL)

    def _ended(self, entry: Entry, found: Found | None) -> None:
        """Write down how the driver of a study ended, which has `found` what it should, or nothing yet."""
        code, was_told = self.drivers.code(entry.pid), self._told_to_end.pop(entry.key, None) is not None
        self.drivers.forget(entry.pid)
        self._become(*after(entry, self.folder.path(entry.key), found, code, was_told))

    def _state(self, entry: Entry) -> State:
        path = self.folder.path(entry.key)
        if entry.ended == "done":
            return "done"
        if entry.pid:
            return "running" if entry.wanted == "run" else "stopping"
        if by_hand(path):
            return "running"
        if entry.ended == "failed":
            return "failed"
        if entry.wanted == "run":
            return "queued"
        return "stopped" if (path / folders.STUDY).exists() else "created"

    def _standing(self, entry: Entry) -> Standing:
        state, why = self._state(entry), entry.why
        if state == "queued":
            why = f"{self.at_once} may run at a time, and it is not its turn yet"
        trace = parsed(entry.trace)
        return Standing(
            entry.key, entry.name, state, entry.created, trace.id if trace else "", why=why, found=entry.found
        )

    def _described(self, entry: Entry) -> Standing:
        return replace(self._standing(entry), phases=counts(self.folder.path(entry.key)))
