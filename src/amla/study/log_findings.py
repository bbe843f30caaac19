"""What can be wrong with an event log: events that are missing, unreadable or do not fit, and leases left behind."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from amla.reports.numbers import plural
from amla.storage.lease import Lease
from amla.storage.records import Records
from amla.storage.replay import is_readable, replayed
from amla.study.finding import Finding, free, put_aside
from amla.trials.history import History

RESTORE = "Put a copy of the records from before the damage in their place."


def of_log(records: Records, studies: Sequence[str], aside: Path) -> tuple[dict[str, History], list[Finding]]:
    """Return the histories of some studies, as far as they can be read, and what is wrong with them.

    Mending takes what cannot be used out of the log, into files in the folder `aside`.
    """
    found = [Finding(records.address, f"the database is damaged: {said}", RESTORE) for said in records.faults()]
    histories = {}
    for study in studies:
        rows = records.events(study)
        histories[study], fault = replayed(rows)
        if fault:
            used = len(histories[study]) + len(histories[study].finished)
            what = f"event {fault.sequence} ({fault.kind} of trial {fault.trial}) cannot be used: {fault.why}"
            if len(rows) > used + 1:
                what += f"; nor can the {plural(len(rows) - used - 1, 'event')} after it"
            place, is_tail = f"{records.address}, {study}", _is_tail(rows[used:], fault.trial)
            mend = partial(_cut, records, study, fault.sequence, aside) if is_tail else None
            advice = f"With --repair it is put aside, into '{aside}'; the run goes on then." if is_tail else RESTORE
            found.append(Finding(place, what, advice, mend=mend))
    return histories, found


def of_leases(leases: Sequence[Lease]) -> Iterator[Finding]:
    """Yield the leases that nobody holds any more."""
    for lease in leases:
        if not lease.is_live:
            why = "is over" if lease.is_orphaned else "has not renewed it in time"
            advice = "Nothing: the next command takes it over."
            what = f"the lease was left behind: {lease.holder} {why}"
            yield Finding(f"the lease of {lease.study}", what, advice, hinders=False, mend=lambda: "Given back.")


def _is_tail(rows: Sequence[tuple[int, str, int, str]], trial: int) -> bool:
    """Return whether no event of another trial that can be read is among the rows: then they are worth nothing."""
    return not any(other != trial and is_readable(kind, body) for _, kind, other, body in rows)


def _cut(records: Records, study: str, first: int, aside: Path) -> str:
    path = free(aside / f"{study.replace('/', '-')}-events-{first}.jsonl")
    kept = 0

    def keep(rows: list[dict[str, Any]]) -> None:
        nonlocal kept
        kept = len(rows)
        put_aside(path, b"".join(json.dumps(row).encode() + b"\n" for row in rows))

    records.cut(study, first, keep)
    return f"Put {plural(kept, 'event')} aside, into '{path}'."
