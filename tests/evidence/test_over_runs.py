"""What several runs say besides: how many more it takes, who wins how often, ranks, fronts, and curves."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.evidence.anytime import anytime
from amla.evidence.fronts import dominated, front, hypervolume, reference, undominated
from amla.evidence.improvement import improvement
from amla.evidence.paired import holm, sign_flip
from amla.evidence.power import least, needed
from amla.evidence.ranks import ranking


@pytest.mark.parametrize("family", [1, 2, 6])
def test_with_fewer_than_the_least_nothing_can_be_told_and_with_it_something(family):
    n = least(family)

    def adjusted(pairs: int) -> float:
        return holm([sign_flip(np.ones(pairs)), *[1.0] * (family - 1)])[0]

    assert adjusted(n) <= 0.05 < adjusted(n - 1)


def test_as_many_as_needed_tell_such_a_difference_four_times_out_of_five():
    rng = np.random.default_rng(0)
    seen = rng.normal(0.8, 1.0, 400)
    n = needed(seen.tolist())
    assert n
    told = [sign_flip(rng.normal(0.8, 1.0, n)) <= 0.05 for _ in range(300)]
    assert 0.7 <= np.mean(told) <= 0.9


def test_no_number_tells_what_is_no_difference():
    assert needed([0.0, 0.0]) is None
    assert needed([1.0, -1.0]) is None


def test_improvement_counts_ties_half():
    found = improvement([1, 2], [1, 2])
    assert found.share == 0.5
    assert found.low <= 0.5 <= found.high
    assert improvement([3, 4], [1, 2]).share == 1.0


def test_ranks_are_means_over_tasks_and_the_first_is_best():
    found = ranking({"worse": [0.1, 0.2, 0.3], "best": [0.9, 0.8, 0.7], "middle": [0.5, 0.5, 0.5]})
    assert found
    assert found.ranks == {"best": 1.0, "middle": 2.0, "worse": 3.0}
    assert found.groups == (("best", "middle"), ("middle", "worse"))


def test_the_critical_difference_is_nemenyi_s():
    scores = {str(way): list(np.random.default_rng(way).random(14)) for way in range(4)}
    found = ranking(scores)
    assert found
    assert found.critical == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=1e-3)  # q of Demšar 2006, table 5


def test_ways_that_never_differ_have_a_p_of_one():
    found = ranking({name: [0.5, 0.6, 0.7] for name in "abc"})
    assert found
    assert (found.p, found.groups) == (1.0, (("a", "b", "c"),))


def test_fewer_than_three_tasks_or_ways_have_no_ranking():
    assert ranking({"a": [1, 2], "b": [1, 2], "c": [1, 2]}) is None
    assert ranking({"a": [1, 2, 3], "b": [1, 2, 3]}) is None


POINTS = st.lists(st.tuples(st.integers(0, 9).map(float), st.integers(0, 9).map(float)), max_size=12)


@given(POINTS)
def test_the_front_is_what_no_point_beats(points):
    def beaten(point: tuple[float, float]) -> bool:
        return any(o != point and o[0] <= point[0] and o[1] >= point[1] for o in points)

    assert set(front(points)) == {point for point in points if not beaten(point)}


@given(POINTS)
def test_the_hypervolume_is_the_area_that_is_dominated(points):
    squares = [(x + 0.5, y + 0.5) for x in range(10) for y in range(10)]
    area = sum(any(cost < x and worth > y for cost, worth in points) for x, y in squares)
    assert hypervolume(points, (10.0, 0.0)) == area


def test_seen_from_beyond_no_run_is_worth_nothing_and_more_is_worth_more():
    cheap, dear = [(1.0, 0.5)], [(3.0, 0.9)]
    corner = reference([cheap, dear])
    assert corner == pytest.approx((3.2, 0.46))
    assert 0 < hypervolume(cheap, corner) < hypervolume([*cheap, *dear], corner)
    assert hypervolume(dear, corner) > 0


def test_a_curve_has_the_median_of_what_each_run_knew_by_then():
    found = anytime([[(1, 0.5), (3, 0.7)], [(2, 0.6), (4, 0.65)], [(1, 0.1), (2, 0.9)]])
    assert found
    read = dict(zip(found.spent, zip(found.low, found.median, found.high, strict=True), strict=True))
    assert found.spent[0] == 2  # before that one of them knows nothing
    assert read[2][1] == 0.6
    assert read[4] == pytest.approx((0.675, 0.7, 0.8))
    assert found.runs == 3


def test_there_is_no_curve_while_a_run_has_nothing():
    assert anytime([]) is None
    assert anytime([[(1, 0.5)], []]) is None


def test_the_earlier_of_two_that_end_alike_has_the_larger_area():
    early, late = (anytime([[(0, 0.1), (when, 0.9), (10, 0.9)]]) for when in (1, 9))
    assert early
    assert late
    assert early.area > late.area


ROWS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=6)


@given(ROWS)
def test_the_volume_is_as_many_unit_cubes_as_a_row_is_low_enough_for(rows):
    def covered(at: tuple[int, ...]) -> bool:
        return any(all(low <= place for low, place in zip(row, at, strict=True)) for row in rows)

    assert dominated(rows, (4, 4, 4)) == sum(map(covered, product(range(4), repeat=3)))


@given(ROWS)
def test_what_is_undominated_dominates_all_that_the_rest_does(rows):
    kept = undominated(rows)
    assert dominated(kept, (5, 5, 5)) == dominated(rows, (5, 5, 5))
    for row in kept:
        assert dominated([other for other in kept if other != row], (5, 5, 5)) < dominated(kept, (5, 5, 5))
