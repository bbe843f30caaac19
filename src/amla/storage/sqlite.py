"""The SQLite file of an event log: how it is opened, made, told from other programs' files, and flushed."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from amla.storage.errors import StoreError, explained

APPLICATION = 0x616D6C61  # "amla", in the header of the file, tells it from other programs' databases
VERSION = 1  # of the schema, in the header too
BUSY_SECONDS = 30.0  # to wait for another study that is being written to the same file
LOG_PAGES = 4_000  # of 4 kB, before SQLite moves them from the write-ahead log into the table, and flushes twice


class SqliteFile:
    """A database file that one program writes and others may read meanwhile."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = Path(os.path.abspath(path))
        self._read_only = read_only

    def engine(self) -> Engine:
        """Return what connects to the file."""
        return create_engine(
            "sqlite://",
            creator=self._open,
            poolclass=NullPool if self._read_only else QueuePool,
            isolation_level="AUTOCOMMIT",  # a statement is a transaction: none is left open, and nothing is sent twice
            paramstyle="named",
        )

    def make(self, connection: Connection, tables: MetaData) -> None:
        """Make the tables in a new file."""
        if self.is_ours(connection):
            return
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if not self.is_ours(connection):  # another process may have been faster
            tables.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        connection.exec_driver_sql("COMMIT")

    def is_ours(self, connection: Connection) -> bool:
        """Return whether the tables are there; False for an empty file. Raises StoreError for any other database."""
        # In this order: another process makes tables and identity in one transaction, maybe between two of these.
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if application != APPLICATION and (application or tables):
            raise StoreError(f"'{self.path}' is a database of another program. Name another file for the records.")
        if application == APPLICATION and version > VERSION:
            raise StoreError(
                f"'{self.path}' was written by a newer amla (version {version} of the records; this one reads up to "
                f"{VERSION}). Update amla."
            )
        return bool(application == APPLICATION)

    def rest(self) -> tuple[int, int] | None:
        """Return the size and time of a file that nobody has open for writing; None while somebody has."""
        if os.path.exists(f"{self.path}-wal"):
            return None
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    @contextmanager
    def explaining(self, doing: str) -> Iterator[None]:
        """Raise as an OSError or a StoreError what SQLite complains of meanwhile."""
        try:
            yield
        except DBAPIError as error:
            if not isinstance(error.orig, sqlite3.Error):
                raise
            raise explained(error.orig, self.path, doing) from error
        except sqlite3.Error as error:
            raise explained(error, self.path, doing) from error

    def _open(self) -> sqlite3.Connection:
        address = self.path.as_uri()
        if self._read_only:
            # Even a reader of a write-ahead log makes two files and takes locks; of a file at rest it needs neither.
            address += "?mode=ro" if self.rest() is None else "?immutable=1"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def flush(connection: Connection, wanted: bool) -> None:
    """Have each commit of a connection flush the disk, and all commits before it, before it returns; or not."""
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")


def is_taken(error: DBAPIError) -> bool:
    """Return whether a row was refused because there is one of the same key already."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CONSTRAINT
