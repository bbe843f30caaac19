"""What load.py reads from the event log once all is over."""

import sqlite3
from contextlib import closing
from pathlib import Path


def unanswered(log: Path, told: int, services: int) -> int:
    """Return how many trials have no outcome though four times as many as there are services have begun since."""
    query = "SELECT count(DISTINCT trial), sum(kind = 'told') FROM event WHERE study = 'search' AND trial < ?"
    with closing(sqlite3.connect(log)) as connection:
        asked, over = connection.execute(query, (max(0, told - 4 * services),)).fetchone()
    return int(asked - (over or 0))


def longest(log: Path, first: int, services: int) -> float | None:
    """Return how long the slowest trial took, from its proposal to its outcome, of those about number `first`.

    Not of all: a time is behind its event's body, and so to look for it reads the log.
    """
    times = (
        "SELECT max(at) - min(at) AS took FROM event WHERE study = 'search' AND trial BETWEEN ? AND ? GROUP BY trial"
    )
    about = max(0, first - 2 * services), first + 100 * services
    with closing(sqlite3.connect(log)) as connection:
        found = connection.execute(f"SELECT max(took) FROM ({times})", about).fetchone()[0]  # noqa: S608
    return None if found is None else round(found, 1)
