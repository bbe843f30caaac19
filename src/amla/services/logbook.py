"""The event log of a run as a server tells it: counts, pages of trials, and what happened since.

Nothing here reads a whole history, and what many readers want is read and parsed once.
"""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from amla.services.documents import Document
from amla.services.wire import Count, Happened, Page, Past
from amla.spec.text import explain
from amla.storage.errors import StoreError
from amla.storage.records import Records
from amla.storage.replay import outcomes, proposals
from amla.study import log
from amla.study.log import EVENTS, PHASES
from amla.trials.trial import Outcome, Proposal, Trial

Seen = tuple[int, ...]  # how many events of each phase
NOTHING: Seen = (0,) * len(PHASES)
BATCH = 200  # events that are read at once
KEPT = 2_000  # of the events that were asked for last

HAPPENED: Document[Happened] = Document(Happened)


def counts(folder: Path) -> Mapping[str, Count]:
    """Return how many trials of each phase have been asked for and told; none of a phase that has not begun."""
    state = mark(folder)
    return _counted(folder) if state is None else _counted_at(folder, state)


def number_of_events(folder: Path) -> int:
    """Return how many events a run has."""
    return sum(count.asked + count.told for count in counts(folder).values())


def page(folder: Path, phase: str, first: int, most: int) -> Page:
    """Return up to so many trials of a phase, from number `first` on. Raises StoreError for damaged ones."""
    if not log.exists(folder):
        return Page(phase, (), 0)
    where, names = log.where(folder)
    with _reading(where) as records:
        rows = records.events_of(names[phase], first, most)
        total, _ = records.counts(names[phase])[names[phase]]
    events = [(sequence, trial, _said(phase, sequence, kind, body)) for sequence, kind, trial, body in rows]
    told = {trial: (sequence, said) for sequence, trial, said in events if not isinstance(said, Proposal)}
    pasts = []
    for sequence, trial, said in events:
        if isinstance(said, Proposal):
            end, outcome = told.get(trial, (None, None))
            pasts.append(Past(Trial(trial, said, outcome), sequence, end))
    return Page(phase, tuple(pasts), total)


def since(folder: Path, seen: Seen, until: Seen | None = None) -> list[tuple[Seen, bytes]]:
    """Return what happened after what was `seen`, as JSON, in the order of the phases; after each, what is seen then.

    It is a part if there is much: ask again. What came after `until` is left out.
    """
    if not log.exists(folder):
        return []
    where, names = log.where(folder)
    found: list[tuple[Seen, bytes]] = []
    with _reading(where) as records:
        for place, phase in enumerate(PHASES):
            most = BATCH - len(found) if until is None else min(BATCH - len(found), until[place] - seen[place])
            for row in records.events(names[phase], seen[place], most) if most > 0 else ():
                seen = (*seen[:place], row[0] + 1, *seen[place + 1 :])
                found.append((seen, _told(phase, *row)))
    return found


def mark(folder: Path) -> Hashable:
    """Return what is another thing once something was written to the log of a run; None if that cannot be seen."""
    if not (folder / EVENTS).exists():
        return None if log.exists(folder) else 0
    found = []
    for name in (EVENTS, f"{EVENTS}-wal"):
        try:
            status = (folder / name).stat()
            found.append((status.st_mtime_ns, status.st_size))
        except FileNotFoundError:
            found.append((0, 0))
    return tuple(found)


@contextmanager
def _reading(where: Path | str) -> Iterator[Records]:
    """Lend a log to read from. One in a file is made ready once: its file is open only while it is read."""
    if isinstance(where, Path):
        yield _of_file(where)
    else:
        with Records(where, read_only=True) as records:
            yield records


@lru_cache(maxsize=1_000)
def _of_file(path: Path) -> Records:
    return Records(path, read_only=True)


@lru_cache(maxsize=1_000)
def _counted_at(folder: Path, state: Hashable) -> Mapping[str, Count]:
    return _counted(folder)


def _counted(folder: Path) -> Mapping[str, Count]:
    if not log.exists(folder):
        return {}
    where, names = log.where(folder)
    with _reading(where) as records:
        found = records.counts(*names.values())
    return {phase: Count(*found[name]) for phase, name in names.items() if found[name][0]}


@lru_cache(maxsize=KEPT)
def _told(phase: str, sequence: int, kind: str, trial: int, body: str) -> bytes:
    """Return an event as JSON."""
    match _said(phase, sequence, kind, body):
        case Proposal() as proposal:
            return HAPPENED.dumped(Happened(phase, sequence, trial, proposal=proposal))
        case outcome:
            return HAPPENED.dumped(Happened(phase, sequence, trial, outcome=outcome))


@lru_cache(maxsize=KEPT)
def _said(phase: str, sequence: int, kind: str, body: str) -> Proposal | Outcome:
    """Return what an event says. Raises StoreError for a damaged one."""
    try:
        return proposals.validate_json(body) if kind == "asked" else outcomes.validate_json(body)
    except ValidationError as error:
        raise StoreError(f"Event {sequence} of {phase!r} is damaged: {explain(error)}. Ask `amla doctor`.") from None
