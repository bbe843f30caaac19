"""Kendall's tau as others compute it, with an interval, and what is lost at the top."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from amla.evidence.agreement import agreement

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12)


@given(PAIRS)
def test_tau_is_that_of_scipy(pairs):
    scores, worths = [[float(pair[which]) for pair in pairs] for which in (0, 1)]
    found = agreement(scores, worths, 3).tau
    if len(set(scores)) > 1 and len(set(worths)) > 1:
        assert found == pytest.approx(kendalltau(scores, worths).statistic)
    else:
        assert found == 0.0


def test_the_same_ranking_loses_nothing():
    found = agreement([1, 2, 3, 4], [10, 20, 30, 40], 2)
    assert (found.tau, found.precision, found.regret, found.chance) == (1.0, 1.0, 0.0, 0.5)


def test_what_has_no_score_comes_last_and_ties():
    lowest = float("-inf")
    assert agreement([lowest, lowest, 3, 4], [10, 20, 30, 40], 2) == agreement([2, 2, 3, 4], [10, 20, 30, 40], 2)


def test_the_opposite_ranking_loses_most():
    found = agreement([4, 3, 2, 1], [10, 20, 30, 40], 2)
    assert (found.tau, found.precision, found.regret) == (-1.0, 0.0, 30.0)


def test_the_interval_holds_what_is_true_of_all():
    rng, held = np.random.default_rng(0), 0
    truth = 2 / np.pi * np.arcsin(0.7)  # of two normal variables that correlate at 0.7
    for _ in range(60):
        one, noise = rng.normal(size=(2, 40))
        found = agreement(one.tolist(), (0.7 * one + (1 - 0.49) ** 0.5 * noise).tolist(), 5)
        held += found.low <= truth <= found.high
    assert held >= 51  # 95 % less three standard errors


def test_two_items_make_no_ranking():
    with pytest.raises(ValueError, match="at least three"):
        agreement([1, 2], [1, 2], 1)
