"""The executor that runs trials in warm worker processes on this machine."""

import os
import selectors
import signal
from collections import deque
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from amla.execution import wire
from amla.execution.process import WorkerProcess
from amla.execution.work import Work, WorkerError, failure, is_of_memory
from amla.trials.progress import Report, silent
from amla.trials.trial import Failure, FailureKind, Outcome, Trial, TrialId

FALSE_STARTS = 3  # workers in a row that may be killed from outside before they begin a trial
LOSSES = 3  # workers that may be killed with a trial until it is taken to be the reason, also where nothing says so


class LocalExecutor:
    """Runs up to `workers` trials at once, each in a process of its own that is kept for the next one.

    A worker is started when first needed, computes with `threads` threads (its share of the cores unless told), and
    is replaced when it dies. A trial may take `seconds`, and its process `memory` bytes as far as the system can
    bound it. `report` hears, here, of the progress of every trial. What workers print goes to files in `logs`. Use it
    from one thread, and close it; workers end with this process in any case.

    `wait` raises OSError where the machine is at fault (a full disk) and WorkerError where workers cannot start. The
    trials concerned stay submitted: the next `wait` tries them again.
    """

    def __init__(
        self,
        work: Work,
        *,
        workers: int,
        threads: int | None = None,
        seconds: float | None = None,
        memory: int | None = None,
        report: Report = silent,
        logs: Path | None = None,
    ) -> None:
        threads = max(1, cores() // max(workers, 1)) if threads is None else threads
        for name, number in (("workers", workers), ("threads", threads), ("seconds", seconds), ("memory", memory)):
            if number is not None and number <= 0:
                raise ValueError(f"{name} is {number}; it must be more than 0.")
        if os.name != "posix":
            raise WorkerError("Worker processes need a POSIX system; here, run trials inline.")
        self._start = wire.Start(work, memory)
        self._most, self._threads, self._seconds = workers, threads, seconds
        self._report, self._logs = report, logs
        self._queue: deque[Trial] = deque()  # submitted, with no worker yet
        self._workers: dict[int, WorkerProcess] = {}  # by number, the smallest that is free
        self._over: list[tuple[TrialId, Outcome]] = []  # not told yet
        self._fault: Exception | None = None  # not raised yet
        self._false_starts = 0
        self._losses: dict[TrialId, int] = {}  # workers that were killed with a trial
        self._selector = selectors.DefaultSelector()

    @property
    def idle(self) -> int:
        """How many more trials it can take now."""
        return self._most - len(self._queue) - sum(worker.trial is not None for worker in self._workers.values())

    @property
    def files(self) -> tuple[int, ...]:
        """The files of which one becomes readable when there is something to wait for; they change with the workers."""
        return tuple(file for worker in self._workers.values() for file in worker.files)

    def submit(self, trial: Trial) -> None:
        """Take a trial. Raises RuntimeError if all workers are busy, or if it was closed."""
        if self._selector.get_map() is None:
            raise RuntimeError(f"Trial {trial.id} was submitted to an executor that is closed.")
        if not self.idle:
            raise RuntimeError(f"Trial {trial.id} was submitted while {self._most} run already; call wait() first.")
        self._queue.append(trial)
        self._dispatch()

    def wait(self, patience: float | None = None) -> list[tuple[TrialId, Outcome]]:
        """Block until a submitted trial is over, and return those that are; none if none was submitted.

        With `patience`, come back as well once a worker has said anything, or after so many seconds.
        """
        self._dispatch()
        listened = False
        while not self._over:
            if self._fault:
                fault, self._fault = self._fault, None
                raise fault
            if self.idle == self._most or listened:
                break
            self._listen(patience)
            listened = patience is not None
        over, self._over = self._over, []
        return over

    def losses(self, trial_id: TrialId) -> int:
        """Return how many workers were killed from outside while they had this trial, which another one then took."""
        return self._losses.get(trial_id, 0)

    def close(self) -> None:
        """End all workers, and whatever their trials are doing. What was submitted is forgotten."""
        workers = list(self._workers.values())
        for worker in workers:
            worker.release()
        for number in list(self._workers):
            self._end(number)
        self._queue.clear()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _dispatch(self) -> None:
        """Send the queue to idle workers; start more while there are too few. Not while a fault is to be raised."""
        while self._queue and not self._fault:
            workers = self._workers.values()
            if idle := next((worker for worker in workers if worker.is_idle), None):
                idle.send(self._queue.popleft())
            elif len(workers) < self._most and sum(not worker.ready for worker in workers) < len(self._queue):
                self._begin()
            else:
                return

    def _begin(self) -> None:
        number = next(number for number in range(1, self._most + 1) if number not in self._workers)
        log = self._logs / f"worker-{number}.log" if self._logs else None
        worker = WorkerProcess(self._start, self._threads, log)
        self._workers[number] = worker
        for file in worker.files:
            self._selector.register(file, selectors.EVENT_READ, number)

    def _end(self, number: int) -> int | None:
        worker = self._workers.pop(number)
        for file in worker.files:
            self._selector.unregister(file)
        return worker.end()

    def _listen(self, patience: float | None) -> None:
        """Wait until a worker has something to say, a trial or patience is at its end, and see to it."""
        began = [worker.since for worker in self._workers.values() if worker.trial]
        if self._seconds and began:
            left = max(0.0, min(began) + self._seconds - monotonic())
            patience = left if patience is None else min(left, patience)
        for number in dict.fromkeys(key.data for key, _ in self._selector.select(patience)):
            self._hear(number)
        for number, worker in list(self._workers.items()):
            if worker.trial and self._seconds and (spent := monotonic() - worker.since) >= self._seconds:
                worker.kill()
                self._end(number)
                self._tell(worker, failure("timeout", f"killed at the limit of {self._seconds:g} s", spent))
        self._dispatch()

    def _hear(self, number: int) -> None:
        worker = self._workers[number]
        for message in worker.receive():
            match message:
                case wire.Ready():
                    worker.ready = True
                case wire.Begun():
                    worker.begun, self._false_starts = True, 0
                case wire.Line(progress=progress):
                    try:
                        self._report(progress)
                    except Exception as error:
                        self._fault = self._fault or error  # what else was heard must not be lost
                case wire.Fault(number=code, message=text, file=file):
                    self._fault = self._fault or OSError(code, text, file)
                    self._take_back(worker)
                    worker.ended = not worker.ready  # that was all it had to say
                case wire.Answer(outcome=outcome):
                    self._tell(worker, outcome)
                    if isinstance(outcome, Failure) and outcome.reason == "out_of_memory":
                        worker.kill()  # who knows what it still holds
                        worker.ended = True
        if worker.ended:
            self._bury(worker, self._end(number))

    def _tell(self, worker: WorkerProcess, outcome: Outcome) -> None:
        if worker.trial:
            self._over.append((worker.trial.id, outcome))
            self._losses.pop(worker.trial.id, None)
            worker.trial = None

    def _take_back(self, worker: WorkerProcess) -> None:
        if worker.trial:
            self._queue.appendleft(worker.trial)
            worker.trial = None

    def _bury(self, worker: WorkerProcess, code: int | None) -> None:
        """See to the trial of a worker that has died: it has failed if it had begun, else another worker takes it.

        If somebody killed the worker, another one takes the trial, too.
        """
        words = f" It last wrote:\n{worker.last_words}" if worker.last_words else ""
        if worker.trial and worker.begun and self._was_killed(worker, code):
            self._take_back(worker)
        elif worker.trial and worker.begun:
            reason: FailureKind = "crashed"
            message = f"The worker {_how(code)}."
            if code == -signal.SIGKILL or is_of_memory(worker.last_words):
                reason = "out_of_memory"
                message += f" Most likely it ran out of memory: {self._bound()}."
            self._tell(worker, failure(reason, message + words, monotonic() - worker.since))
        elif worker.trial or not worker.ready:
            self._take_back(worker)
            self._false_starts += 1
            if (code is None or code >= 0 or self._false_starts >= FALSE_STARTS) and not self._fault:
                self._false_starts = 0
                what = self._start.work.factory
                more = f" Allow it more memory: {self._bound()}." if is_of_memory(worker.last_words) else ""
                self._fault = WorkerError(f"A worker for {what!r} {_how(code)} before it could begin.{more}{words}")

    def _was_killed(self, worker: WorkerProcess, code: int | None) -> bool:
        """Return whether a worker was killed from outside, and its trial is not to blame for it as far as is known."""
        if not worker.trial or code != -signal.SIGKILL or worker.may_be_too_large or is_of_memory(worker.last_words):
            return False
        losses = self._losses[worker.trial.id] = self._losses.get(worker.trial.id, 0) + 1
        return losses < LOSSES

    def _bound(self) -> str:
        memory = self._start.memory
        return f"the limit is {memory:,} bytes" if memory else "a system without any left kills the largest process"


def _how(code: int | None) -> str:
    """Return how a process ended."""
    if code is None:
        return "closed its pipe and had to be killed"
    if code >= 0:
        return f"ended with exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    return f"was killed by {names.get(-code, f'signal {-code}')}"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
