"""The workshop of a worker service: it takes orders, runs their trials in worker processes, and remembers outcomes."""

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from time import monotonic, time
from uuid import uuid4

from amla.execution.local import cores
from amla.execution.orders import Capacity, Order, State, Status
from amla.execution.work import failure
from amla.services.kept import Keeper
from amla.services.slots import Job, Slot, Trade, kind_of
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.supernet import supernet
from amla.spec.values import SpecError, value
from amla.trials.calls import within
from amla.trials.trial import Failure, Measurement, Outcome

REMEMBERED = 2_000  # trials that are over and can still be asked after
OLD = 7 * 86_400.0  # seconds after which the folder of a run that nothing happened in is deleted
FAREWELL = 5.0  # seconds that worker processes have to end

_log = logging.getLogger("amla.services")


class Crowded(Exception):
    """All slots are busy."""


class Lacking(Exception):
    """The snapshot that a trial starts from is not kept here; its digest."""


@value
class Bounds:
    """How large a network may be, by its counts, which are taken before anything is built."""

    nodes: int = 20_000
    parameters: int = 10**9
    macs: int = 10**12  # of one example


class Workshop:
    """Runs up to `slots` trials at once, each with `threads` (its share of the cores unless told).

    `trade` is what it understands of tasks. A trial may use `memory` bytes, and its network be as large as `bounds`
    allow; a larger one has failed, "infeasible", before anything is built. Everything it writes is below `folder`. It
    may be used from any thread. Close it.
    """

    def __init__(
        self,
        trade: Trade,
        folder: Path,
        *,
        slots: int = 1,
        threads: int | None = None,
        memory: int | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008 - a value
    ) -> None:
        self._trade, self._bounds = trade, bounds
        self.heard: Callable[[Outcome | None, float], None] = lambda outcome, seconds: None  # what trials came to
        self.keeper = Keeper(folder / "snapshots")
        _clean(folder / "runs")
        share = threads or max(1, cores() // slots)
        told = trade, self.keeper, folder / "runs", share, memory, self._over
        self._slots = [Slot(f"{os.getpid()}-{number}", *told) for number in range(1, slots + 1)]
        self._free, self._busy = list(self._slots), dict[str, Slot]()
        self._jobs: dict[str, Job] = {}
        self._by_key: dict[str, Job] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._lock = Lock()

    def capacity(self) -> Capacity:
        """Return how many trials it runs at once, and how many more now."""
        return Capacity(len(self._slots), len(self._free))

    def take(self, key: str, order: Order) -> Status:
        """Begin a trial, or return what has become of it if it was taken before under the same key.

        Raises ValueError for an order that is none, or if the key was that of another; Crowded; Lacking.
        """
        self._trade.check(order)
        with self._lock:
            if job := self._by_key.get(key):
                if job.order != order:
                    raise ValueError("This key is that of another trial; send a new one.")
                return self._told(job, 0)
        if (start := order.start) is not None and self.keeper.path(start) is None:
            raise Lacking(start)
        too_large = self._beyond(order.trial.proposal.architecture)
        with self._lock:
            if job := self._by_key.get(key):
                return self._told(job, 0)
            if too_large is None and not self._free:
                raise Crowded
            job = Job(uuid4().hex, key, order)
            self._forget_old()
            self._jobs[job.id] = self._by_key[key] = job
            if too_large is not None:
                job.state, job.outcome = "done", failure("infeasible", too_large, 0.0)
            else:
                slot = next((slot for slot in self._free if slot.warm_for == kind_of(order)), self._free[0])
                self._free.remove(slot)
                self._busy[job.id] = slot
                slot.begin(job)
            return self._told(job, 0)

    def status(self, job_id: str, after: int = 0) -> Status:
        """Return what has become of a trial, with the lines of its curve from `after` on. Raises LookupError."""
        with self._lock:
            return self._told(self._jobs[job_id], after)

    def when_over(self, job_id: str, call: Callable[[], None]) -> Callable[[], None]:
        """Have `call` called once a trial is over, maybe at once, maybe in another thread; return what undoes that.

        Raises LookupError.
        """
        with self._lock:
            if self._jobs[job_id].state == "running":
                waiting = self._waiting.setdefault(job_id, [])
                waiting.append(call)
                return lambda: waiting.remove(call) if call in waiting else None
        call()
        return lambda: None

    def cancel(self, job_id: str) -> None:
        """End a trial, if it runs, and forget it. Raises LookupError."""
        with self._lock:
            job = self._jobs[job_id]
            job.cancelled.set()
            self._forget(job)
            waiting = self._waiting.pop(job_id, [])
        for call in waiting:
            call()

    def close(self) -> None:
        """End all trials and worker processes."""
        for job in list(self._jobs.values()):
            job.cancelled.set()
        for slot in self._slots:
            slot.end()
        until = monotonic() + FAREWELL
        for slot in self._slots:
            slot.join(max(0.0, until - monotonic()))

    def _over(self, job: Job, state: State) -> None:
        """Take in that a job is over, and its slot free: nobody hears of the one without the other."""
        with self._lock:
            self._free.append(self._busy.pop(job.id))
            job.state = state
            if state == "unable":
                self._by_key.pop(job.key, None)  # whoever sends it again has mended something
            waiting = self._waiting.pop(job.id, [])
        self._write(job)
        for call in waiting:
            call()

    def _write(self, job: Job) -> None:
        """Write down what a trial has come to."""
        seconds = monotonic() - job.began
        said = {"trial": job.order.trial.id, "phase": job.order.phase, "run": job.order.run, "seconds": seconds}
        with within(job.trace) if job.trace else nullcontext():
            match job.outcome:
                case _ if job.cancelled.is_set():
                    _log.info("trial cancelled", extra=said)
                    return
                case None:
                    _log.warning("trial not run", extra={**said, "why": job.message})
                case Failure(reason=reason, message=message):
                    _log.info("trial failed", extra={**said, "reason": reason, "why": message})
                case Measurement():
                    _log.info("trial measured", extra=said)
        self.heard(job.outcome, seconds)

    def _told(self, job: Job, after: int) -> Status:
        job.asked = monotonic()
        lines = tuple(job.lines[max(0, after) :])
        heard = max(0, after) + len(lines)
        return Status(job.id, job.state, lines, heard, job.outcome, job.snapshot, job.message)

    def _beyond(self, network: Architecture) -> str | None:
        """Return why a network cannot be built here, or is too large for it; None if it can, and is not."""
        if len(network) > self._bounds.nodes:
            return f"the network has {len(network):,} nodes; the most here is {self._bounds.nodes:,}."
        try:
            counted = costs(supernet(network))
        except SpecError as error:
            return str(error)
        for name, number, most in (
            ("parameters", counted.training_parameters, self._bounds.parameters),
            ("multiply-accumulates", counted.training_macs, self._bounds.macs),
        ):
            if number > most:
                return f"the network has {number:,} {name}; the most here is {most:,}. Make it smaller."
        return None

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if self._by_key.get(job.key) is job:
            del self._by_key[job.key]

    def _forget_old(self) -> None:
        over = [job for job in self._jobs.values() if job.state != "running"]
        for job in over[: max(0, len(over) - REMEMBERED + 1)]:
            self._forget(job)


def _clean(runs: Path) -> None:
    """Delete the folders of old runs: what was left of trials that were cut off."""
    runs.mkdir(parents=True, exist_ok=True)
    for folder in runs.iterdir():
        if time() - folder.stat().st_mtime > OLD:
            shutil.rmtree(folder, ignore_errors=True)
