"""The event log of a run as a server tells it: counts, pages of trials, and what happened since."""

from collections.abc import Hashable, Mapping
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
from amla.trials.trial import Trial

Seen = tuple[int, ...]  # how many events of each phase
NOTHING: Seen = (0,) * len(PHASES)
BATCH = 200  # events that are read at once

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
    with Records(where, read_only=True) as records:
        total = records.counts(names[phase]).get((names[phase], "asked"), 0)
        rows = records.events_of(names[phase], first, most)
    events = [_happened(phase, *row) for row in rows]
    told = {event.trial: event for event in events if event.outcome is not None}
    asked = [event for event in events if event.proposal is not None]
    pasts = []
    for event in asked:
        assert event.proposal is not None  # noqa: S101 - so they were chosen
        end = told.get(event.trial)
        trial = Trial(event.trial, event.proposal, end.outcome if end else None)
        pasts.append(Past(trial, event.sequence, end.sequence if end else None))
    return Page(phase, tuple(pasts), total)


def since(folder: Path, seen: Seen) -> list[tuple[Seen, bytes]]:
    """Return what happened after what was `seen`, as JSON, in the order of the phases; after each, what is seen then.

    It is a part if there is much: ask again.
    """
    if not log.exists(folder):
        return []
    where, names = log.where(folder)
    found: list[tuple[Seen, bytes]] = []
    with Records(where, read_only=True) as records:
        for place, phase in enumerate(PHASES):
            for row in records.events(names[phase], seen[place], BATCH):
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


@lru_cache(maxsize=1_000)
def _counted_at(folder: Path, state: Hashable) -> Mapping[str, Count]:
    return _counted(folder)


def _counted(folder: Path) -> Mapping[str, Count]:
    if not log.exists(folder):
        return {}
    where, names = log.where(folder)
    with Records(where, read_only=True) as records:
        found = records.counts(*names.values())
    asked = {phase: found.get((name, "asked"), 0) for phase, name in names.items()}
    return {phase: Count(asked[phase], found.get((name, "told"), 0)) for phase, name in names.items() if asked[phase]}


@lru_cache(maxsize=1_000)
def _told(phase: str, sequence: int, kind: str, trial: int, body: str) -> bytes:
    """Return an event as JSON. Many readers of one study want the same."""
    return HAPPENED.dumped(_happened(phase, sequence, kind, trial, body))


def _happened(phase: str, sequence: int, kind: str, trial: int, body: str) -> Happened:
    try:
        if kind == "asked":
            return Happened(phase, sequence, trial, proposal=proposals.validate_json(body))
        return Happened(phase, sequence, trial, outcome=outcomes.validate_json(body))
    except ValidationError as error:
        raise StoreError(f"Event {sequence} of {phase!r} is damaged: {explain(error)}. Ask `amla doctor`.") from None
