"""Shakes a study: runs it undisturbed, then again and again while all kinds of things go wrong, and compares."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from secrets import token_hex
from shutil import rmtree

from amla.chaos.answers import differences, is_exact
from amla.chaos.driver import Command, Driver
from amla.chaos.faults import KILLS, Fault, Usual, damage, fault, instant
from amla.chaos.ledger import Ledger
from amla.chaos.processes import Process, wait_for_end
from amla.chaos.setup import Setup
from amla.evaluation.train import CHECKPOINTS
from amla.storage.cutting import cut, named
from amla.study.folder import read
from amla.study.runs import forget
from amla.study.study import StudyError, to_yaml

CHECKPOINT_SECONDS = "0.5"  # so that brief trials have checkpoints, too
SILENCE = 120.0  # seconds, or five times as long as a run takes: a driver that writes nothing for longer hangs
MESSAGE = 2  # the exit code of a command that says what is wrong
PATIENCE = 20.0  # seconds that workers have to end after their driver
RAY_PATIENCE, RAY_MOST = 300.0, 60  # those that parts of a Ray have, and how many may live beside the next
DAMAGED = 0.5  # of the pauses between two drivers


@dataclass
class Tally:
    """What has been done to a study, and what came of it. `wrong` says in words what should not have been."""

    faults: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    restarts: int = 0
    gave_up: int = 0
    recorded: int = 0
    lost: int = 0
    repeated: int = 0
    mended: int = 0
    left_behind: int = 0
    exact: bool = True
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many processes, or all processes of a run at once, were killed."""
        return sum(self.faults[kind] for kind in KILLS)


