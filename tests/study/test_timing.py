"""Timing training steps: on machines of made-up speed, whose workers take some time to start."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from amla.execution.work import WorkerError
from amla.spaces.envelope import envelope
from amla.study.timing import LEAST, SECONDS, STEPS, Arrangement, Timing, timed
from amla.trials.progress import Progress, Report
from amla.trials.trial import Cost, Failure, Measurement, Outcome, Proposal, Trial

SPACE = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(2,))
PROPOSAL = Proposal(SPACE.space.close(SPACE.initial()), 0, seed=3, keep=False)
ONE, TWO = Arrangement(1, 2), Arrangement(2, 1)


@dataclass
class Machine:
    """Trains `alone` steps a second in a worker that is alone, `crowded` in each if others train too."""

    alone: float = 100.0
    crowded: float = 60.0
    start: float = 3.0  # seconds that each worker needs to start, after the one before it
    opening: float = 0.0  # seconds before any trial counts its own
    device: str = "cpu"
    fails: bool = False
    now: float = 0.0
    at: list[tuple[int, int, int]] = field(default_factory=list)  # workers, seed, steps

    @contextmanager
    def opened(self, arrangement: Arrangement, report: Report) -> Iterator["Workers"]:
        self.now += self.opening
        yield Workers(self, arrangement.workers, report)


@dataclass
class Workers:
    """An executor: what is submitted trains when it is waited for, a millisecond after the other."""

    machine: Machine
    workers: int
    report: Report
    waiting: list[Trial] = field(default_factory=list)
    started: list[float] = field(default_factory=list)  # when each worker has

    @property
    def idle(self) -> int:
        return self.workers - len(self.waiting)

    def submit(self, trial: Trial) -> None:
        assert self.idle
        self.waiting.append(trial)

    def wait(self) -> list[tuple[int, Outcome]]:
        machine = self.machine
        if not self.started:
            self.started = [machine.now + (place + 1) * machine.start for place in range(self.workers)]
        done, began = dict.fromkeys(range(len(self.waiting)), 0.0), machine.now
        while any(done[place] < trial.proposal.budget for place, trial in enumerate(self.waiting)):
            machine.now += 0.001
            training = [
                p for p, t in enumerate(self.waiting) if self.started[p] <= machine.now and done[p] < t.proposal.budget
            ]
            for place in training:
                before = done[place]
                done[place] += 0.001 * (machine.alone if len(training) == 1 else machine.crowded)
                budget = self.waiting[place].proposal.budget
                if before // 10 < done[place] // 10:
                    self.report(
                        Progress(self.waiting[place].id, int(done[place] // 10 * 10), budget, 1.0, 0.5, 0.1, 0.0)
                    )
        outcomes = list[tuple[int, Outcome]]()
        for trial in self.waiting:
            machine.at.append((self.workers, trial.proposal.seed, trial.proposal.budget))
            told: Outcome = Measurement({}, seconds=machine.now - began, cost=Cost(machine.device, 1.0))
            told = Failure("diverged", "nan") if machine.fails else told
            outcomes.append((trial.id, told))
        self.waiting = []
        return outcomes


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("amla.study.timing.monotonic", lambda: machine.now)
    return machine


def steps(found: tuple[tuple[Timing, ...], float]) -> list[float | None]:
    return [timing.steps and round(timing.steps, 1) for timing in found[0]]


def test_workers_are_timed_while_all_of_them_train(machine: Machine):
    """The first would be done before the second has started, if it were not for a second round."""
    timings, _ = timed((ONE, TWO), (ONE,), PROPOSAL, machine.opened, 60.0)
    assert [timing.arrangement for timing in timings] == [ONE, TWO]
    assert [timing.steps for timing in timings] == [pytest.approx(100, rel=0.05), pytest.approx(120, rel=0.05)]
    assert {seed for _, seed, _ in machine.at} == {3}


def test_starting_workers_is_counted_too(machine: Machine):
    machine.opening = 7.0
    timings, seconds = timed((ONE, TWO), (ONE,), PROPOSAL, machine.opened, 60.0)
    assert [timing.starting for timing in timings] == [pytest.approx(7.0)] * 2
    assert seconds == pytest.approx(machine.now)


def test_a_slow_network_is_trained_for_no_more_steps_than_needed(machine: Machine):
    machine.alone = machine.crowded = 2.0
    assert steps(timed((ONE,), (ONE,), PROPOSAL, machine.opened, 60.0)) == [pytest.approx(2.0, rel=0.05)]
    assert machine.at == [(1, 3, STEPS)]


def test_a_fast_one_is_watched_for_a_while(machine: Machine):
    timed((ONE,), (ONE,), PROPOSAL, machine.opened, 60.0)
    assert machine.at[-1][2] >= machine.alone * SECONDS


def test_three_are_always_timed_and_more_while_there_is_time(machine: Machine):
    four = tuple(Arrangement(1, threads) for threads in (4, 3, 2, 1))
    timings, seconds = timed(four, four[:1], PROPOSAL, machine.opened, 1.0)
    assert len(timings) == LEAST == 3
    assert seconds >= 1.0
    assert len(timed(four, four[:1], PROPOSAL, machine.opened, 60.0)[0]) == 4


def test_on_a_machine_too_busy_to_see_all_train_for_long_what_was_seen_must_do(machine: Machine):
    machine.alone, machine.crowded, machine.start = 2.0, 1.0, 8.0
    (found,), _ = timed((TWO,), (TWO,), PROPOSAL, machine.opened, 60.0)
    assert found.steps == pytest.approx(2.0, rel=0.2)
    assert len(machine.at) <= 2 * 2


def test_on_a_gpu_only_what_is_usual_is_timed(machine: Machine):
    machine.device = "cuda"
    three = (ONE, Arrangement(1, 1), TWO)
    assert [found is None for found in steps(timed(three, (ONE, TWO), PROPOSAL, machine.opened, 60.0))] == [0, 1, 0]


def test_what_cannot_train_or_start_has_no_figure(machine: Machine):
    machine.fails = True
    assert steps(timed((ONE,), (ONE,), PROPOSAL, machine.opened, 60.0)) == [None]

    @contextmanager
    def refused(arrangement: Arrangement, report: Report) -> Iterator[Workers]:
        raise WorkerError("too many")
        yield

    assert steps(timed((ONE, TWO), (ONE,), PROPOSAL, refused, 60.0)) == [None, None]
