"""The interval of a share against published values, and what holds of any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.study.result import wilson

# Newcombe 1998, Statistics in Medicine 17:857-872, table I: method 3, the score method without continuity correction.
PUBLISHED = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("right", "examples", "low", "high"), PUBLISHED)
def test_it_gives_the_published_values(right: int, examples: int, low: float, high: float):
    assert wilson(right, examples) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("right", "examples", "low", "high"), PUBLISHED)
def test_wrong_ones_have_the_mirrored_interval(right: int, examples: int, low: float, high: float):
    assert wilson(examples - right, examples) == pytest.approx((1 - high, 1 - low), abs=5e-5)


@given(st.integers(1, 10**6), st.data())
def test_it_holds_the_share_and_lies_within_0_and_1(examples: int, data: st.DataObject):
    right = data.draw(st.integers(0, examples))
    low, high = wilson(right, examples)
    assert 0 <= low <= right / examples + 1e-12
    assert right / examples - 1e-12 <= high <= 1
    assert high > low


@given(st.integers(1, 1000), st.integers(0, 1000))
def test_more_examples_make_it_narrower(examples: int, right: int):
    right = min(right, examples)
    low, high = wilson(right, examples)
    lower, higher = wilson(4 * right, 4 * examples)
    assert higher - lower < high - low
