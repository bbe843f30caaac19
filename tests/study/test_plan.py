"""How long the legs of a study are under a limit of seconds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.algorithms.fixed import Fixed
from amla.algorithms.nac import Nac
from amla.algorithms.random import RandomSearch
from amla.spaces.envelope import envelope
from amla.spec.costs import costs, training_flops
from amla.study import plan
from amla.trials.history import History
from amla.trials.trial import Measurement

ENVELOPE = envelope((1, 8, 8), 2, width=6, cells=(1, 1), max_cells=(3, 3))
NAC = Nac(ENVELOPE, steps=10, iterations=4)


def test_the_first_network_is_the_first_that_the_algorithm_asks_for():
    assert plan.first(NAC) == ENVELOPE.space.close(ENVELOPE.initial())
    assert plan.first(Fixed((), 10)) is None


def test_the_networks_of_nac_are_foreseen_at_their_dearest():
    """Whatever branches a search really finds the best, its networks cost about what was foreseen, or less."""
    foreseen = plan.foreseen(NAC, NAC.steps)
    rng = np.random.default_rng(0)
    for _ in range(5):
        history, found = History(), []
        while proposal := NAC.ask(history):
            found.append(costs(proposal.architecture).macs)
            statistics = {name: {i: float(rng.random()) for i in nodes} for name, nodes in proposal.probes.items()}
            history = history.asked(proposal).told(len(history), Measurement({"accuracy": 0.5}, statistics))
        assert len(found) == len(foreseen)
        assert sum(found) <= 1.05 * sum(leg.macs for leg in foreseen)


def test_random_networks_are_foreseen_as_they_will_be():
    random = RandomSearch(ENVELOPE.space, 10, trials=5)
    history = History()
    while proposal := random.ask(history):
        history = history.asked(proposal).told(len(history), Measurement({"accuracy": 0.5}))
    found = plan.foreseen(random, 10)
    assert found == [plan.Leg(costs(trial.proposal.architecture).macs) for trial in history.trials]


def test_a_search_without_end_is_foreseen_for_a_while():
    assert len(plan.foreseen(RandomSearch(ENVELOPE.space, 10), 10)) == plan.FORESEEN


def test_the_speed_is_what_a_step_took():
    macs, batch = 10**6, 64
    speed = plan.speed(Measurement({"macs": float(macs), "step_seconds": 0.1}), batch)
    assert speed.flops == pytest.approx(training_flops(macs, batch) / 0.1)
    assert speed.steps_a_second(macs, batch) == pytest.approx(10)
    assert speed.steps_a_second(2 * macs, batch) == pytest.approx(5)


@given(
    seconds=st.floats(1, 1e5),
    flops=st.floats(1e8, 1e13),
    legs=st.lists(
        st.builds(plan.Leg, st.integers(10**4, 10**9), st.sampled_from([0.1, 0.5, 1.0])), min_size=1, max_size=12
    ),
    scored=st.integers(1, 50_000),
)
def test_legs_take_the_seconds_they_may_unless_they_are_the_shortest(
    seconds: float, flops: float, legs: list[plan.Leg], scored: int
):
    steps = plan.search_steps(seconds, plan.Speed(flops), legs, 64, 10**15, scored)
    assert steps >= plan.LEAST_STEPS
    scoring = training_flops(1, 1) * sum(leg.macs for leg in legs) * plan.SCORING * scored
    step = training_flops(1, 64) * sum(leg.work for leg in legs)
    taken = (scoring + steps * step) / flops + len(legs) * plan.OVERHEAD_SECONDS
    if steps > plan.LEAST_STEPS:
        assert taken <= seconds * (1 + 1e-6)
        assert taken + step / flops >= seconds * (1 - 1e-6)


@pytest.mark.parametrize(("examples", "steps"), [(500, plan.ENOUGH_STEPS), (64_000, 1000 * plan.ENOUGH_EPOCHS)])
def test_no_leg_is_longer_than_is_enough(examples: int, steps: int):
    assert plan.search_steps(1e9, plan.Speed(1e9), [plan.Leg(10**6)], 64, examples, 100) == steps


def test_the_final_training_gets_what_is_left_less_a_reserve():
    assert plan.final_seconds(100.0, 35.0) == pytest.approx(97.0 - plan.CLOSING_SECONDS - 35.0)


@pytest.mark.parametrize(
    ("lengths", "workers", "longest"),
    [([], 2, 0), ([3, 1, 2], 1, 6), ([3, 1, 2], 2, 3), ([1, 1, 1], 2, 2), ([1, 1, 4], 2, 5), ([2, 1], 5, 2)],
)
def test_trials_in_parallel_are_done_when_the_last_one_is(lengths: list[float], workers: int, longest: float):
    assert plan.makespan(lengths, workers) == longest


def test_the_legs_of_a_search_in_parallel_are_as_long_as_its_slower_workers_allow():
    alone = plan.search_steps(1000.0, plan.Speed(1e9), [plan.Leg(10**6)] * 8, 64, 10**9, 100)
    together = plan.search_steps(1000.0, plan.Speed(1e9).times(0.75), [plan.Leg(10**6)] * 8, 64, 10**9, 100, workers=2)
    assert together == pytest.approx(1.5 * alone, rel=0.05)
