"""The executor that runs trials on the machines of a Ray cluster, in warm workers.

Ray is asked for one actor a worker, on whatever node has room or will have. The actor does not train: it has a worker
process on its node, by `LocalExecutor`, and passes on what that says, as the same lines of JSON. So the death of a
process is the fault of its trial, as on one machine, and the death of an actor the fault of its node.
"""

import os
from collections import deque
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

import ray

from amla.execution import wire
from amla.execution.cluster import connected
from amla.execution.local import FALSE_STARTS, LocalExecutor
from amla.execution.work import Work, WorkerError, failure
from amla.trials.progress import Progress, Report, silent
from amla.trials.trial import Outcome, Trial, TrialId

LOSSES = 3  # workers that a trial may lose with their nodes, until it is taken to be the reason
PULSE = 1.0  # seconds after which an actor comes back though there is nothing to be said: it may be told to close
GRACE = 5.0  # seconds that actors have to end their workers
NO_MEMORY = "running low on memory"  # what Ray says when it has killed an actor to free some


class RayExecutor:
    """Runs up to `workers` trials at once on a Ray cluster, each with `cpus` cores, `gpus` and `memory` bytes.

    `address` is as for `connected`, `work`, `seconds`, `report` and `logs` as for `LocalExecutor`; the folder of this
    process, and what `work` names, must be on every node. A trial that loses its node, or whose actor Ray takes away,
    runs again elsewhere. Use it from one thread, and close it.

    `wait` raises OSError where a node is at fault (a full disk) and WorkerError where workers cannot start. The trials
    concerned stay submitted: the next `wait` tries them again.
    """

    def __init__(
        self,
        work: Work,
        *,
        workers: int,
        cpus: int = 1,
        gpus: float = 0.0,
        memory: int | None = None,
        seconds: float | None = None,
        address: str | None = None,
        report: Report = silent,
        logs: Path | None = None,
    ) -> None:
        for name, number in (("workers", workers), ("cpus", cpus), ("seconds", seconds), ("memory", memory)):
            if number is not None and number <= 0:
                raise ValueError(f"{name} is {number}; it must be more than 0.")
        self._most, self._report = workers, report
        self._resources = {"num_cpus": cpus, "num_gpus": gpus, "memory": memory}
        self._told = (wire.start.dump_json(wire.Start(work, memory)), os.getcwd(), cpus, seconds)
        self._logs, self._begun = logs, 0
        self._queue: deque[Trial] = deque()  # submitted, with no worker yet
        self._workers: list[_Worker] = []
        self._over: list[tuple[TrialId, Outcome]] = []  # not told yet
        self._losses: dict[TrialId, int] = {}
        self._fault: Exception | None = None  # not raised yet
        self._false_starts = 0
        self._connection = ExitStack()
        self._connection.enter_context(connected(address, workers * cpus))
        self._closed = False

    @property
    def idle(self) -> int:
        """How many more trials it can take now."""
        return self._most - len(self._queue) - sum(worker.trial is not None for worker in self._workers)

    def submit(self, trial: Trial) -> None:
        """Take a trial. Raises RuntimeError if all workers are busy, or if it was closed."""
        if self._closed:
            raise RuntimeError(f"Trial {trial.id} was submitted to an executor that is closed.")
        if not self.idle:
            raise RuntimeError(f"Trial {trial.id} was submitted while {self._most} run already; call wait() first.")
        self._queue.append(trial)
        self._dispatch()

    def wait(self) -> list[tuple[TrialId, Outcome]]:
        """Block until a submitted trial is over, and return those that are; none if none was submitted."""
        self._dispatch()
        while not self._over:
            if self._fault:
                fault, self._fault = self._fault, None
                raise fault
            if self.idle == self._most:
                break
            heard, _ = ray.wait([worker.says for worker in self._workers if worker.says is not None])
            for worker in [worker for worker in self._workers if worker.says in heard]:
                self._hear(worker)
            self._dispatch()
        over, self._over = self._over, []
        return over

    def close(self) -> None:
        """End all workers, and whatever their trials are doing. What was submitted is forgotten."""
        with suppress(ray.exceptions.RayError):
            if ended := [worker.actor.close.remote() for worker in self._workers if worker.ready]:
                ray.wait(ended, num_returns=len(ended), timeout=GRACE)
        for worker in list(self._workers):
            self._end(worker)
        self._queue.clear()
        self._connection.close()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _dispatch(self) -> None:
        """Send the queue to idle workers; start more while there are too few. Not while a fault is to be raised."""
        while self._queue and not self._fault:
            if idle := next((worker for worker in self._workers if worker.ready and not worker.trial), None):
                idle.send(self._queue.popleft())
            elif len(self._workers) < self._most and sum(not w.ready for w in self._workers) < len(self._queue):
                self._begun += 1
                logs = str(self._logs / f"ray-{self._begun}") if self._logs else None
                actor = ray.remote(_Host).options(**self._resources, max_restarts=0).remote(*self._told, logs)
                self._workers.append(_Worker(actor))
            else:
                return

    def _end(self, worker: "_Worker") -> None:
        self._workers.remove(worker)
        with suppress(ray.exceptions.RayError):
            ray.kill(worker.actor)

    def _hear(self, worker: "_Worker") -> None:
        try:
            lines = ray.get(worker.says)
        except ray.exceptions.RayError as error:
            self._bury(worker, error)
            return
        worker.ready, self._false_starts = True, 0
        for line in lines.splitlines():
            match wire.message.validate_json(line):
                case wire.Line(progress=progress):
                    try:
                        self._report(progress)
                    except Exception as error:
                        self._fault = self._fault or error  # what else was heard must not be lost
                case wire.Answer(outcome=outcome):
                    self._tell(worker, outcome)
                case wire.Fault(number=code, message=text, file=file):
                    self._give_up(worker, OSError(code, text, file))
                    return
                case wire.Unable(message=text):
                    self._give_up(worker, WorkerError(text))
                    return
        worker.says = worker.actor.listen.remote() if worker.trial else None

    def _tell(self, worker: "_Worker", outcome: Outcome) -> None:
        if worker.trial:
            self._over.append((worker.trial.id, outcome))
            self._losses.pop(worker.trial.id, None)
            worker.trial = None

    def _give_up(self, worker: "_Worker", fault: Exception) -> None:
        """Let the next `wait` raise a fault; the trial goes to another worker then."""
        self._fault = self._fault or fault
        self._end(worker)
        if worker.trial:
            self._queue.appendleft(worker.trial)

    def _bury(self, worker: "_Worker", error: Exception) -> None:
        """See to the trial of a worker that is lost: it runs again elsewhere, unless it is likely to be the reason."""
        if not worker.ready:
            self._false_starts += 1
            if getattr(error, "actor_init_failed", True) or self._false_starts >= FALSE_STARTS:
                self._false_starts = 0
                self._give_up(worker, WorkerError(f"A worker on Ray could not begin: {error}"))
                return
        elif worker.trial:
            losses = self._losses[worker.trial.id] = self._losses.get(worker.trial.id, 0) + 1
            spent = monotonic() - worker.since
            if NO_MEMORY in str(error):
                self._tell(worker, failure("out_of_memory", f"The worker was ended by Ray: {error}", spent))
            elif losses >= LOSSES:
                self._tell(worker, failure("crashed", f"{losses} workers were lost with this trial: {error}", spent))
        self._end(worker)
        if worker.trial:
            self._queue.appendleft(worker.trial)


