"""The event log: every ask and tell of every study, appended to one table of an SQLite file."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import CheckConstraint, Column, Float, Integer, MetaData, Select, Table, Text, create_engine, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from amla.spec.text import explain
from amla.storage.errors import StoreError, explained
from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal, TrialId

T = TypeVar("T")

APPLICATION = 0x616D6C61  # "amla", in the header of the file, tells it from other programs' databases
VERSION = 1  # of the schema, in the header too
BUSY_SECONDS = 30.0  # to wait for another study that is being written to the same file

_metadata = MetaData()
_event = Table(
    "event",
    _metadata,
    Column("study", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),  # 0, 1, ... within a study
    Column("kind", Text, CheckConstraint("kind IN ('asked', 'told')"), nullable=False),
    Column("trial", Integer, nullable=False),
    Column("body", Text, nullable=False),  # JSON of the Proposal or the Outcome
    Column("at", Float, nullable=False),  # seconds since 1970, UTC
)
_append = _event.insert()
_proposal: TypeAdapter[Proposal] = TypeAdapter(Proposal)
_outcome: TypeAdapter[Outcome] = TypeAdapter(Outcome, config=ConfigDict(ser_json_inf_nan="constants"))


@dataclass
class _State:
    """Where a study stands. A cache: the key of the table says whether it is still true when the next event comes."""

    sequence: int = 0
    asked: int = 0
    running: set[TrialId] = field(default_factory=set)


class Records:
    """A Store in an SQLite file. An event is one transaction, and O(1) however long its study is.

    With `durable` an event survives a power failure once `asked` or `told` has returned; without, it survives the
    death of the process, and writing is several times faster. `read_only` reads without writing anything, also while
    another process writes; the file must exist. Raises StoreError for a file that is damaged, foreign or of a newer
    amla, and OSError where the disk or its permissions are in the way.
    """

    def __init__(self, path: Path, *, durable: bool = True, read_only: bool = False) -> None:
        self.path = Path(os.path.abspath(path))
        self._durable, self._read_only = durable, read_only
        self._states: dict[str, _State] = {}
        self._engine = create_engine(
            "sqlite://",
            creator=self._open,
            poolclass=NullPool if read_only else QueuePool,
            isolation_level="AUTOCOMMIT",  # a statement is a transaction: none is left open, and nothing is sent twice
        )
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def history(self, study: str) -> History:
        """Return what has been written of `study`; an empty history if nothing has."""
        columns = _event.c.sequence, _event.c.kind, _event.c.trial, _event.c.body
        events = select(*columns).where(_event.c.study == study).order_by(_event.c.sequence)
        history = self._read(events, lambda rows: self._replayed(study, rows))
        running = {trial.id for trial in history.running}
        self._states[study] = _State(len(history) + len(history.finished), len(history), running)
        return history

    def asked(self, study: str, proposal: Proposal) -> None:
        """Append a proposal; its trial's id is the number of proposals before it.

        Raises ValueError for one that starts from no trial of the study, and writes nothing.
        """
        state = self._state(study)
        if proposal.start is not None and not 0 <= proposal.start < state.asked:
            raise ValueError(f"Trial {state.asked} of study {study!r} starts from {proposal.start}, which is no trial.")
        self._write(study, state.sequence, "asked", state.asked, _proposal.dump_json(proposal))
        state.running.add(state.asked)
        state.asked += 1
        state.sequence += 1

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        """Append the outcome of a running trial. Raises ValueError for any other trial, and writes nothing."""
        state = self._state(study)
        if not 0 <= trial_id < state.asked:
            raise ValueError(f"Trial {trial_id} of study {study!r} was never asked for; there are {state.asked}.")
        if trial_id not in state.running:
            raise ValueError(f"Trial {trial_id} of study {study!r} has already been told.")
        self._write(study, state.sequence, "told", trial_id, _outcome.dump_json(outcome))
        state.running.remove(trial_id)
        state.sequence += 1

    def studies(self) -> list[str]:
        """Return the names of all studies, in the order of the alphabet."""
        names = select(_event.c.study).distinct().order_by(_event.c.study)
        return self._read(names, lambda rows: [name for (name,) in rows])

    def close(self) -> None:
        """Close the file. The next call would open it again."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Make or check the file, so that what is wrong with it is said at once."""
        if self._read_only:
            if not self.path.exists():
                raise FileNotFoundError(errno.ENOENT, "There are no records", str(self.path))
            self.studies()
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._connected("open the records") as connection:
                self._prepare(connection)

    def _state(self, study: str) -> _State:
        if study not in self._states:
            self.history(study)
        return self._states[study]

    def _write(self, study: str, sequence: int, kind: str, trial_id: TrialId, body: bytes) -> None:
        row = {"study": study, "sequence": sequence, "kind": kind, "trial": trial_id, "body": body.decode()}
        with self._connected(f"write that trial {trial_id} of study {study!r} was {kind}") as connection:
            try:
                connection.execute(_append, {**row, "at": time()})
            except DBAPIError as error:
                if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CONSTRAINT:
                    raise
                raise StoreError(
                    f"Another process is writing study {study!r} to '{self.path}': its event {sequence} is there "
                    "already. A study has one writer: let the other process finish or end it, then run this again."
                ) from None

    def _read(self, query: Select[Any], answer: Callable[[Iterable[Any]], T]) -> T:
        """Return the answer to a query; ask again if a file that was read at rest did not stay at rest meanwhile."""
        while True:
            rest = self._rest()
            try:
                with self._connected("read the records") as connection:
                    if not self._is_ours(connection):
                        return answer(())
                    with connection.execute(query) as rows:
                        result = answer(rows)
            except (StoreError, OSError):
                if not self._read_only or rest == self._rest():
                    raise
            else:
                if not self._read_only or rest is None or rest == self._rest():
                    return result

    def _replayed(self, study: str, rows: Iterable[Any]) -> History:
        history = History()
        for place, (sequence, kind, trial_id, body) in enumerate(rows):
            try:
                if sequence != place or (kind == "asked" and trial_id != len(history)):
                    raise ValueError("an event before it is missing")
                if kind == "asked":
                    history = history.asked(_proposal.validate_json(body))
                else:
                    history = history.told(trial_id, _outcome.validate_json(body))
            except ValueError as error:
                what = explain(error) if isinstance(error, ValidationError) else error
                raise StoreError(
                    f"Event {sequence} of study {study!r} in '{self.path}' ({kind} of trial {trial_id}) is damaged: "
                    f"{what}. Put a copy of the file from before the damage in its place."
                ) from None
        return history

    @contextmanager
    def _connected(self, doing: str) -> Iterator[Connection]:
        """Lend a connection; what SQLite complains of meanwhile is raised as an OSError or a StoreError."""
        try:
            with self._engine.connect() as connection:
                yield connection
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
            address += "?mode=ro" if self._rest() is None else "?immutable=1"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _rest(self) -> tuple[int, int] | None:
        """Return the size and time of a file that nobody has open for writing; None while somebody has."""
        if os.path.exists(f"{self.path}-wal"):
            return None
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def _prepare(self, connection: Connection) -> None:
        """Make the table in a new file."""
        if self._is_ours(connection):
            return
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if not self._is_ours(connection):  # another process may have been faster
            _metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        connection.exec_driver_sql("COMMIT")

    def _is_ours(self, connection: Connection) -> bool:
        """Return whether the table is there; False for an empty file. Raises StoreError for any other database."""
        application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if application != APPLICATION and (application or tables):
            raise StoreError(f"'{self.path}' is a database of another program. Name another file for the records.")
        if application == APPLICATION and version > VERSION:
            raise StoreError(
                f"'{self.path}' was written by a newer amla (version {version} of the records; this one reads up to "
                f"{VERSION}). Update amla."
            )
        return bool(application == APPLICATION)
