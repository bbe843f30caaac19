"""Learning rates of schedules that do not depend on the horizon."""

from itertools import pairwise

import pytest

from amla.tasks.recipe import Exponential, Restarts, rate


def test_an_exponential_schedule_falls_by_its_factor_in_stairs():
    rates = [rate(Exponential(0.5, every=3), step, horizon=7) for step in range(9)]
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_restarts_begin_anew_after_longer_and_longer_half_cosines():
    schedule = Restarts(first=4, growth=2.0, final=0.1)
    rates = [rate(schedule, step, horizon=10) for step in range(4 + 8 + 1)]
    assert [step for step, found in enumerate(rates) if found == 1] == [0, 4, 12]
    assert rates[2] == rates[4 + 4] == pytest.approx(0.55)
    assert all(after < before for before, after in pairwise(rates[4:12]))
    assert rates[11] > 0.1


def test_restarts_of_one_length_repeat():
    schedule = Restarts(first=5, growth=1.0)
    assert [rate(schedule, step, 1) for step in range(5)] == [rate(schedule, 10**9 + step, 1) for step in range(5)]
