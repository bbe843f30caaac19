"""Doing away with a run: what its folder only names, its events in a database and its snapshots at an address."""

from pathlib import Path

from amla.storage.records import Records
from amla.study import log
from amla.study.shared import clear


def forget(folder: Path) -> None:
    """Delete the events of a run from the database, and its files at the address, that its folder names, if any.

    Raises StoreError if somebody drives the run, or the database cannot be reached, and OSError likewise.
    """
    if log.place(folder) is None:
        clear(folder)
        return
    where, names = log.where(folder)
    with Records(where) as records, records.lease(*names.values()):
        for name in names.values():
            records.cut(name, 0, lambda rows: None)
        clear(folder)
