"""Leases: of several drivers of a study one writes, until it is done, dead, or has been silent for too long."""

import os
import platform
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from threading import Event, Thread

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from amla.storage.database import Database, tried
from amla.storage.errors import StoreError
from amla.storage.process import identity, is_gone
from amla.storage.tables import lease

SECONDS = 60.0  # that a lease lasts unless it is renewed: so long a successor waits for a machine that has died
RENEWALS = 4  # in that time: three may fail, and longer than that nothing should hold up a thread


@dataclass(frozen=True)
class Lease:
    """Who may write a study. Times are seconds since 1970, UTC, by the clock of the database."""

    study: str
    token: str
    host: str
    pid: int
    process: str
    since: float
    until: float
    left: float  # seconds until then; below 0 it has run out

    @property
    def is_live(self) -> bool:
        """Whether it must be respected."""
        return self.left > 0 and not self.is_orphaned

    @property
    def is_orphaned(self) -> bool:
        """Whether its holder was a process of this machine that is over."""
        return is_gone(self.pid, self.process)

    @property
    def holder(self) -> str:
        """Who it is, in words."""
        return f"process {self.pid} on {self.host!r}"

    def __str__(self) -> str:
        return f"{self.holder}, since {at(self.since)}; its lease lasts until {at(self.until)} unless it is renewed"


@contextmanager
def held(database: Database, studies: tuple[str, ...], seconds: float = SECONDS) -> Iterator[str]:
    """Take the leases of some studies, renew them meanwhile, and give them back; yields the token to write with.

    Raises StoreError, which says who holds it, if one of them cannot be had now.
    """
    token, over = token_hex(16), Event()
    with database.explaining("take the lease"):
        tried(database, lambda _: _take(database, studies, token, seconds))

    def renew() -> None:
        while not over.wait(seconds / RENEWALS):
            with suppress(DBAPIError):  # the next may reach the database; and who has lost it is told at a write
                _renew(database, token, seconds)

    thread = Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield token
    finally:
        over.set()
        thread.join()
        with suppress(DBAPIError):  # then it runs out
            _release(database, token)


def leases(database: Database, connection: Connection, studies: Collection[str] | None = None) -> list[Lease]:
    """Return the leases of these studies (None: all there are); those that have run out, too."""
    query = select(lease, (lease.c.until - database.clock).label("left")).order_by(lease.c.study)
    rows = connection.execute(query if studies is None else query.where(lease.c.study.in_(studies)))
    return [Lease(**row) for row in rows.mappings()]


def at(seconds: float) -> str:
    """Return a time in words."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _take(database: Database, studies: tuple[str, ...], token: str, seconds: float) -> None:
    me = {"host": platform.node(), "pid": os.getpid(), "process": identity(os.getpid())}
    with database.exclusive() as connection:
        known = leases(database, connection, studies)  # ours among them, if its answer was lost
        if others := [found for found in known if found.is_live and found.token != token]:
            names = ", ".join(repr(found.study) for found in others)
            raise StoreError(
                f"Another process is writing {names} in '{database.address}': {others[0]}. Let that process finish, or "
                "end it; if its machine has died, try again after that time."
            )
        connection.execute(lease.delete().where(lease.c.study.in_(studies)))
        now = connection.execute(select(database.clock)).scalar_one()
        taken = {"token": token, "since": now, "until": now + seconds, **me}
        connection.execute(lease.insert(), [{"study": study, **taken} for study in studies])


def _renew(database: Database, token: str, seconds: float) -> None:
    with database.engine.connect() as connection:
        database.flush(connection, False)  # who holds a lease does not outlive a power failure
        until = database.clock + bindparam("lasting", seconds)
        connection.execute(lease.update().where(lease.c.token == token).values(until=until))


def _release(database: Database, token: str) -> None:
    with database.engine.connect() as connection:
        connection.execute(lease.delete().where(lease.c.token == token))
