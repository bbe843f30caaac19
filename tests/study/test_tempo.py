"""How long a step takes, by a few of two networks: on executors whose speed is made up."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from amla.execution.inline import InlineExecutor
from amla.execution.work import WorkerError
from amla.spaces.envelope import envelope
from amla.spec.costs import costs, training_flops
from amla.study.run import Executor
from amla.study.tempo import MOST, SECONDS, Tempo, is_worth_it, line, tempo_of
from amla.study.timing import Arrangement
from amla.trials.progress import Progress, Report
from amla.trials.trial import Failure, Measurement, Outcome, Trial

SPACE = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(2,))
WIDER = envelope((1, 8, 8), 2, width=24, cells=(1,), max_cells=(2,))
THIN, WIDE = (space.space.close(space.initial()) for space in (SPACE, WIDER))
BATCH, ALONE = 16, Arrangement(1, 1)


class Machine:
    """Trains with a tempo, but for its first step, which takes a minute; some networks fail."""

    def __init__(self, tempo: Tempo, failing: tuple[object, ...] = ()) -> None:
        self.tempo, self.failing, self.cold = tempo, failing, 60.0
        self.trained: list[tuple[int, int]] = []  # parameters and steps

    @contextmanager
    def opened(self, arrangement: Arrangement, report: Report) -> Iterator[Executor]:
        yield InlineExecutor(self.train, report)

    def train(self, trial: Trial, report: Report) -> Outcome:
        network, steps = trial.proposal.architecture, trial.proposal.budget
        if network in self.failing:
            return Failure("out_of_memory", "too large", 1.0)
        self.trained.append((costs(network).parameters, steps))
        step = self.tempo.seconds(training_flops(costs(network).macs, BATCH), 1)
        for done in range(10, steps + 1, 10):
            report(Progress(trial.id, done, steps, 1.0, 0.5, 0.1, self.cold + done * step))
        spent = self.cold + steps * step
        self.cold = 0.0
        return Measurement({"step_seconds": spent / steps}, seconds=spent)


def test_two_networks_tell_what_any_step_takes_and_what_its_operations_do():
    machine = Machine(Tempo(0.01, 1e9))
    found = tempo_of((THIN, WIDE), BATCH, 0, ALONE, machine.opened)
    assert found is not None
    assert (found.step, found.flops) == (pytest.approx(0.01), pytest.approx(1e9))
    seconds = sum(steps * 0.02 for _, steps in machine.trained)
    assert seconds <= 4 * SECONDS


def test_steps_that_are_very_short_are_not_taken_without_end():
    machine = Machine(Tempo(1e-6, 1e13))
    tempo_of((THIN, WIDE), BATCH, 0, ALONE, machine.opened)
    assert max(steps for _, steps in machine.trained) == MOST


def test_of_very_long_steps_one_is_enough_and_no_other_network_is_tried():
    machine = Machine(Tempo(3.0, 1e12))
    found = tempo_of((THIN, WIDE), BATCH, 0, ALONE, machine.opened)
    assert found is not None
    assert found.seconds(training_flops(costs(THIN).macs, BATCH), 1) == pytest.approx(3.0, rel=0.01)
    assert machine.trained == [(costs(THIN).parameters, 1)] * 2


def test_what_cannot_be_trained_tells_nothing():
    machine = Machine(Tempo(0.01, 1e9), failing=(WIDE,))
    found = tempo_of((THIN, WIDE), BATCH, 0, ALONE, machine.opened)
    assert found is not None
    assert found.seconds(training_flops(costs(THIN).macs, BATCH), 1) < 0.02
    assert tempo_of((WIDE,), BATCH, 0, ALONE, machine.opened) is None


def test_workers_that_do_not_start_tell_nothing():
    @contextmanager
    def opened(arrangement: Arrangement, report: Report) -> Iterator[Executor]:
        raise WorkerError("no worker starts")
        yield

    assert tempo_of((THIN,), BATCH, 0, ALONE, opened) is None


@pytest.mark.parametrize(
    ("points", "tempo"),
    [
        ([(1e6, 0.2), (3e6, 0.4)], Tempo(0.1, 1e7)),
        ([(1e6, 0.1), (4e6, 0.8)], Tempo(0.0, 5e6)),  # memory is short: any step would take less than nothing
        ([(1e6, 0.2), (1.1e6, 0.22)], Tempo(0.0, 5e6)),  # too much alike to tell
        ([], None),
    ],
)
def test_the_line_through_points(points: list[tuple[float, float]], tempo: Tempo | None):
    found = line(points)
    assert (found is None) == (tempo is None)
    if found and tempo:
        assert (found.step, found.flops) == (pytest.approx(tempo.step), pytest.approx(tempo.flops))


def test_where_operations_do_not_tell_the_steps_do():
    found = line([(1e6, 0.2), (9e6, 0.2)])
    assert found is not None
    assert found.seconds(9e6, 1) == pytest.approx(0.2, rel=0.01)


def test_short_studies_are_not_timed():
    assert not is_worth_it(1e9, 60)
    assert is_worth_it(1e9, 2000)
    assert is_worth_it(1e12, 60)
