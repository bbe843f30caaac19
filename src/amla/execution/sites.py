"""The worker services of an executor: which are there, how much room they have, and the threads that speak to them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Literal

from amla.execution.errand import End, Errand, Fault
from amla.execution.service import Connection, Full, Gone, Refused
from amla.trials.progress import Progress
from amla.trials.trial import TrialId

PAUSE, LONGEST_PAUSE = 0.25, 10.0  # seconds between looks at a service that is away, doubled each time
LONGEST_REST = 600.0  # seconds between looks at one that was unable to run a trial
AT_ONCE = 64  # services that are asked at the same time
FAREWELL = 2.0  # seconds that ending a trial may take when the executor is closed


@dataclass(frozen=True)
class Up:
    """A service is there, and runs so many trials at once."""

    site: "Site"
    slots: int


@dataclass(frozen=True)
class Down:
    """A service is not there, or refuses to be asked."""

    site: "Site"
    why: str
    refuses: bool


@dataclass(frozen=True)
class Heard:
    """A trial has said how far it is."""

    errand: Errand
    lines: Sequence[Progress]


@dataclass(frozen=True)
class Ended:
    """An errand is over, and its runner free."""

    runner: "Runner"
    errand: Errand
    end: End


Event = Up | Down | Heard | Ended
Tell = Callable[[Event], None]
State = Literal["new", "up", "gone", "unable"]


class Site:
    """One service as the executor sees it. Only the executor's thread changes it; `watch` and runners tell events."""

    def __init__(self, url: str, headers: Mapping[str, str], lease: float, tell: Tell) -> None:
        Connection(url, lease)  # an address that is none is told at once
        self.url, self.slots, self.busy = url, 0, 0
        self.state: State = "new"
        self.why = "has not answered yet"
        self.free_at = 0.0  # not before this is it asked again, having been full
        self.stale: dict[str, TrialId] = {}  # trials that it was lost with, by what it calls them
        self._runners: list[Runner] = []
        self._free: list[Runner] = []  # of these
        self._lease, self._headers = lease, headers
        self._tell, self._stop, self._wake = tell, Flag(), Flag()
        self._full_pause = self._rest = PAUSE
        self._watcher: Thread | None = None

    def room(self, now: float) -> int:
        """Return how many trials it would take now, as far as is known."""
        return self.slots - self.busy if self.state == "up" and self.free_at <= now else 0

    def send(self, errand: Errand) -> None:
        """Let a runner do an errand."""
        self.busy += 1
        self._runner().inbox.put(errand)

    def ended(self, runner: "Runner", went_well: bool) -> None:
        """Take back a runner whose errand is over."""
        self.busy -= 1
        self._free.append(runner)
        if went_well:
            self._full_pause = self._rest = PAUSE

    def is_up(self, slots: int, waiting: Collection[TrialId]) -> None:
        """Take in that it is there, and let it end what now runs elsewhere; what is `waiting` may come back to it."""
        self.state, self.slots, self.why = "up", slots, ""
        over = [trial for trial, trial_id in self.stale.items() if trial_id not in waiting]
        self.stale.clear()
        if over:
            Thread(target=self.cancel, args=(over,), daemon=True).start()

    def is_full(self) -> None:
        """Leave it alone for a while, longer each time."""
        self.free_at = monotonic() + self._full_pause
        self._full_pause = min(2 * self._full_pause, LONGEST_PAUSE)

    def is_away(self, state: State, why: str) -> None:
        """Take in that it is gone, or unable, and look after it in the background; unable, after a longer rest."""
        was_there, self.state, self.why = self.state == "up", state, why
        if was_there:
            self.watch(self._rest if state == "unable" else PAUSE)
            self._rest = min(4 * self._rest, LONGEST_REST)

    def lost(self, errand: Errand, why: str) -> None:
        """Take in that it has not answered in time, and remember what it may still run."""
        if errand.id is not None:
            self.stale[errand.id] = errand.trial.id
        self.is_away("gone", why)

    def watch(self, pause: float = 0.0) -> None:
        """Look whether it is there, again and again, until it is."""
        self._watcher = Thread(target=self._watch, args=(pause,), daemon=True)
        self._watcher.start()

    def look_again(self) -> None:
        """Look at once, whatever was seen before."""
        if self.state != "up":
            self.state = "new"
            self._wake.set()

    def close(self) -> None:
        """Let all threads end, and the trials that they are waiting for."""
        self._stop.set()
        self._wake.set()
        for runner in self._runners:
            runner.end()

    def join(self, until: float) -> None:
        """Wait for the threads that have been told to end."""
        for thread in (self._watcher, *(runner.thread for runner in self._runners)):
            if thread:
                thread.join(max(0.0, until - monotonic()))

    def connection(self) -> Connection:
        """Return a new connection to it."""
        return Connection(self.url, self._lease, self._headers)

    def _runner(self) -> "Runner":
        if not self._free:
            self._runners.append(Runner(self, self._tell))
            return self._runners[-1]
        return self._free.pop()

    def _watch(self, pause: float) -> None:
        connection = self.connection()
        while not self._stop.is_set():
            if pause:
                self._wake.wait(pause)
                self._wake.clear()
            if self._stop.is_set():
                break
            try:
                self._tell(Up(self, connection.capacity().slots))
                break
            except Full:
                pass
            except Gone as error:
                self._tell(Down(self, str(error), refuses=False))
            except Refused as error:
                self._tell(Down(self, str(error), refuses=True))
            pause = min(2 * max(pause, PAUSE / 2), LONGEST_PAUSE)
        connection.close()

    def cancel(self, trials: Sequence[str]) -> None:
        """Let it end trials, by what it calls them; it may be called from any thread."""
        connection = self.connection()
        for trial in trials:
            with suppress(Gone, Full, Refused):
                connection.cancel(trial, FAREWELL)
        connection.close()


class Runner:
    """A thread with a connection to a service, which does one errand after another."""

    def __init__(self, site: Site, tell: Tell) -> None:
        self.site, self._tell = site, tell
        self.inbox: SimpleQueue[Errand | None] = SimpleQueue()
        self._connection = site.connection()
        self._is_ended = False
        self.thread = Thread(target=self._work, daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Let it end, and the trial that it waits for."""
        self._is_ended = True
        self._connection.interrupt()
        self.inbox.put(None)

    def _work(self) -> None:
        while (errand := self.inbox.get()) is not None and not self._is_ended:
            try:
                end = errand.run(self._connection)
            except Exception as error:  # a bug, to be raised where somebody waits: nobody sees this thread
                end = Fault(error)
            if self._is_ended and errand.id:
                self.site.cancel([errand.id])
            self._tell(Ended(self, errand, end))
        self._connection.close()


def slots(urls: Sequence[str], seconds: float, headers: Mapping[str, str]) -> tuple[int, list[str]]:
    """Return how many trials the services at `urls` run at once, and why those are silent that do not say it."""

    def asked(url: str) -> int | str:
        connection = Connection(url, seconds, headers)
        try:
            return connection.capacity().slots
        except (Gone, Full, Refused) as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(min(len(urls), AT_ONCE)) as pool:
        answers = list(pool.map(asked, urls))
    return sum(found for found in answers if isinstance(found, int)), [why for why in answers if isinstance(why, str)]
