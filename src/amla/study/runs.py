"""Doing away with a run: its events in a database, which its folder only names."""

from pathlib import Path

from amla.storage.records import Records
from amla.study import log


def forget(folder: Path) -> None:
    """Delete the events of a run from the database that its folder names, if it names one.

    Raises StoreError if somebody drives the run, or the database cannot be reached.
    """
    if log.place(folder) is None:
        return
    where, names = log.where(folder)
    with Records(where) as records, records.lease(*names.values()):
        for name in names.values():
            records.cut(name, 0, lambda rows: None)