class _Worker:
    """An actor as the executor sees it: what it trains, since when, and what it `says` next, to be waited for."""

    def __init__(self, actor: Any) -> None:
        self.actor, self.says = actor, actor.listen.remote()  # which comes back at once, when there is an actor
        self.ready = False
        self.trial: Trial | None = None
        self.since = 0.0

    def send(self, trial: Trial) -> None:
        """Let a worker that has no trial begin one. That it is lost by now is found by listening."""
        self.trial, self.since = trial, monotonic()
        self.says = self.actor.listen.remote(wire.trial.dump_json(trial))


class _Host:
    """The actor: has a worker process on its node."""

    def __init__(self, start: bytes, folder: str, threads: int, seconds: float | None, logs: str | None) -> None:
        os.chdir(folder)  # in which relative paths are meant
        if not ray.get_gpu_ids():  # newer versions of Ray hide GPUs only from those who get one
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        said = wire.start.validate_json(start)
        self._says: list[wire.Message] = []
        self._executor = LocalExecutor(
            said.work,
            workers=1,
            threads=threads,
            seconds=seconds,
            memory=said.memory,
            report=self._report,
            logs=Path(logs) if logs else None,
        )

    def listen(self, trial: bytes = b"") -> bytes:
        """Take a trial if one is given, and return what is to be said by now, after PULSE seconds at most."""
        if trial:
            self._executor.submit(wire.trial.validate_json(trial))
        try:
            self._says += [wire.Answer(trial=which, outcome=what) for which, what in self._executor.wait(PULSE)]
        except OSError as error:
            self._says.append(wire.fault(error))
        except WorkerError as error:
            self._says.append(wire.Unable(message=str(error)))
        says, self._says = self._says, []
        return b"\n".join(wire.message.dump_json(message, warnings="error") for message in says)

    def close(self) -> None:
        """End the worker process, and what it has started."""
        self._executor.close()

    def _report(self, progress: Progress) -> None:
        self._says.append(wire.Line(progress=progress))
