"""How much of a study is done and what is left, on machines whose speed is made up."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.cli.pace import Pace
from amla.spaces.envelope import envelope
from amla.spec.costs import costs, training_flops
from amla.study.arrangement import Arranged
from amla.study.forecast import Expected, Forecast
from amla.study.resolve import FINAL, REHEARSAL, SEARCH
from amla.study.run import Limit
from amla.study.settings.searches import RandomSettings
from amla.study.study import Data, Final, Study
from amla.study.tempo import Tempo
from amla.study.timing import Arrangement
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Cost, Failure, Measurement, Proposal

SPACE = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(2,))
NETWORK = SPACE.space.close(SPACE.initial())
STEPS = 100
STUDY = Study("x", Data("x"), algorithm=RandomSettings(4, STEPS), final=Final(400))
STEP = training_flops(costs(NETWORK).macs, STUDY.recipe.batch)  # operations
PHASES = {SEARCH: Expected(4.0 * STEPS * STEP, 4 * STEPS), FINAL: Expected(400.0 * STEP, 400)}
WHOLE = Forecast(PHASES)


@dataclass
class Machine:
    """Trains one network after another at `speed` steps a second, and tells a pace of it."""

    pace: Pace
    speed: float = 10.0
    history: History = field(default_factory=History)

    def begin(self, phase: str) -> None:
        self.history = History()
        self.pace.begin(phase, self.history)

    def train(self, steps: int, stop: int | None = None) -> None:
        """Train a network, to its end or until `stop`, with a line every ten steps."""
        number = len(self.history)
        self.history = self.history.asked(Proposal(NETWORK, steps))
        self.pace.ask(self.history[number])
        for step in range(10, (steps if stop is None else stop) + 1, 10):
            self.pace.hear(Progress(number, step, steps, 1.0, 0.5, 0.1, step / self.speed))
        if stop is None:
            measured = Measurement({}, seconds=steps / self.speed, cost=Cost("cpu", float(steps * STEP)))
            self.history = self.history.told(number, measured)
            self.pace.tell(self.history[number])


def machine(study: Study = STUDY, speed: float = 10.0) -> Machine:
    return Machine(Pace(study, 1000), speed)


def test_nothing_is_said_before_anything_is_known():
    found = machine()
    assert (found.pace.share, found.pace.left) == (0.0, None)
    found.pace.expect(WHOLE)
    found.begin(SEARCH)
    assert (found.pace.share, found.pace.left) == (0.0, None)


def test_on_a_steady_machine_it_is_right_from_the_second_line_on():
    found = machine()
    found.pace.expect(WHOLE)
    found.begin(SEARCH)
    found.train(STEPS, stop=20)
    assert found.pace.left == pytest.approx((800 - 20) / 10)
    assert found.pace.share == pytest.approx(20 / 800)
    found = machine()
    found.pace.expect(WHOLE)
    found.begin(SEARCH)
    for done in range(1, 5):
        found.train(STEPS)
        assert found.pace.left == pytest.approx((800 - 100 * done) / 10)
    found.begin(FINAL)
    found.train(400)
    assert (found.pace.share, found.pace.left) == (1.0, 0.0)


def foretold(tempo: Tempo) -> Forecast:
    told = {
        name: replace(phase, seconds=1.5 * tempo.seconds(phase.flops, phase.steps)) for name, phase in PHASES.items()
    }
    return Forecast(told, tempo)


def test_what_is_foretold_is_left_until_there_is_something_to_go_by():
    found = machine()
    found.pace.expect(foretold(Tempo(0.05, STEP / 0.05)))  # ten steps a second, and half as much again for the rest
    found.begin(SEARCH)
    assert (found.pace.share, found.pace.left) == (0.0, pytest.approx(1.5 * 800 / 10))
    found.train(STEPS)
    assert found.pace.left == pytest.approx(700 / 10)


def test_a_study_that_goes_on_has_less_left_from_the_start():
    before = machine()
    before.begin(SEARCH)
    before.train(STEPS)
    later = machine()
    later.pace.expect(foretold(Tempo(0.05, STEP / 0.05)))
    later.pace.begin(SEARCH, before.history)
    assert later.pace.left == pytest.approx(1.5 * 700 / 10)
    assert later.pace.share == pytest.approx(1 / 8)


def test_a_thin_network_does_not_make_the_wide_ones_after_it_look_slow():
    tempo = Tempo(0.1, STEP / 0.01)  # a thin step takes 0.11 s, one of nine times the operations 0.19 s
    phases = {SEARCH: Expected(STEPS * STEP, STEPS), FINAL: Expected(9.0 * 400 * STEP, 400)}
    seconds = {name: replace(each, seconds=tempo.seconds(each.flops, each.steps)) for name, each in phases.items()}
    found = machine(speed=1 / 0.11)
    found.pace.expect(Forecast(seconds, tempo))
    found.begin(SEARCH)
    found.train(STEPS)
    assert found.pace.left == pytest.approx(400 * 0.19)


def test_what_came_before_the_first_line_does_not_count():
    found = machine()
    found.pace.expect(WHOLE)
    found.begin(SEARCH)
    found.history = found.history.asked(Proposal(NETWORK, STEPS))
    found.pace.ask(found.history[0])
    for step, seconds in ((10, 31.0), (20, 32.0)):  # half a minute of it to load libraries
        found.pace.hear(Progress(0, step, STEPS, 1.0, 0.5, 0.1, seconds))
    assert found.pace.left == pytest.approx(78.0)


def test_a_search_that_ends_early_leaves_the_final_training():
    found = machine()
    found.pace.expect(WHOLE)
    found.begin(SEARCH)
    found.train(STEPS)
    found.begin(FINAL)
    assert found.pace.left == pytest.approx(40.0)
    assert found.pace.share == pytest.approx(100 / 500)


def test_what_was_done_before_it_was_cut_off_counts_as_done():
    found = machine()
    found.begin(SEARCH)
    found.train(STEPS)
    later = machine()
    later.pace.expect(WHOLE)
    later.pace.begin(SEARCH, found.history)
    assert later.pace.share == pytest.approx(100 / 800)


def test_two_workers_take_half_the_time_of_the_search():
    found = machine()
    found.pace.arrange(Arranged(Arrangement(2, 1), Arrangement(1, 2)))
    found.pace.expect(WHOLE)
    found.begin(SEARCH)
    found.train(STEPS)
    assert found.pace.left == pytest.approx(300 / 10 / 2 + 400 / 10)


def test_under_a_limit_of_seconds_what_is_left_is_what_the_limit_leaves():
    found = machine(replace(STUDY, algorithm=RandomSettings(4), final=Final(), limit=Limit(seconds=100.0)))
    assert found.pace.left == 100.0
    found.pace.arrange(Arranged(Arrangement(1, 2), Arrangement(1, 2), seconds=2.0))
    found.begin(REHEARSAL)
    found.train(30)
    found.begin(SEARCH)
    found.train(STEPS)
    found.train(STEPS, stop=50)
    assert found.pace.left == pytest.approx(100 - 2 - 3 - 10 - 5)
    assert found.pace.share == pytest.approx(0.2)
    found.begin(FINAL)
    found.train(5000)
    assert (found.pace.share, found.pace.left) == (1.0, 0.0)


def test_a_trial_that_failed_has_cost_time_and_done_nothing():
    found = machine()
    found.pace.expect(WHOLE)
    found.begin(SEARCH)
    found.train(STEPS)
    before = found.pace.left
    found.history = found.history.asked(Proposal(NETWORK, STEPS))
    found.pace.ask(found.history[1])
    found.pace.tell(found.history.told(1, Failure("diverged", "nan", 5.0))[1])
    assert found.pace.left == before


@given(
    speeds=st.lists(st.floats(0.01, 1e6), min_size=1, max_size=8),
    steps=st.lists(st.integers(1, 500), min_size=1, max_size=8),
    expected=st.floats(0, 1e15),
    limit=st.none() | st.floats(0.001, 1e6),
    foretold=st.booleans(),
)
def test_whatever_happens_no_time_is_negative_and_no_share_beyond_its_bounds(
    speeds: list[float], steps: list[int], expected: float, limit: float | None, foretold: bool
):
    timed = replace(STUDY, final=Final(None if limit else 400), limit=Limit(seconds=limit))
    found = machine(timed)
    tempo = Tempo(0.1, 1e9) if foretold else None
    phase = Expected(expected, 300, tempo and tempo.seconds(expected, 300))
    found.pace.expect(Forecast({SEARCH: phase, FINAL: phase}, tempo))
    for phase in (REHEARSAL, SEARCH, FINAL):
        found.begin(phase)
        for number, budget in enumerate(steps):
            found.speed = speeds[number % len(speeds)]
            found.train(budget)
            assert 0 <= found.pace.share <= 1
            assert found.pace.left is None or found.pace.left >= 0
