"""The event log: every ask and tell of every study, appended to one table of a database."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.engine import Connection

from amla.storage.appending import Appending
from amla.storage.database import database, tried
from amla.storage.errors import StoreError
from amla.storage.lease import SECONDS, Lease, held, leases
from amla.storage.queries import AFTER, EVENTS, OF_TRIALS, PART, ends
from amla.storage.replay import outcomes, proposals, replayed
from amla.storage.schema import checked, prepare
from amla.storage.tables import event
from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal, TrialId

T = TypeVar("T")

BRIEF_SECONDS = 0.05  # of a trial that is as well repeated: flushing a disk takes up to some milliseconds
BRIEF_TRIALS = 100  # one after another, before their events are no longer flushed one by one
LEASED = 2  # the first version of the tables that has leases


@dataclass
class _State:
    """Where a study stands. A cache: the key of the table says whether it is still true when the next event comes."""

    sequence: int = 0
    asked: int = 0
    running: dict[TrialId, bool] = field(default_factory=dict)  # and whether their weights are stored
    brief: int = 0  # how many of the trials told last, without a gap, were brief and stored no weights


class Records:
    """A Store in an SQLite file, named by its path, or in PostgreSQL, named by a URL.

    An event is one transaction, and O(1) however long its study is. Once `asked` or `told` has returned, an event
    survives the death of the process; with `durable` a power failure too, but for the newest events of a study whose
    last hundred trials took less than 50 ms each and stored no weights: flushing the disk for each would take longer
    than repeating them. What a power failure takes is the end of the log, never a part before it. A connection that is
    lost is made again, for about a minute, and no event is written twice.

    `read_only` reads without writing anything, also while another process writes; the file must exist. One thread at a
    time writes. Raises StoreError for what is damaged, foreign, of a newer amla, held by another process or out of
    reach, and OSError where the disk or its permissions are in the way.
    """

    def __init__(self, where: Path | str, *, durable: bool = True, read_only: bool = False) -> None:
        self._database = database(where, read_only=read_only)
        self._durable, self._read_only = durable, read_only
        self._states: dict[str, _State] = {}
        self._tokens: dict[str, str] = {}  # of the leases held, by study
        self._appending = Appending(self._database)
        self._writer: Connection | None = None  # kept: to take one from the pool takes as long as to write with it
        self._flushes: bool | None = None  # whether it does
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Where the records are, without a password."""
        return self._database.address

    def history(self, study: str) -> History:
        """Return what has been written of `study`; an empty history if nothing has."""
        history = self._read(EVENTS, lambda rows: self._history(study, rows), study=study)
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
        self._write(study, state, "asked", state.asked, proposals.dump_json(proposal))
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
        self._write(study, state, "told", trial_id, outcomes.dump_json(outcome))
        del state.running[trial_id]
        state.sequence += 1

    def studies(self) -> list[str]:
        """Return the names of all studies, in the order of the alphabet."""
        names = select(event.c.study).distinct()
        return self._read(names, lambda rows: sorted(name for (name,) in rows))

    @contextmanager
    def lease(self, *studies: str, seconds: float = SECONDS) -> Iterator[None]:
        """Be the one who writes these studies: others are told so, and can write again afterwards.

        Raises StoreError if another process is. The lease of one that has died on this machine is taken at once, any
        other after it was silent for `seconds`; whoever has lost it that way gets a StoreError at its next event.
        """
        with held(self._database, studies, seconds) as token:
            self._tokens |= dict.fromkeys(studies, token)
            for study in studies:
                self._states.pop(study, None)  # another may have written until now
            try:
                yield
            finally:
                for study in studies:
                    del self._tokens[study]

    def leases(self) -> list[Lease]:
        """Return who may write which study, by study; those whose lease has run out, too."""
        with self._database.explaining("read the leases"), self._database.engine.connect() as connection:
            return leases(self._database, connection) if checked(self._database, connection) >= LEASED else []

    def events(self, study: str, first: int = 0, most: int | None = None) -> list[tuple[int, str, int, str]]:
        """Return what there is of a study from event `first` on, as it is written: sequence, kind, trial and body."""
        query = AFTER if most is None else PART
        return self._read(query, _tuples, study=study, first=first, most=most)

    def events_of(self, study: str, first: int, most: int) -> list[tuple[int, str, int, str]]:
        """Return the events of up to so many trials, from number `first` on, in order: as `events`.

        They are found in the same time however many others there are.
        """
        return self._read(OF_TRIALS, _tuples, study=study, first=first, end=first + most)

    def counts(self, *studies: str) -> dict[str, tuple[int, int]]:
        """Return how many trials of each study have been asked for and told, in the same time however many they are.

        Of a study with damaged events they are what there should be.
        """

        def answer(rows: Iterable[Any]) -> dict[str, tuple[int, int]]:
            row = [0 if found is None else found + 1 for found in next(iter(rows), [None] * 2 * len(studies))]
            pairs = zip(studies, row[::2], row[1::2], strict=True)
            return {study: (asked, events - asked) for study, events, asked in pairs}

        named = {f"study_{place}": study for place, study in enumerate(studies)}
        return self._read(ends(len(studies)), answer, **named)

    def since(self, study: str, first: int) -> list[tuple[int, str, int, str, float]]:
        """Return the events of a study from number `first` on: sequence, kind, trial, body, and seconds since 1970."""
        return self._read(AFTER.add_columns(event.c.at), _tuples, study=study, first=first)

    def cut(self, study: str, first: int, keep: Callable[[list[dict[str, Any]]], None]) -> None:
        """Take the events of a study from number `first` on out of the log, once `keep` has them somewhere else."""
        tail = (event.c.study == study) & (event.c.sequence >= first)
        with self._database.explaining(f"cut off study {study!r}"), self._database.exclusive() as connection:
            rows = connection.execute(select(event).where(tail).order_by(event.c.sequence)).mappings()
            keep([dict(row) for row in rows])
            connection.execute(event.delete().where(tail))
        self._states.pop(study, None)

    def faults(self) -> list[str]:
        """Return what the database finds wrong with itself, in its own words."""
        with self._database.explaining("check the records"), self._database.engine.connect() as connection:
            return self._database.faults(connection)

    def close(self) -> None:
        """Close the database. The next call would open it again."""
        self._release()
        self._database.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Make or check what is to be written or read, so that what is wrong with it is said at once."""
        self._database.ready()
        if self._read_only:
            self._read(select(event.c.study).limit(1), list)
        else:
            with self._database.explaining("open the records"):
                prepare(self._database)

    def _state(self, study: str) -> _State:
        if study not in self._states:
            self.history(study)
        return self._states[study]

    def _write(self, study: str, state: _State, kind: str, trial_id: TrialId, body: bytes) -> None:
        row = {"study": study, "sequence": state.sequence, "kind": kind, "trial": trial_id, "body": body.decode()}
        row["at"] = time()
        flushing = self._durable and state.brief < BRIEF_TRIALS

        def act(was_lost: bool) -> None:
            with self._writing(flushing) as connection:
                self._appending.append(connection, row, self._tokens.get(study), was_lost)

        with self._database.explaining(f"write that trial {trial_id} of study {study!r} was {kind}"):
            tried(self._database, act)

    def _read(self, query: Select[Any], answer: Callable[[Iterable[Any]], T], **given: Any) -> T:
        """Return the answer to a query of what is `given`.

        It asks again if a file that was read at rest did not stay at rest meanwhile.
        """

        def act(_: bool) -> T:
            with self._database.engine.connect() as connection:
                if not checked(self._database, connection):
                    return answer(())
                with connection.execute(query, given) as rows:
                    return answer(rows)

        while True:
            rest = self._database.rest()
            try:
                with self._database.explaining("read the records"):
                    result = tried(self._database, act)
            except (StoreError, OSError):
                if rest == self._database.rest():
                    raise
            else:
                if rest is None or rest == self._database.rest():
                    return result

    def _history(self, study: str, rows: Iterable[Any]) -> History:
        history, fault = replayed(rows)
        if fault:
            raise StoreError(
                f"Event {fault.sequence} of study {study!r} in '{self.address}' ({fault.kind} of trial {fault.trial}) "
                f"is damaged: {fault.why}. Put a copy of the records from before the damage in their place; "
                "`amla doctor` tells what else is wrong, and whether it can be mended."
            )
        return history

    @contextmanager
    def _writing(self, flushing: bool) -> Iterator[Connection]:
        """Lend the connection to write with. If it is `flushing`, what it has written is on the disk."""
        try:
            if self._writer is None:
                self._writer, self._flushes = self._database.engine.connect(), None
            if self._flushes is not flushing:
                self._database.flush(self._writer, flushing)
                self._flushes = flushing
            yield self._writer
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _tuples(rows: Iterable[Any]) -> list[Any]:
    return [tuple(row) for row in rows]
