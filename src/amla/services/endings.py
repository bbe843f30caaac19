"""How the driver of a study ended, and what that makes of the study."""

from dataclasses import replace
from pathlib import Path

from amla.services.drivers import holder, last_words
from amla.services.entries import Entry
from amla.services.logbook import number_of_events
from amla.services.wire import Found
from amla.storage.errors import StoreError
from amla.study import folder as folders
from amla.study.result import is_finished, result
from amla.study.study import StudyError

ATTEMPTS = 3  # at going on with a study whose driver is killed each time before anything new was recorded
CTRL_C = 130  # exit code


def after(entry: Entry, path: Path, found: Found | None, code: int | None, was_told: bool) -> tuple[Entry, str]:
    """Return the entry of a study whose driver is over, and in a word what happened.

    It has `found` what it should, or nothing yet. Its exit `code` is not known of one that was started by an earlier
    server. `was_told`: to end.
    """
    free = replace(entry, pid=0, process="")
    if found:
        return replace(free, ended="done", wanted="run", found=found, why=None), "done"
    if was_told or entry.wanted == "stop":
        return free, "stopped"
    if code == CTRL_C:  # of somebody at a terminal
        return replace(free, wanted="stop"), "stopped"
    if lease := holder(path):  # it was another one that drives it
        return replace(entry, pid=lease.pid, process=lease.process), "found running"
    if code is not None and code > 0:
        return replace(free, ended="failed", why=last_words(path)), "failed"
    return _taken_up(free, number_of_events(path)), "was killed"


def found_by(path: Path) -> Found | None:
    """Return what a run has found, None if it is not done."""
    if not (path / folders.WEIGHTS).is_file():
        return None
    try:
        run = folders.read(path)
        found = result(run) if is_finished(run) else None
    except (StudyError, StoreError, OSError):  # what is wrong with it, its driver has said
        return None
    if found is None:
        return None
    tested = found.tested
    return Found(
        accuracy=tested.accuracy if tested else None,
        low=tested.low if tested else None,
        high=tested.high if tested else None,
        examples=found.examples,
        parameters=found.parameters,
        macs=found.macs,
        steps=found.steps,
        search_seconds=found.search_seconds,
        final_seconds=found.final_seconds,
        shape=found.architecture.shape,
        scored=found.scored,
    )


def _taken_up(entry: Entry, events: int) -> Entry:
    """Return the entry of a study whose driver was killed: it is to go on, unless that has helped nothing before."""
    attempts = 1 if events > entry.events else entry.attempts + 1
    if attempts > ATTEMPTS:
        why = f"Its process was killed {attempts} times without getting any further. Is there memory enough?"
        return replace(entry, ended="failed", why=why)
    return replace(entry, attempts=attempts, events=events)