@dataclass
class Shaking:
    """One setup being shaken. `say` hears what happens, a line at a time."""

    setup: Setup
    say: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)
    _orphans: set[Process] = field(default_factory=set)
    _usual: Usual = field(default_factory=lambda: Usual(0.0, 0))

    def __post_init__(self) -> None:
        self._chance = Random(self.setup.seed)  # noqa: S311 - nothing is secret
        self._name = f"amla-chaos-{token_hex(4)}"
        self._study = self.setup.folder / "study.yaml"
        self._marks = 0

    def run(self) -> Tally:
        """Shake it until it was killed often enough, or something is wrong. Raises StudyError if it does not run."""
        began = time.monotonic()
        self.setup.folder.mkdir(parents=True, exist_ok=True)
        self._study.write_text(to_yaml(self.setup.study), encoding="utf-8")
        self._undisturbed()
        while self.tally.kills < self.setup.kills and not self.tally.wrong:
            self._shaken()
        self._bury(RAY_PATIENCE, 0)
        self.tally.seconds = time.monotonic() - began
        return self.tally

    def _undisturbed(self) -> None:
        driver = self._driver("undisturbed", self.setup.store)
        try:
            driver.lives_on(float("inf"))
        except BaseException:
            driver.close()
            raise
        driver.hear_out()
        self._usual = driver.usual
        self._orphans |= driver.family
        if driver.code:
            raise StudyError(f"The study does not run, also undisturbed (exit code {driver.code}):\n{driver.words}")
        self.tally.exact = is_exact(read(self.setup.folder / "undisturbed"))
        self.say(f"undisturbed: {self._usual.seconds:.1f} s")

    def _shaken(self) -> None:
        """Run the study once, from the beginning to the end, however often it is ended on the way."""
        self.tally.runs += 1
        folder, lives = self.setup.folder / f"run-{self.tally.runs}", 0
        ledger = Ledger(folder)
        store = self.setup.store and named(self.setup.store, self._name)
        while not self.tally.wrong:
            lives += 1
            self.tally.restarts += lives > 1
            driver = self._driver(folder.name, store)
            try:
                fatal = self._life(driver)
            except TimeoutError:
                driver.close()
                self.tally.wrong.append(f"{folder.name} hung: nothing was written for {self._silence:.0f} s")
                break
            except BaseException:
                driver.close()
                raise
            self._after(driver, ledger, fatal)
            if driver.code == 0:
                break
            if "files" in self.setup.faults and self._chance.random() < DAMAGED:
                self._damage(ledger)
        self._judge(ledger)

    def _life(self, driver: Driver) -> bool:
        """Let things go wrong until a driver has ended; return whether anything did."""
        harmed, workers = False, 0
        while self.tally.kills < self.setup.kills:
            if not driver.reaches(instant(self._chance, self._usual), self._silence):
                return harmed
            kind = fault(self._chance, self.setup.faults, workers)
            if kind is None:
                break
            if done := self._do(kind, driver):
                self.tally.faults[kind] += 1
                workers += kind == "worker"
                harmed = True
                self.say(f"{driver.folder.name}, {driver.usual.seconds:5.1f} s: {done}")
            if driver.code is not None or kind == "disk":
                break
        driver.lives_on(self._silence)
        return harmed

    def _do(self, kind: Fault, driver: Driver) -> str | None:
        """Let a thing go wrong, and return what that was; None if there was nothing to go wrong."""
        match kind:
            case "driver":
                driver.kill()
                return "killed the driver"
            case "all":
                others = driver.relatives()
                driver.kill()
                return f"killed the driver and {sum(each.kill() for each in others)} other processes"
            case "worker":
                workers = sorted((each for each in driver.relatives() if each.is_worker), key=lambda each: each.pid)
                if not workers or not (chosen := self._chance.choice(workers)).kill():
                    return None
                return f"killed the worker {chosen.pid}, of {len(workers)}"
            case "connections":
                number = cut(self.setup.store or "", self._name)
                return f"cut {number} connections" if number else None
            case "disk":
                driver.starve()
                return "filled the disk"
            case "files":
                return None

    def _after(self, driver: Driver, ledger: Ledger, harmed: bool) -> None:
        """See to what a driver has left: processes, and a record."""
        self._orphans |= driver.family | driver.relatives()
        driver.hear_out()
        if not self.setup.is_on_ray:
            self._bury(PATIENCE, 0)
        self._bury(RAY_PATIENCE, RAY_MOST)
        ledger.look()
        code = driver.code
        if code == MESSAGE and harmed:
            self.tally.gave_up += 1
            self.say(f"{driver.folder.name}: ended by itself: {driver.words.splitlines()[-1] if driver.words else ''}")
        elif code and not driver.was_killed:
            self.tally.wrong.append(f"{driver.folder.name} ended with exit code {code}:\n{driver.words}")

    def _damage(self, ledger: Ledger) -> None:
        if done := damage(self._chance, ledger.folder):
            ledger.damage(done.name)
            self.tally.faults["files"] += 1
            self.say(f"{ledger.folder.name}: {done.name} {done.what}")

    def _judge(self, ledger: Ledger) -> None:
        """Compare a run that is over with the undisturbed one; its folder goes if all is well."""
        folder, tally = ledger.folder, self.tally
        tally.recorded += ledger.recorded
        tally.lost += ledger.lost
        tally.repeated += len(ledger.repeated)
        tally.mended += ledger.mended
        wrong = [f"{ledger.lost} events were lost"] if ledger.lost else []
        wrong += [f"trained again, though recorded: {name}" for name in ledger.repeated]
        if not tally.wrong:
            wrong += differences(self.setup.folder / "undisturbed", folder)
        tally.wrong += [f"{folder.name}: {what}" for what in wrong]
        if not tally.wrong:
            self.say(f"{folder.name}: the same as undisturbed, after {tally.kills} of {self.setup.kills} kills")
            forget(folder)
            rmtree(folder)

    def _bury(self, seconds: float, most: int) -> None:
        """Wait until all but `most` of what drivers left has ended; if that takes longer, it is counted, and killed."""
        self._orphans = wait_for_end(self._orphans, seconds, most)
        if len(self._orphans) > most:
            for each in sorted(self._orphans, key=lambda each: each.pid):
                self.tally.wrong.append(f"process {each.pid} was left behind: {each.command[:200]}")
                each.kill()
            self.tally.left_behind += len(self._orphans)
            self._orphans = set()

    def _driver(self, name: str, store: str | None) -> Driver:
        folder, setup = self.setup.folder / name, self.setup
        self._marks += 1
        where = ["--data-dir", str(setup.data_dir)] if setup.data_dir else []
        where += ["--store", store] if store else []
        arguments = ("run", str(self._study), "--run", str(folder), "--plain", *where)
        return Driver(Command(arguments, {CHECKPOINTS: CHECKPOINT_SECONDS}), folder, f"{self._name}-{self._marks}")

    @property
    def _silence(self) -> float:
        return max(SILENCE, 5 * self._usual.seconds)
