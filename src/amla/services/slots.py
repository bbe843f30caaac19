"""A slot of a worker service: a thread that runs one trial after another, in a worker process that it keeps warm."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any, Protocol

from amla.execution import orders
from amla.execution.local import LocalExecutor
from amla.execution.orders import Kept, Order, State
from amla.execution.work import Work, WorkerError
from amla.services.kept import Keeper
from amla.storage.files import Files
from amla.trials.calls import Trace, current
from amla.trials.progress import Progress
from amla.trials.trial import Measurement, Outcome, TrialId

PULSE = 0.2  # seconds between looks whether a trial is to be ended
WARM = 600.0  # seconds that a worker process is kept for the next trial
ABANDONED = 900.0  # seconds after which a trial is ended that nobody has asked after


class Trade(Protocol):
    """What a worker service understands of tasks."""

    def check(self, order: Order) -> None:
        """Raise ValueError for an order whose task is not understood; it comes from outside."""

    def work(self, order: Order, folder: Path) -> Work:
        """Return how a worker process evaluates such trials, with snapshots in `folder`. May take long.

        Raises ValueError or OSError where this machine cannot.
        """


@dataclass(eq=False)
class Job:
    """An order, and what has become of it. A slot writes it, others read."""

    id: str
    key: str
    order: Order
    lines: list[Progress] = field(default_factory=list)
    state: State = "running"
    outcome: Outcome | None = None
    snapshot: Kept | None = None
    message: str = ""
    began: float = field(default_factory=monotonic)
    trace: Trace | None = field(default_factory=current)
    asked: float = field(default_factory=monotonic)  # when it was last asked after
    cancelled: Event = field(default_factory=Event)

    @property
    def is_unwanted(self) -> bool:
        """Whether its trial is to be ended."""
        return self.cancelled.is_set() or monotonic() - self.asked > ABANDONED


class Slot:
    """Runs jobs below `folder`; `over` is told, in its thread, what one has come to when it is free again."""

    def __init__(
        self,
        name: str,
        trade: Trade,
        keeper: Keeper,
        folder: Path,
        threads: int,
        memory: int | None,
        over: Callable[[Job, State], None],
    ) -> None:
        self._name, self._trade, self._keeper, self._folder = name, trade, keeper, folder
        self._threads, self._memory, self._over = threads, memory, over
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._job: Job | None = None
        self._executor: LocalExecutor | None = None
        self.warm_for: Mapping[str, Any] | None = None  # whose trials could begin at once
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def begin(self, job: Job) -> None:
        """Run a job; the slot must be free."""
        self._inbox.put(job)

    def end(self) -> None:
        """Let it end, after the job that it has, which is to be cancelled."""
        self._inbox.put(None)

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        self._thread.join(seconds)

    def _serve(self) -> None:
        try:
            while True:
                try:
                    job = self._inbox.get(timeout=WARM)
                except Empty:
                    self._cool()
                    continue
                if job is None:
                    return
                self._over(job, self._done(job))
        finally:
            self._cool()

    def _done(self, job: Job) -> State:
        """Run a job, and return what is then to be said of it."""
        try:
            with self._started(job.order):
                outcome = self._run(job)
            if outcome is None:
                job.message = "It was ended: nobody asked after it."
                return "unable"
            job.snapshot, job.outcome = self._kept(job, outcome), outcome
            return "done"
        except (OSError, ValueError, WorkerError) as error:
            self._cool()
            job.message = str(error)
            return "unable"

    @contextmanager
    def _started(self, order: Order) -> Iterator[None]:
        """Have the snapshot that a trial starts from where its evaluator looks for it. Raises OSError."""
        if order.start is None:
            yield
            return
        path = self._path(order, order.trial.proposal.start)
        self._keeper.link(order.start, path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def _run(self, job: Job) -> Outcome | None:
        """Return the outcome of a job's trial, None if it is unwanted. Raises OSError, ValueError and WorkerError."""
        executor = self._warmed(job.order)
        self._job = job
        executor.submit(job.order.trial)
        while not job.is_unwanted:
            if over := executor.wait(PULSE):
                return over[0][1]
        self._cool()
        return None

    def _warmed(self, order: Order) -> LocalExecutor:
        """Return what runs a trial, in the process of the one before if that was of the same kind."""
        kind = kind_of(order)
        if self._executor and kind == self.warm_for:
            return self._executor
        self._cool()
        folder = self._root(order)
        bounds = [bound for bound in (order.memory, self._memory) if bound is not None]
        self._executor = LocalExecutor(
            self._trade.work(order, folder),
            workers=1,
            threads=order.threads or self._threads,
            seconds=order.seconds,
            memory=min(bounds, default=None),
            report=self._hear,
            logs=folder / "logs",
        )
        self.warm_for = kind
        return self._executor

    def _hear(self, progress: Progress) -> None:
        if self._job:
            self._job.lines.append(progress)

    def _kept(self, job: Job, outcome: Outcome) -> Kept | None:
        """Return the snapshot that a trial was to leave, kept; None if it was to leave none. Raises OSError."""
        if not (job.order.trial.proposal.keep and isinstance(outcome, Measurement)):
            return None
        path = self._path(job.order, job.order.trial.id)
        return self._keeper.take(path) if path.exists() else None

    def _root(self, order: Order) -> Path:
        """Return the folder of what this slot has of a run: other slots, and other services, have others."""
        return self._folder / order.run / self._name

    def _path(self, order: Order, trial_id: TrialId | None) -> Path:
        return Path(Files(self._root(order)).path(f"{order.phase}/{trial_id}"))

    def _cool(self) -> None:
        self.warm_for = None
        if self._executor:
            self._executor.close()
            self._executor = None


def kind_of(order: Order) -> Mapping[str, Any]:
    """Return what orders must have in common for a worker process to run them one after another."""
    plain = orders.order.dump_python(order, mode="json", exclude={"trial", "start"})
    return dict(plain)
