"""The event log: every ask and tell of every study, appended to one table of an SQLite file."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import CheckConstraint, Column, Float, Integer, MetaData, Select, Table, Text, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from amla.spec.text import explain
from amla.storage.errors import StoreError
from amla.storage.sqlite import SqliteFile, flush, is_taken
from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal, TrialId

T = TypeVar("T")

BRIEF_SECONDS = 0.05  # of a trial that is as well repeated: flushing a disk takes up to some milliseconds
BRIEF_TRIALS = 100  # one after another, before their events are no longer flushed one by one

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
_proposal: TypeAdapter[Proposal] = TypeAdapter(Proposal)
_outcome: TypeAdapter[Outcome] = TypeAdapter(Outcome, config=ConfigDict(ser_json_inf_nan="constants"))


@dataclass
class _State:
    """Where a study stands. A cache: the key of the table says whether it is still true when the next event comes."""

    sequence: int = 0
    asked: int = 0
    running: dict[TrialId, bool] = field(default_factory=dict)  # and whether their weights are stored
    brief: int = 0  # how many of the trials told last, without a gap, were brief and stored no weights


class Records:
    """A Store in an SQLite file. An event is one transaction, and O(1) however long its study is.

    Once `asked` or `told` has returned, an event survives the death of the process; with `durable` a power failure
    too, but for the newest events of a study whose last hundred trials took less than 50 ms each and stored no
    weights: flushing the disk for each would take longer than repeating them. What a power failure takes is the end
    of the log, never a part before it. `read_only` reads without writing anything, also while another process writes;
    the file must exist. One thread at a time writes. Raises StoreError for a file that is damaged, foreign or of a
    newer amla, and OSError where the disk or its permissions are in the way.
    """

    def __init__(self, path: Path, *, durable: bool = True, read_only: bool = False) -> None:
        self._file = SqliteFile(path, read_only=read_only)
        self.path = self._file.path
        self._durable, self._read_only = durable, read_only
        self._states: dict[str, _State] = {}
        self._engine = self._file.engine()
        self._append = str(_event.insert().compile(self._engine))
        self._writer: Connection | None = None  # kept: to take one from the pool takes as long as to write with it
        self._flushes: bool | None = None  # whether it does
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
        running = {trial.id: trial.proposal.keep for trial in history.running}
        self._states[study] = _State(len(history) + len(history.finished), len(history), running)
        return history

    def asked(self, study: str, proposal: Proposal) -> None:
        """Append a proposal; its trial's id is the number of proposals before it.

        Raises ValueError for one that starts from no trial of the study, and writes nothing.
        """
        state = self._state(study)
        if proposal.start is not None and not 0 <= proposal.start < state.asked:
            raise ValueError(f"Trial {state.asked} of study {study!r} starts from {proposal.start}, which is no trial.")
        self._write(study, state, "asked", state.asked, _proposal.dump_json(proposal))
        state.running[state.asked] = proposal.keep
        state.asked += 1
        state.sequence += 1

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        """Append the outcome of a running trial. Raises ValueError for any other trial, and writes nothing."""
        state = self._state(study)
        if not 0 <= trial_id < state.asked:
            raise ValueError(f"Trial {trial_id} of study {study!r} was never asked for; there are {state.asked}.")
        if trial_id not in state.running:
            raise ValueError(f"Trial {trial_id} of study {study!r} has already been told.")
        brief = outcome.seconds < BRIEF_SECONDS and not state.running[trial_id]
        state.brief = state.brief + 1 if brief else 0
        self._write(study, state, "told", trial_id, _outcome.dump_json(outcome))
        del state.running[trial_id]
        state.sequence += 1

    def studies(self) -> list[str]:
        """Return the names of all studies, in the order of the alphabet."""
        names = select(_event.c.study).distinct().order_by(_event.c.study)
        return self._read(names, lambda rows: [name for (name,) in rows])

    def close(self) -> None:
        """Close the file. The next call would open it again."""
        self._release()
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
                self._file.make(connection, _metadata)

    def _state(self, study: str) -> _State:
        if study not in self._states:
            self.history(study)
        return self._states[study]

    def _write(self, study: str, state: _State, kind: str, trial_id: TrialId, body: bytes) -> None:
        row = {"study": study, "sequence": state.sequence, "kind": kind, "trial": trial_id, "body": body.decode()}
        flushing = self._durable and state.brief < BRIEF_TRIALS
        with self._writing(f"write that trial {trial_id} of study {study!r} was {kind}", flushing) as connection:
            try:
                connection.exec_driver_sql(self._append, {**row, "at": time()})
            except DBAPIError as error:
                if not is_taken(error):
                    raise
                raise StoreError(
                    f"Another process is writing study {study!r} to '{self.path}': its event {state.sequence} is there "
                    "already. A study has one writer: let the other process finish or end it, then run this again."
                ) from None

    def _read(self, query: Select[Any], answer: Callable[[Iterable[Any]], T]) -> T:
        """Return the answer to a query; ask again if a file that was read at rest did not stay at rest meanwhile."""
        while True:
            rest = self._file.rest()
            try:
                with self._connected("read the records") as connection:
                    if not self._file.is_ours(connection):
                        return answer(())
                    with connection.execute(query) as rows:
                        result = answer(rows)
            except (StoreError, OSError):
                if not self._read_only or rest == self._file.rest():
                    raise
            else:
                if not self._read_only or rest is None or rest == self._file.rest():
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
        """Lend a connection."""
        with self._file.explaining(doing), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self, doing: str, flushing: bool) -> Iterator[Connection]:
        """Lend the connection to write with. If it is `flushing`, what it has written is on the disk."""
        with self._file.explaining(doing):
            try:
                if self._writer is None:
                    self._writer, self._flushes = self._engine.connect(), None
                if self._flushes is not flushing:
                    flush(self._writer, flushing)
                    self._flushes = flushing
                yield self._writer
            except BaseException:
                self._release()
                raise

    def _release(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
