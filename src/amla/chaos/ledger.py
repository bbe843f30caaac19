"""What a run had on record whenever its driver was dead: so that what is lost, or trained once more, is noticed."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from amla.storage.records import Records
from amla.study import log

Event = tuple[int, str, int, str]  # sequence, kind, trial, body
Seen = tuple[int, int, int]  # which file it was, how large, and when it was written last
KEPT = re.compile(r"(curves|snapshots)/(\w+)/(\d+)\.(jsonl|safetensors)")


@dataclass
class Ledger:
    """Compares what a run has on record with what it had.

    `lost` events are gone or are others. A trial of the record was `repeated` if its learning curve, or weights that
    were sound, were written again; `mended` if weights were that had been damaged or deleted.
    """

    folder: Path
    events: dict[str, list[Event]] = field(default_factory=dict)
    files: dict[str, Seen] = field(default_factory=dict)  # of the trials that are over, by name
    damaged: set[str] = field(default_factory=set)
    lost: int = 0
    repeated: list[str] = field(default_factory=list)
    mended: int = 0

    @property
    def recorded(self) -> int:
        """How many events there are."""
        return sum(map(len, self.events.values()))

    def look(self) -> None:
        """Note what is there now. Only while nobody drives the run."""
        events = self._read()
        for phase, known in self.events.items():
            now = events.get(phase, [])
            self.lost += sum(place >= len(now) or now[place] != event for place, event in enumerate(known))
        before, over = self._over(), self._over(events)
        files = {name: seen for name, seen in self._seen().items() if _trial(name) in over}
        for name, seen in files.items():
            if _trial(name) in before and seen != self.files.get(name):
                self._written_again(name)
        self.events, self.files = events, files

    def damage(self, name: str) -> None:
        """Note that a file was damaged, so that it is not as it was."""
        self.damaged.add(name)
        if name in self.files:
            self.files[name] = _seen(self.folder / name)

    def _written_again(self, name: str) -> None:
        if name.startswith("snapshots/") and (name in self.damaged or name not in self.files):
            self.mended += 1
            self.damaged.discard(name)
        else:
            self.repeated.append(name)

    def _read(self) -> dict[str, list[Event]]:
        if not log.exists(self.folder):
            return {}
        where, names = log.where(self.folder)
        if isinstance(where, Path) and not where.exists():
            return {}
        with Records(where, read_only=True) as records:
            return {phase: records.events(name) for phase, name in names.items()}

    def _over(self, events: dict[str, list[Event]] | None = None) -> set[tuple[str, int]]:
        found = self.events if events is None else events
        return {(phase, trial) for phase, rows in found.items() for _, kind, trial, _ in rows if kind == "told"}

    def _seen(self) -> dict[str, Seen]:
        names = [path.relative_to(self.folder).as_posix() for path in self.folder.glob("*/*/*.*")]
        return {name: _seen(self.folder / name) for name in names if KEPT.fullmatch(name)}


def _trial(name: str) -> tuple[str, int]:
    """Return the phase and number of the trial whose file this is."""
    _, phase, number = name.split("/")
    return phase, int(number.partition(".")[0])


def _seen(path: Path) -> Seen:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
