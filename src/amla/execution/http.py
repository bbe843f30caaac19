"""The executor that sends trials to worker services over HTTP, wherever and in whatever language these run.

Each trial that runs has a thread, which sends it, asks after it until it is over, and fetches its weights. The thread
of the study hears of that as events and decides alone. What a worker says of a trial that was given to another one
meanwhile is not listened to.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Event as Flag
from time import monotonic
from types import TracebackType
from typing import Self

from amla.execution.errand import Crowded, Errand, Fault, Lost, Over, Snapshots, Terms, Unable
from amla.execution.service import NONE
from amla.execution.sites import FAREWELL, Down, Ended, Event, Heard, Site, Up
from amla.execution.work import WorkerError, failure
from amla.trials.progress import Progress, Report, silent
from amla.trials.trial import Outcome, Trial, TrialId

LEASE = 15.0  # seconds without an answer after which a worker service is taken to be gone
PATIENCE = 600.0  # seconds that an executor waits for any worker service to be there
LOSSES = 8  # services that a trial may lose, until it is taken to be the reason
QUESTIONS = 64  # a second, at most, whether trials are over: so many at once are asked after every second

_log = logging.getLogger(__name__)


class HttpExecutor:
    """Runs up to `workers` trials at once on the worker services at `urls`.

    `terms` are what a service is told of every trial; the weights that trials start from and leave are read and
    written in `snapshots`; `headers` go with every request. A service that has not answered for `lease` seconds is
    gone: its trials run elsewhere, and it is used again once it is back. Use it from one thread, and close it.

    `wait` raises OSError where this machine is at fault (a full disk) and WorkerError where no service has been there
    for `patience` seconds, or none is able to run the trials. These stay submitted: the next `wait` tries them again.
    """

    def __init__(
        self,
        urls: Sequence[str],
        terms: Terms,
        snapshots: Snapshots,
        *,
        workers: int,
        headers: Mapping[str, str] = NONE,
        lease: float = LEASE,
        patience: float = PATIENCE,
        report: Report = silent,
    ) -> None:
        for name, number in (("urls", len(urls)), ("workers", workers), ("lease", lease), ("patience", patience)):
            if number <= 0:
                raise ValueError(f"{name} is {number}; it must be more than 0.")
        self._most, self._lease, self._patience, self._report = workers, lease, patience, report
        self._terms, self._snapshots, self._digests = terms, snapshots, dict[TrialId, str]()
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._queue: deque[Trial] = deque()  # submitted, with no worker yet
        self._running: set[Errand] = set()
        self._over: list[tuple[TrialId, Outcome]] = []  # not told yet
        self._losses: dict[TrialId, int] = {}
        self._fault: Exception | None = None  # not raised yet
        self._stop = Flag()
        self._sites = [Site(url, headers, lease, self._events.put) for url in dict.fromkeys(urls)]
        for site in self._sites:
            site.watch()
        self._since = monotonic()  # when a service was last there, or this began to wait for one
        self._has_said = False  # that none is there

    @property
    def idle(self) -> int:
        """How many more trials it can take now."""
        return self._most - len(self._queue) - len(self._running)

    def submit(self, trial: Trial) -> None:
        """Take a trial. Raises RuntimeError if as many run as may, or if it was closed."""
        if self._stop.is_set():
            raise RuntimeError(f"Trial {trial.id} was submitted to an executor that is closed.")
        if not self.idle:
            raise RuntimeError(f"Trial {trial.id} was submitted while {self._most} run already; call wait() first.")
        self._queue.append(trial)
        self._dispatch()

    def wait(self) -> list[tuple[TrialId, Outcome]]:
        """Block until a submitted trial is over, and return those that are; none if none was submitted."""
        self._since = monotonic()
        self._dispatch()
        while not self._over:
            if self._fault:
                fault, self._fault = self._fault, None
                raise fault
            if self.idle == self._most:
                break
            self._listen()
        over, self._over = self._over, []
        return over

    def close(self) -> None:
        """End all trials that run, as far as their services can be reached. What was submitted is forgotten."""
        self._stop.set()
        for site in self._sites:
            site.close()
        until = monotonic() + 2 * FAREWELL
        for site in self._sites:
            site.join(until)
        self._queue.clear()
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _dispatch(self) -> None:
        """Send the queue to the services that have most room. Not while a fault is to be raised."""
        while self._queue and not self._fault:
            now = monotonic()
            site = max(self._sites, key=lambda site: site.room(now))
            if not site.room(now):
                return
            trial = self._queue.popleft()
            wait = max(1.0, (len(self._running) + 1) / QUESTIONS)
            told = self._terms, self._snapshots, self._digests, min(wait, self._lease / 3), self._lease
            errand = Errand(trial, *told, self._hear, self._stop)
            self._running.add(errand)
            site.send(errand)

    def _listen(self) -> None:
        """Wait until something happens, or it is time to do something, and see to it."""
        for event in self._heard():
            match event:
                case Up(site=site, slots=slots):
                    self._found(site, slots)
                case Down(site=site, why=why, refuses=refuses):
                    site.is_away("unable" if refuses else "gone", why)
                case Heard(errand=errand, lines=lines) if errand in self._running:
                    self._pass_on(lines)
                case Ended():
                    self._end(event)
        self._dispatch()
        if not self._fault and not self._over:
            self._despair(monotonic())

    def _hear(self, errand: Errand, lines: Sequence[Progress]) -> None:
        """Take lines from the thread of an errand."""
        self._events.put(Heard(errand, lines))

    def _heard(self) -> list[Event]:
        """Return what has happened, and wait for it if that is nothing yet."""
        until = self._until()
        heard: list[Event] = []
        try:
            heard.append(self._events.get(timeout=None if until is None else max(1e-6, until - monotonic())))
            while True:
                heard.append(self._events.get_nowait())
        except Empty:
            return heard

    def _until(self) -> float | None:
        """Return when there is something to do though nothing happens, None if there will not be."""
        if not self._queue:
            return None
        if not self._is_there:
            return self._since + self._patience
        free = [site.free_at for site in self._sites if site.state == "up" and site.slots > site.busy]
        return min(free, default=None)  # past, if one has become free since the queue was last looked at

    @property
    def _is_there(self) -> bool:
        """Whether any service is there, or may be."""
        return any(site.state in ("up", "new") for site in self._sites)

    def _found(self, site: Site, slots: int) -> None:
        if self._has_said:
            self._has_said = False
            _log.warning("%s is there: the study goes on.", site.url)
        site.is_up(slots, {trial.id for trial in self._queue})

    def _pass_on(self, lines: Sequence[Progress]) -> None:
        for line in lines:
            try:
                self._report(line)
            except Exception as error:
                self._fault = self._fault or error  # what else was heard must not be lost
                return

    def _end(self, event: Ended) -> None:
        errand, site, trial = event.errand, event.runner.site, event.errand.trial
        self._running.discard(errand)
        site.ended(event.runner, isinstance(event.end, Over))
        match event.end:
            case Over(outcome=outcome):
                self._over.append((trial.id, outcome))
                self._losses.pop(trial.id, None)
                return
            case Lost(why=why, forgotten=forgotten):
                if not forgotten:
                    site.lost(errand, why)
                self._losses[trial.id] = self._losses.get(trial.id, 0) + 1
                if self._losses[trial.id] >= LOSSES:
                    message = f"{LOSSES} worker services were lost with this trial: {why}"
                    self._over.append((trial.id, failure("crashed", message, monotonic() - errand.began)))
                    return
            case Crowded():
                site.is_full()
            case Unable(why=why):
                _log.warning("A worker service is unable to run trial %d: %s", trial.id, why)
                site.is_away("unable", why)
            case Fault(error=error):
                self._fault = self._fault or error
        self._queue.appendleft(trial)

    def _despair(self, now: float) -> None:
        """Say that no service is there; raise WorkerError, by the next `wait`, once there is no hope."""
        if self._is_there or not self._queue:
            self._since = now
            return
        why = "\n".join(f"  {site.url}: {site.why}" for site in self._sites)
        if all(site.state == "unable" for site in self._sites) and not self._running:
            self._give_up(f"No worker service is able to run the trials:\n{why}\nMend that, and")
        elif now - self._since >= self._patience:
            self._give_up(f"No worker service was there for {self._patience:g} s:\n{why}\nStart one, and")
        elif not self._has_said:
            self._has_said = True
            _log.warning("No worker service is there; waiting for one for %g s:\n%s", self._patience, why)

    def _give_up(self, message: str) -> None:
        self._fault = WorkerError(f"{message} the same command again. Nothing is lost.")
        for site in self._sites:
            site.look_again()
