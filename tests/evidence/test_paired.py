"""Differences of pairs: exact p, intervals that hold as often as they say, and Holm's correction."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.evidence.paired import EXACT, difference, holm, interval, sign_flip

SHARES = st.floats(-1, 1, allow_nan=False).map(lambda share: round(share, 3))


@given(st.lists(SHARES, min_size=1, max_size=8))
def test_p_is_the_share_of_all_signs_that_give_as_much(apart):
    sums = [abs(sum(s * a for s, a in zip(signs, apart, strict=True))) for signs in product((1, -1), repeat=len(apart))]
    assert sign_flip(apart) == pytest.approx(np.mean([s >= abs(sum(apart)) - 1e-9 for s in sums]))


@pytest.mark.parametrize(("n", "p"), [(3, 1 / 4), (5, 1 / 16), (6, 1 / 32)])
def test_pairs_that_all_point_one_way_have_the_least_p_there_is(n, p):
    assert sign_flip(np.arange(1.0, n + 1)) == p


def test_more_pairs_than_can_be_counted_are_drawn_and_say_the_same():
    apart = np.random.default_rng(3).normal(0.5, 1, EXACT)
    more = np.append(apart, 0.0)  # a tie changes no sum, but is one pair too many
    assert sign_flip(more) == pytest.approx(sign_flip(apart), abs=0.005)


def test_alike_pairs_are_never_told_apart_more_often_than_p_says():
    rng = np.random.default_rng(0)
    ps = np.array([sign_flip(rng.normal(size=8)) for _ in range(1000)])
    assert (ps <= 0.05).mean() <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5


@pytest.mark.parametrize("n", [5, 12, 40])
def test_intervals_hold_the_mean_as_often_as_they_say(n):
    rng = np.random.default_rng(n)
    bounds = [interval(rng.normal(size=n)) for _ in range(300 if n < 20 else 40)]
    held = np.mean([low <= 0 <= high for low, high in bounds])
    assert held >= 0.95 - 3 * (0.05 * 0.95 / len(bounds)) ** 0.5


def test_a_single_number_has_no_bounds_and_equal_ones_have_no_width():
    assert interval([0.9]) == (-np.inf, np.inf)
    assert interval([0.9, 0.9, 0.9]) == (pytest.approx(0.9), pytest.approx(0.9))


def test_a_difference_counts_wins_and_ties():
    found = difference([0.9, 0.8, 0.7, 0.7], [0.8, 0.8, 0.8, 0.6])
    assert (found.n, found.wins, found.ties) == (4, 2, 1)
    assert found.mean == pytest.approx(0.025)
    assert found.low < found.mean < found.high


def test_what_is_no_pairs_is_refused():
    with pytest.raises(ValueError, match="3 and 2 numbers are no pairs"):
        difference([1, 2, 3], [1, 2])


def test_holm_takes_the_least_p_as_often_as_there_are_tests():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers_p(ps):
    adjusted = holm(ps)
    assert all(after >= before for before, after in zip(ps, adjusted, strict=True))
    assert [after for _, after in sorted(zip(ps, adjusted, strict=True))] == sorted(adjusted)


def test_the_interval_of_equal_numbers_is_one_point_however_they_are_rounded():
    low, high = interval([0.9390999999999999] * 200)
    assert low == high
