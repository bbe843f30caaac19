"""Tests of Paced, which trains for as long as the time allows, and of Finish, which tests what was trained."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.algorithms.finish import Finish
from amla.algorithms.finish import tested as was_tested
from amla.algorithms.fixed import Fixed
from amla.algorithms.paced import Paced
from amla.algorithms.protocol import Algorithm
from amla.spaces.envelope import envelope
from amla.testing import Synthetic, check_algorithm
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal

ENVELOPE = envelope((1, 8), 2, width=4, cells=(1,), max_cells=(3,), branches=("1", "3"))
NETWORK = ENVELOPE.space.close(ENVELOPE.initial())
LIMIT = 100.0  # seconds
FAILURE = Failure("crashed", "killed", seconds=5.0)
MANY = 1000  # trials: an algorithm that asks for more never ends

Speed = Callable[[float], float]  # steps a second at a time


def constant(seconds: float) -> float:
    return 50.0


def slower(seconds: float) -> float:
    return 50.0 if seconds < LIMIT / 2 else 50.0 / 3


def faster(seconds: float) -> float:
    return 50.0 if seconds < LIMIT / 2 else 150.0


def unsteady(seconds: float) -> float:
    return 50.0 if int(seconds / 7) % 2 else 17.0


def trained(algorithm: Algorithm, speed: Speed, failing: tuple[int, ...] = ()) -> History:
    """Return the history of a training on a machine of this speed, on which some trials fail."""
    history = History()
    while proposal := algorithm.ask(history):
        assert len(history) < MANY
        history = history.asked(proposal)
        number = len(history) - 1
        history = history.told(number, FAILURE if number in failing else measured(proposal, history.seconds, speed))
    return history


def measured(proposal: Proposal, now: float, speed: Speed) -> Measurement:
    seconds = 0.0
    for _ in range(proposal.budget):
        seconds += 1 / speed(now + seconds)
    return Measurement({"accuracy": 0.5}, seconds=seconds)


def check_legs(history: History) -> None:
    """Each leg begins where the one before ended and lies within its horizon; the last one ends there."""
    done = list(history.done)
    before = 0
    for leg in done:
        assert leg.proposal.budget > 0
        assert leg.proposal.horizon is not None
        assert before + leg.proposal.budget <= leg.proposal.horizon
        before += leg.proposal.budget
    assert [leg.proposal.start for leg in done] == [None, *(leg.id for leg in done[:-1])]
    assert before == done[-1].proposal.horizon


class TestPaced:
    @pytest.mark.parametrize("expected", [5.0, 15.0, 50.0, 150.0])
    @pytest.mark.parametrize("speed", [constant, slower, faster, unsteady])
    def test_whatever_speed_was_expected_it_takes_about_the_time_it_may(self, expected: float, speed: Speed):
        history = trained(Paced(NETWORK, LIMIT, expected), speed)
        check_legs(history)
        assert 0.9 * LIMIT <= history.seconds <= 1.12 * LIMIT

    @pytest.mark.parametrize("expected", [5.0, 50.0, 150.0])
    def test_on_a_steady_machine_it_takes_the_time_it_may_to_the_second(self, expected: float):
        assert trained(Paced(NETWORK, LIMIT, expected), constant).seconds == pytest.approx(LIMIT, abs=1.0)

    def test_a_speed_as_expected_gives_legs_of_one_length_and_one_horizon(self):
        history = trained(Paced(NETWORK, LIMIT, 50.0), constant)
        assert {leg.proposal.budget for leg in history.done} == {500}
        assert {leg.proposal.horizon for leg in history.done} <= {4999, 5000}

    @given(
        expected=st.floats(0.001, 1e4),
        speeds=st.lists(st.floats(0.01, 1e4), min_size=1),
        seconds=st.floats(0.0, 1000.0),
        failing=st.sets(st.integers(0, 30), max_size=1),
    )
    def test_whatever_the_machine_does_the_last_leg_ends_at_its_horizon(
        self, expected: float, speeds: list[float], seconds: float, failing: set[int]
    ):
        paced, history = Paced(NETWORK, seconds, expected), History()
        while proposal := paced.ask(history):
            assert len(history) < MANY
            number, speed = len(history), speeds[len(history) % len(speeds)]
            outcome: Outcome = Measurement({}, seconds=proposal.budget / speed)
            history = history.asked(proposal).told(number, FAILURE if number in failing else outcome)
        check_legs(history)

    def test_without_any_time_it_trains_for_one_step(self):
        for seconds in (0.0, -50.0):
            history = trained(Paced(NETWORK, seconds, 50.0), constant)
            assert [(leg.proposal.budget, leg.proposal.horizon) for leg in history.trials] == [(1, 1)]

    def test_legs_that_took_no_time_end_too(self):
        history = trained(Paced(NETWORK, LIMIT, 50.0), lambda seconds: float("inf"))
        check_legs(history)

    @pytest.mark.parametrize("failing", [0, 1, 5])
    def test_a_leg_that_fails_is_tried_once_more_from_the_same_weights_with_another_seed(self, failing: int):
        history = trained(Paced(NETWORK, LIMIT, 50.0, seed=7), constant, (failing,))
        check_legs(history)
        failed, again = history[failing].proposal, history[failing + 1].proposal
        assert (failed.start, failed.seed) == (None if failing == 0 else failing - 1, 7)
        assert (again.start, again.seed) == (failed.start, 8)
        assert history.seconds == pytest.approx(LIMIT, abs=1.0)

    def test_a_leg_that_fails_twice_is_given_up(self):
        history = trained(Paced(NETWORK, LIMIT, 50.0), constant, (3, 4, 5))
        assert (len(history.done), len(history.failed)) == (3, 2)

    def test_a_network_that_never_trains_is_given_up_and_not_recommended(self):
        paced = Paced(NETWORK, LIMIT, 50.0)
        history = trained(paced, constant, (0, 1, 2))
        assert len(history) == 2
        assert paced.recommend(history) is None
        assert paced.recommend(trained(paced, constant)) == NETWORK

    def test_it_waits_while_a_leg_trains(self):
        paced = Paced(NETWORK, LIMIT, 50.0)
        first = paced.ask(History())
        assert first is not None
        assert paced.ask(History().asked(first)) is None


TRAININGS: dict[str, Algorithm] = {
    "paced": Paced(NETWORK, LIMIT, 50.0),
    "fixed": Fixed((NETWORK,), 20),
    "several seeds": Fixed((NETWORK,), 20, seeds=(1, 2, 3)),
}
each = pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS.keys())


class TestFinish:
    @each
    @pytest.mark.parametrize("failing", [(), (0,), (1,)])
    def test_one_proposal_scores_without_training_and_nothing_comes_after_it(self, training, failing):
        history = trained(Finish(training), constant, failing)
        budgets = [trial.proposal.budget for trial in history.trials]
        if history.done:
            assert budgets.count(0) == 1
            assert budgets[-1] == 0
            assert was_tested(history)
        else:
            assert 0 not in budgets

    @each
    def test_what_is_scored_is_the_last_leg_that_was_trained(self, training):
        history = trained(Finish(training), constant)
        *_, leg, test = history.trials
        assert (test.proposal.start, test.proposal.architecture) == (leg.id, leg.proposal.architecture)
        assert (test.proposal.seed, test.proposal.keep, test.proposal.probes) == (leg.proposal.seed, False, {})

    @each
    def test_until_then_it_asks_for_what_the_training_asks_for(self, training):
        history = trained(Finish(training), constant)
        assert list(history.trials)[:-1] == list(trained(training, constant).trials)

    @each
    def test_a_test_that_fails_is_never_made_again(self, training):
        last = len(trained(training, constant))
        history = trained(Finish(training), constant, (last,))
        assert len(history) == last + 1
        assert Finish(training).ask(history) is None

    @each
    def test_nothing_is_tested_while_a_leg_trains(self, training):
        history = History()
        while not was_tested(history):
            proposal = Finish(training).ask(history)
            assert proposal is not None
            running = history.asked(proposal)
            waiting = Finish(training).ask(running)
            assert waiting is None or waiting.budget
            history = running.told(len(history), measured(proposal, history.seconds, constant))

    def test_nothing_is_tested_where_nothing_could_be_trained(self):
        history = trained(Finish(Paced(NETWORK, LIMIT, 50.0)), constant, (0, 1, 2, 3))
        assert len(history) == 2
        assert not was_tested(history)

    def test_what_was_trained_before_a_training_was_given_up_is_tested(self):
        history = trained(Finish(Paced(NETWORK, LIMIT, 50.0)), constant, (2, 3))
        assert len(history) == 5
        assert (history[4].proposal.budget, history[4].proposal.start) == (0, 1)

    @each
    def test_it_recommends_what_the_training_recommends(self, training):
        assert Finish(training).recommend(History()) is None
        assert Finish(training).recommend(trained(Finish(training), constant)) == NETWORK


@pytest.mark.parametrize("finish", [False, True])
def test_both_keep_the_law_of_algorithms(finish: bool):
    """Each leg takes a fifth of the time, so that there are several; the machine's speed is what was not expected."""
    landscape = Synthetic(seconds=LIMIT / 5)

    def make() -> Algorithm:
        paced = Paced(NETWORK, LIMIT, 50.0)
        return Finish(paced) if finish else paced

    check_algorithm(make, space=ENVELOPE.space, trials=15, failing=(0.0, 0.3, 1.0), evaluate=landscape.evaluate)


def test_horizons_follow_the_speed_of_the_machine():
    horizons = [trial.proposal.horizon or 0 for trial in trained(Paced(NETWORK, LIMIT, 50.0), faster).done]
    assert all(later >= sooner - 1 for sooner, later in pairwise(horizons))
    horizons = [trial.proposal.horizon or 0 for trial in trained(Paced(NETWORK, LIMIT, 50.0), slower).done]
    assert all(later <= sooner + 1 for sooner, later in pairwise(horizons))
