"""One trial at one worker service: sent, asked after until it is over, its weights fetched. Runs in a thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event as Flag
from time import monotonic
from typing import Any, Protocol, TypeVar

from amla.execution import orders
from amla.execution.orders import Order, Status
from amla.execution.service import Connection, Forgotten, Full, Gone, Missing, Refused
from amla.execution.work import failure
from amla.spec.values import value
from amla.trials.progress import Progress
from amla.trials.trial import Outcome, Trial, TrialId

T = TypeVar("T")

UPLOADS = 3  # of one snapshot to a service that still says it lacks it
NAP, LONGEST_NAP = 0.02, 1.0  # seconds between questions to a service that does not wait before it answers; doubled


class Snapshots(Protocol):
    """Where the weights that trials leave are kept here, as the bytes of their files."""

    def read(self, trial_id: TrialId) -> bytes:
        """Return what a trial left. Raises FileNotFoundError if it left nothing."""

    def write(self, trial_id: TrialId, content: bytes) -> None:
        """Keep what a trial left. Raises ValueError for what is no snapshot."""


@value
class Terms:
    """What a worker service is told of every trial besides; see `amla.execution.orders.Order`."""

    run: str
    phase: str
    task: Mapping[str, Any]
    threads: int | None = None
    seconds: float | None = None
    memory: int | None = None

    def order(self, trial: Trial, start: str | None) -> bytes:
        """Return the order of a trial that starts from the snapshot with this digest."""
        told = (self.threads, self.seconds, self.memory)
        return orders.order.dump_json(Order(self.run, self.phase, self.task, trial, start, *told))


@value
class Over:
    """The trial has an outcome."""

    outcome: Outcome


@value
class Lost:
    """The service does not answer any more; or it does, but has forgotten the trial."""

    why: str
    forgotten: bool = False


@value
class Crowded:
    """The service has no room: somebody else uses it, too."""


@value
class Unable:
    """The service cannot run the trial, though another may."""

    why: str


@dataclass(frozen=True)
class Fault:
    """This machine is at fault, or amla is."""

    error: Exception


End = Over | Lost | Crowded | Unable | Fault


@dataclass(eq=False)
class Errand:
    """A trial on its way. `id` is what the service calls it, once that is known.

    An answer comes after `wait` seconds at the latest, or else within `lease`; `hear` is called with lines of the
    curve, from this thread. `digests` are those of snapshots, as far as they are known; `stop` ends it.
    """

    trial: Trial
    terms: Terms
    snapshots: Snapshots
    digests: dict[TrialId, str]
    wait: float
    lease: float
    hear: Callable[["Errand", tuple[Progress, ...]], None]
    stop: Flag
    id: str | None = None
    began: float = field(default_factory=monotonic)

    def run(self, connection: Connection) -> End:
        """Do it, and return how it ended; without any answer for `lease` seconds, it has."""
        try:
            return self._run(connection)
        except Gone as error:
            return Lost(str(error))
        except Forgotten:
            return Lost(f"{connection.url} has forgotten it", forgotten=True)
        except Full:
            return Crowded()
        except Refused as error:
            return Unable(str(error))
        except OSError as error:
            return Fault(error)

    def _run(self, connection: Connection) -> End:
        start = self.trial.proposal.start
        try:
            if start is not None and start not in self.digests:
                self.digests[start] = orders.key(self.snapshots.read(start))
        except (FileNotFoundError, ValueError) as error:
            return Over(failure("crashed", f"The weights of trial {start}, which it starts from: {error}", 0.0))
        status = self._sent(connection, None if start is None else self.digests[start])
        self.id, nap, heard = status.id, NAP, 0
        while status.state == "running":
            asked = monotonic()
            status = self._answered(connection, status.id, heard)
            if status.lines:
                self.hear(self, status.lines)
            heard = status.next
            if status.state == "running" and monotonic() - asked < min(self.wait, nap):
                self.stop.wait(nap)
                nap = min(2 * nap, LONGEST_NAP)
        return self._ended(connection, status)

    def _ended(self, connection: Connection, status: Status) -> End:
        if status.state == "unable":
            return Unable(f"{connection.url}: {status.message}")
        if status.outcome is None:
            return Unable(f"{connection.url} says that trial {self.trial.id} is done, but not its outcome.")
        if status.snapshot is not None:
            kept = status.snapshot
            content = self._patiently(lambda left: connection.download(kept))
            try:
                self.snapshots.write(self.trial.id, content)
            except ValueError as error:
                return Unable(f"What {connection.url} has kept of trial {self.trial.id} is no snapshot: {error}")
            self.digests[self.trial.id] = status.snapshot.digest
        return Over(status.outcome)

    def _sent(self, connection: Connection, start: str | None) -> Status:
        """Send the order, and before it the snapshot if the service lacks that."""
        body = self.terms.order(self.trial, start)
        for _ in range(UPLOADS):
            try:
                return self._patiently(lambda left: connection.send(body, orders.key(body), left))
            except Missing:
                self._give(connection, start)
        raise Refused(f"{connection.url} still lacks a snapshot that it was given {UPLOADS} times.")

    def _give(self, connection: Connection, digest: str | None) -> None:
        start = self.trial.proposal.start
        if digest is None or start is None:
            raise Refused(f"{connection.url} lacks a snapshot, of a trial that starts from none.")
        content = self.snapshots.read(start)
        self._patiently(lambda left: connection.upload(digest, content))

    def _answered(self, connection: Connection, trial: str, heard: int) -> Status:
        return self._patiently(lambda left: connection.status(trial, heard, min(self.wait, left / 2), left))

    def _patiently(self, call: Callable[[float], T]) -> T:
        """Return what `call` does, tried again until `lease` seconds have passed. Raises Gone then."""
        until, pause = monotonic() + self.lease, NAP
        while True:
            try:
                return call(max(NAP, until - monotonic()))
            except Gone:
                if monotonic() >= until or self.stop.wait(min(pause, max(0.0, until - monotonic()))):
                    raise
                pause = min(2 * pause, LONGEST_NAP)
