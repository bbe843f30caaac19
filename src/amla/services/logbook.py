"""The event log of a run as a server tells it: counts, pages of trials, and what happened since.

Nothing here reads a whole history, and no network is parsed: what is told of it is what was written.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from amla.services.documents import Document
from amla.services.wire import Count
from amla.spec.text import explain
from amla.storage.errors import StoreError
from amla.storage.records import Records
from amla.storage.replay import outcomes
from amla.study import log
from amla.study.log import EVENTS, PHASES
from amla.trials.trial import Outcome

Seen = tuple[int, ...]  # how many events of each phase
NOTHING: Seen = (0,) * len(PHASES)
BATCH = 128  # events that are read at once: two megabytes, if networks have a hundred nodes
NULL = b"null"

Row = tuple[int, str, int, str]  # sequence, kind, trial, and body

OUTCOME: Document[Outcome] = Document(Outcome)


def counts(folder: Path) -> Mapping[str, Count]:
    """Return how many trials of each phase have been asked for and told; none of a phase that has not begun."""
    state = mark(folder)
    return _counted(folder) if state is None else _counted_at(folder, state)


def number_of_events(folder: Path) -> int:
    """Return how many events a run has."""
    return sum(count.asked + count.told for count in counts(folder).values())


def page(folder: Path, phase: str, first: int, most: int) -> bytes:
    """Return up to so many trials of a phase, from number `first` on: a `Page`, as JSON. Raises StoreError."""
    rows: Sequence[Row] = ()
    total = 0
    if log.exists(folder):
        where, names = log.where(folder)
        with _reading(where) as records:
            rows = records.events_of(names[phase], first, most)
            total, _ = records.counts(names[phase])[names[phase]]
    said = [(sequence, kind, trial, _said(phase, sequence, kind, body)) for sequence, kind, trial, body in rows]
    told = {trial: (b"%d" % sequence, body) for sequence, kind, trial, body in said if kind != "asked"}
    text = [b'{"phase":"%b","trials":[' % phase.encode()]
    for sequence, kind, trial, body in said:
        if kind == "asked":
            end, outcome = told.get(trial, (NULL, NULL))
            comma = b"" if len(text) == 1 else b","
            text += comma, b'{"trial":{"id":%d,"proposal":' % trial, body, b',"outcome":', outcome
            text.append(b'},"asked":%d,"told":%b}' % (sequence, end))
    return b"".join((*text, b'],"total":%d}' % total))


def since(folder: Path, seen: Seen, until: Seen | None = None) -> list[tuple[Seen, bytes]]:
    """Return what happened after what was `seen`, as JSON, in the order of the phases; after each, what is seen then.

    It is a part if there is much: ask again. What came after `until` is left out. Raises StoreError.
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


def _told(phase: str, sequence: int, kind: str, trial: int, body: str) -> bytes:
    """Return an event as JSON: a `Happened`."""
    said = _said(phase, sequence, kind, body)
    proposal, outcome = (said, NULL) if kind == "asked" else (NULL, said)
    head = b'{"phase":"%b","sequence":%d,"trial":%d,' % (phase.encode(), sequence, trial)
    return head + b'"proposal":%b,"outcome":%b}' % (proposal, outcome)


def _said(phase: str, sequence: int, kind: str, body: str) -> bytes:
    """Return the JSON of what an event says. Raises StoreError for a damaged one.

    A proposal is repeated as it was written: to parse a network of a hundred nodes takes a millisecond and more, and
    whoever reads this parses it. An outcome is short, and a log may have numbers that JSON has no word for.
    """
    if kind == "asked":
        if not (body.startswith("{") and body.endswith("}") and "\n" not in body):
            raise StoreError(f"Event {sequence} of {phase!r} is damaged: it is no JSON object. Ask `amla doctor`.")
        return body.encode()
    try:
        return OUTCOME.dumped(outcomes.validate_json(body))
    except ValidationError as error:
        raise StoreError(f"Event {sequence} of {phase!r} is damaged: {explain(error)}. Ask `amla doctor`.") from None
