"""The SQLite file of an event log: how it is opened, told from other programs' files, locked and flushed."""

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import ColumnElement, Float, create_engine, literal_column
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from amla.storage.errors import StoreError, explained
from amla.storage.tables import VERSION

APPLICATION = 0x616D6C61  # "amla", in the header of the file, tells it from other programs' databases
BUSY_SECONDS = 30.0  # to wait for another study that is being written to the same file
IDENTITY = (  # in one statement: another process makes tables and identity in one transaction
    "SELECT (SELECT count(*) FROM sqlite_master), application_id, user_version "
    "FROM pragma_application_id, pragma_user_version"
)
LOG_PAGES = 4_000  # of 4 kB, before SQLite moves them from the write-ahead log into the table, and flushes twice


class SqliteFile:
    """A Database in a file that one program writes and others may read meanwhile."""

    clock: ColumnElement[float] = literal_column("(julianday('now') - 2440587.5) * 86400.0", Float)
    pauses: Sequence[float] = ()

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = Path(os.path.abspath(path))
        self._read_only = read_only
        self.engine = create_engine(
            "sqlite://",
            creator=self._open,
            poolclass=NullPool if read_only else QueuePool,
            isolation_level="AUTOCOMMIT",  # a statement is a transaction: none is left open, and nothing is sent twice
            paramstyle="named",
        )

    @property
    def address(self) -> str:
        """The path of the file."""
        return str(self.path)

    def ready(self) -> None:
        """Make the folder of the file. Raises FileNotFoundError if there is no file to read."""
        if not self._read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, "There are no records", self.address)

    def version(self, connection: Connection) -> int:
        """Return the version of the tables, 0 for an empty file. Raises StoreError for any other database."""
        tables, application, version = connection.exec_driver_sql(IDENTITY).one()
        if application != APPLICATION and (application or tables):
            raise StoreError(f"'{self.path}' is a database of another program. Name another file for the records.")
        return int(version) if application == APPLICATION else 0

    def mark(self, connection: Connection) -> None:
        """Write into the header whose file this is; an older amla looks there for the version."""
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Lend a connection with one transaction that nobody else's overlaps."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # lasts; nothing happens if it is so already
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                with suppress(DBAPIError):  # of some errors SQLite has rolled back already
                    connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def rest(self) -> tuple[int, int] | None:
        """Return the size and time of a file that nobody has open for writing; None while somebody has."""
        if not self._read_only or os.path.exists(f"{self.path}-wal"):
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

    def flush(self, connection: Connection, wanted: bool) -> None:
        """Have each commit of a connection flush the disk, and all before it, before it returns; or not."""
        connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")

    def faults(self, connection: Connection) -> list[str]:
        """Return what SQLite finds wrong with the pages of the file."""
        return [said for said in connection.exec_driver_sql("PRAGMA integrity_check").scalars() if said != "ok"]

    def is_taken(self, error: DBAPIError) -> bool:
        """Return whether a row was refused because there is one of the same key already."""
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CONSTRAINT

    def is_lost(self, error: DBAPIError) -> bool:
        """Return False: a file has no connection to lose."""
        return False

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
