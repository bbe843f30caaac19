"""Where an event log may be: what differs between the databases, and how one is found by its address."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from time import sleep
from typing import Protocol, TypeVar

from sqlalchemy import ColumnElement, Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from amla.storage.errors import StoreError
from amla.storage.sqlite import SqliteFile

T = TypeVar("T")

SERVERS = {"postgresql": "amla.storage.postgres:Postgres"}  # by what their URLs begin with


class Database(Protocol):
    """One database, opened to write or only to read. Nothing here knows what an event is."""

    engine: Engine
    clock: ColumnElement[float]  # SQL for the seconds since 1970, by the clock that all writers share
    pauses: Sequence[float]  # seconds before each further attempt when the connection was lost; none: it cannot be

    @property
    def address(self) -> str:
        """Where it is, in messages; never with a password."""

    def ready(self) -> None:
        """Make the place to write in. Raises OSError if there is none, or nothing to read."""

    def version(self, connection: Connection) -> int:
        """Return the version of the tables, 0 if there are none yet. Raises StoreError if they are another program's.

        A version that is too new is returned like any other.
        """

    def mark(self, connection: Connection) -> None:
        """Write down whose tables these are, and their version, wherever else than in their own table."""

    def exclusive(self) -> AbstractContextManager[Connection]:
        """Lend a connection with one transaction, which nobody else's of this kind overlaps."""

    def rest(self) -> object | None:
        """Return what changes when what is at rest is written; None if it is not at rest, or changes hurt no reader."""

    def explaining(self, doing: str) -> AbstractContextManager[None]:
        """Raise as an OSError or a StoreError what the database complains of meanwhile."""

    def flush(self, connection: Connection, wanted: bool) -> None:
        """Have each commit of a connection flush the disk, and all before it, before it returns; or not."""

    def faults(self, connection: Connection) -> list[str]:
        """Return what the database itself finds wrong with how it is stored, in its own words."""

    def is_taken(self, error: DBAPIError) -> bool:
        """Return whether a row was refused because there is one of the same key already."""

    def is_lost(self, error: DBAPIError) -> bool:
        """Return whether the connection was lost, so that another may serve."""


def database(where: Path | str, *, read_only: bool) -> Database:
    """Return the database at a path, an SQLite file, or at a URL. Raises StoreError for a URL of no known kind."""
    if isinstance(where, Path) or "://" not in where:
        return SqliteFile(Path(where), read_only=read_only)
    scheme = where.partition("://")[0].partition("+")[0]
    if scheme not in SERVERS:
        raise StoreError(
            f"The records cannot be at a URL that begins with {where.partition('://')[0]!r}. "
            "Write the path of an SQLite file, or postgresql+psycopg://USER@HOST/DATABASE."
        )
    module, name = SERVERS[scheme].split(":")
    try:
        kind: Callable[..., Database] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"Records in PostgreSQL need {error.name!r}; install it with: pip install 'amla[postgres]'."
        ) from None
    return kind(where, read_only=read_only)


def tried(database: Database, act: Callable[[bool], T]) -> T:
    """Return what `act` returns; while its connection is lost, let it try again after each of the database's pauses.

    `act` is told whether an attempt before was lost: what that did may or may not have happened.
    """
    was_lost = False
    for pause in database.pauses:
        try:
            return act(was_lost)
        except DBAPIError as error:
            if not database.is_lost(error):
                raise
        was_lost = True
        sleep(pause)
    return act(was_lost)
