"""A PostgreSQL database of an event log: how it is reached, what is lost when it is not, and what it complains of."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError

from amla.storage.errors import StoreError
from amla.storage.tables import metadata, version

LOCK = 0x616D6C61  # "amla": the key of the advisory lock that `exclusive` takes
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0, 10.0)  # seconds, about a minute: a server starts anew
PATIENCE = {  # parameters of the connection: one that says nothing for about a minute is lost
    "connect_timeout": "10",  # s
    "keepalives_idle": "30",  # s, and then every 10 s, three times
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # ms without an answer to what was sent
    "application_name": "amla",
}
LOCK_SECONDS = 30  # to wait for a lock that another connection holds

# The codes of errors after which another connection may serve, besides class 08 (PostgreSQL's manual, appendix A): two
# transactions in each other's way, too many connections, a server that is stopping, has crashed, or is starting.
LOST = {"40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05"}
FULL = "53100"
READ_ONLY = "25006"


class Postgres:
    """A Database on a server, which may be anywhere; many programs write, each its own studies.

    A connection that is lost is replaced. What else differs from a file: the clock is the server's.
    """

    clock: sa.ColumnElement[float] = sa.literal_column("date_part('epoch', clock_timestamp())", sa.Float)
    pauses: Sequence[float] = PAUSES

    def __init__(self, url: str, *, read_only: bool) -> None:
        self._url = _checked(url)
        self._read_only = read_only
        self.engine = sa.create_engine(
            self._url,
            connect_args={name: said for name, said in PATIENCE.items() if name not in self._url.query},
            isolation_level="AUTOCOMMIT",  # a statement is a transaction, and one journey there and back
            use_native_hstore=False,  # which would be asked for at the first connection
        )
        sa.event.listen(self.engine, "connect", self._settle)

    @property
    def address(self) -> str:
        """The URL without its password."""
        return without_password(self._url)

    def ready(self) -> None:
        """Do nothing: the database must be there already."""

    def version(self, connection: Connection) -> int:
        """Return the version of the tables, 0 if there are none. Raises StoreError if they are another program's."""
        # Not by to_regclass: its answer may come from a cache, and be older than the lock of `exclusive`.
        named = sa.column("relname").in_(metadata.tables)
        classes = sa.select(sa.column("relname", sa.Text)).select_from(sa.text("pg_class"))
        visible = classes.where(named, sa.text("pg_table_is_visible(oid)"))
        tables = set(connection.execute(visible).scalars())
        if version.name in tables:
            return int(connection.execute(sa.select(version.c.version_num)).scalar_one())
        if tables:
            raise StoreError(
                f"'{self.address}' has tables of another program that are called like ours (event, lease). Name "
                "another database, or another schema: add ?options=-csearch_path%3DSCHEMA to the URL."
            )
        return 0

    def mark(self, connection: Connection) -> None:
        """Do nothing: the table of the version says it all."""

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Lend a connection with one transaction; of those in one database, one goes on at a time."""
        whole = self.engine.execution_options(isolation_level="READ COMMITTED")
        with whole.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            yield connection

    def rest(self) -> None:
        """Return None: the server shows each reader one state."""

    @contextmanager
    def explaining(self, doing: str) -> Iterator[None]:
        """Raise as an OSError or a StoreError what PostgreSQL complains of meanwhile."""
        try:
            yield
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.Error):
                raise
            raise self._explained(error, error.orig, doing) from error

    def flush(self, connection: Connection, wanted: bool) -> None:
        """Have each commit of a connection flush the server's disk, and all before it, before it returns; or not."""
        connection.exec_driver_sql(f"SET synchronous_commit = {'on' if wanted else 'off'}")

    def faults(self, connection: Connection) -> list[str]:
        """Return nothing: checking its files is the server's own task."""
        return []

    def is_taken(self, error: DBAPIError) -> bool:
        """Return whether a row was refused because there is one of the same key already."""
        return isinstance(error.orig, psycopg.errors.UniqueViolation)

    def is_lost(self, error: DBAPIError) -> bool:
        """Return whether the connection was lost, or the server is just starting, stopping or too busy."""
        if error.connection_invalidated:  # whatever else it complains of
            return True
        if not isinstance(error.orig, psycopg.OperationalError):
            return False
        state = error.orig.sqlstate
        return state is None or state in LOST or state.startswith("08")

    def _settle(self, connection: psycopg.Connection, _record: object) -> None:
        """Set what a session needs; parameters of the URL could not be added to."""
        connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'".encode())
        if self._read_only:
            connection.execute("SET default_transaction_read_only = on")

    def _explained(self, error: DBAPIError, cause: psycopg.Error, doing: str) -> Exception:
        said = " ".join(str(cause).split())
        if cause.sqlstate == FULL:
            return OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} of the server: could not {doing}", self.address)
        if self.is_lost(error):
            return StoreError(
                f"Could not {doing}: there is no connection to '{self.address}' ({said}). Nothing that was written is "
                "lost. See that the server runs and can be reached from here with this user, then start again; a "
                "password goes into ~/.pgpass or PGPASSWORD."
            )
        if isinstance(cause, psycopg.errors.InsufficientPrivilege) or cause.sqlstate == READ_ONLY:
            return PermissionError(errno.EACCES, f"{said}: could not {doing}", self.address)
        return StoreError(f"Could not {doing} in '{self.address}': {said}.")


def without_password(url: sa.URL) -> str:
    """Return a URL as it may be shown and kept."""
    shown = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database, url.query)
    return shown.difference_update_query(["password"]).render_as_string()


def _checked(url: str) -> sa.URL:
    """Return a URL for psycopg. Raises StoreError for one that cannot be read, or is of another driver."""
    try:
        found = sa.make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(
            "The URL of the records cannot be read. Write postgresql+psycopg://USER@HOST:PORT/DATABASE."
        ) from None
    if found.drivername not in ("postgresql", "postgresql+psycopg"):
        raise StoreError(f"Records are not written by way of {found.drivername!r}; write postgresql+psycopg://...")
    return found.set(drivername="postgresql+psycopg")
