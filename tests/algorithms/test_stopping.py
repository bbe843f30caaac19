"""A search ends when more trials promise little, and not before."""

from itertools import combinations
from math import nan
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import network, places

from amla.algorithms.fixed import Fixed
from amla.algorithms.stopping import FEWEST, Stopping, promise_of, promised
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal, Trial

ONE = network(places(1), "a")
SHARES = st.lists(st.integers(0, 20).map(lambda number: number / 20), min_size=2, max_size=7)


@given(SHARES, st.integers(1, 6))
def test_on_average_it_is_what_all_choices_of_the_rest_come_to(reached: list[float], further: int):
    if further >= len(reached):
        assert promised(reached, further) is None
        return
    kept = len(reached) - further
    on_average = max(reached) - mean(max(some) for some in combinations(reached, kept))
    at_last = max(reached) - max(reached[:kept])
    assert promised(reached, further) == pytest.approx(max(on_average, at_last))


@pytest.mark.parametrize("seed", range(5))
def test_more_draws_bring_less_than_was_promised_on_average(seed: int):
    """Over many searches at random, what m more trials add is not more than what was promised before them."""
    rng = np.random.default_rng(seed)
    draws = rng.beta(8, 2, size=(400, 40))
    promises = [promised(row[:30].tolist(), 10) for row in draws]
    gains = draws.max(1) - draws[:, :30].max(1)
    assert np.mean(gains) <= np.mean(promises)


def test_a_search_that_still_learns_goes_on_and_one_that_has_stalled_ends():
    learning, stalled = [0.1 * step for step in range(1, 9)], [0.5, 0.8, *[0.79] * 10]
    assert promised(learning, 2) == pytest.approx(0.2)
    assert 0 < promised(stalled, 2) < promised(stalled, 8) < 0.01


def trial(number: int, accuracy: float | None) -> Trial:
    outcome = Failure("crashed", "", 2.0) if accuracy is None else Measurement({"accuracy": accuracy}, {}, 2.0)
    return Trial(number, Proposal(ONE, 5), outcome)


def test_seconds_become_as_many_trials_as_they_have_taken_failures_included():
    accuracies = [0.5, 0.6, None, 0.7, 0.7, None, 0.7, 0.7]
    trials = [trial(place, accuracy) for place, accuracy in enumerate(accuracies)]
    reached = [accuracy for accuracy in accuracies if accuracy is not None]
    assert promise_of(trials, seconds=8.0) == promised(reached, 3)  # six measured in 16 seconds


def test_nothing_is_promised_before_there_are_a_few():
    trials = [trial(place, 0.5) for place in range(FEWEST)]
    assert promise_of(trials[:-1], 2.0) is None
    assert promise_of(trials, 2.0) == 0.0


def test_it_asks_until_then_and_recommends_what_the_search_does():
    search = Fixed((ONE,), 5, tuple(range(30)))
    stopping, history = Stopping(search, gain=0.01, seconds=2.0), History()
    for accuracy in (0.1, 0.3, *[0.2] * 28):
        if (proposal := stopping.ask(history)) is None:
            break
        history = history.asked(proposal).told(len(history), Measurement({"accuracy": accuracy}, {}, 1.0))
    assert FEWEST <= len(history) < 30
    assert stopping.recommend(history) == search.recommend(history)


@pytest.mark.parametrize(
    "wrong", [{"gain": -0.1, "seconds": 1.0}, {"gain": 0.1, "seconds": -1.0}, {"gain": nan, "seconds": 1.0}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="must be 0 or more"):
        Stopping(Fixed((), 1), **wrong)
