"""Several objectives: layers, the room around points, and evolution towards the front."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import FAILED, asked, climbed, lived, of, places, smooth, word

from amla.algorithms import pareto
from amla.algorithms.nsga2 import Nsga2
from amla.algorithms.random import RandomSearch
from amla.spec.architecture import Architecture
from amla.trials.history import History

SPACE = places(6)
rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20)


def dominates(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


@given(rows)
def test_layers_are_those_of_the_definition(found: list[tuple[int, ...]]):
    left, expected = set(range(len(found))), []
    while left:
        layer = {i for i in left if not any(dominates(found[j], found[i]) for j in left)}
        expected.append(sorted(layer))
        left -= layer
    assert pareto.layers(np.array(found, float)) == expected


@given(rows)
def test_a_spread_has_every_row_once_and_begins_with_the_lowest(found: list[tuple[int, ...]]):
    order = pareto.spread(np.array(found, float))
    assert sorted(order) == list(range(len(found)))
    assert found[order[0]] == min(found)


def test_a_spread_goes_to_the_farthest():
    assert pareto.spread(np.array([[0.0, 10.0], [1.0, 9.0], [10.0, 0.0], [5.0, 5.0]])) == [0, 2, 3, 1]


def test_the_room_around_a_point_is_that_between_its_neighbours():
    room = pareto.crowding(np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 0.5], [4.0, 0.0]]))
    assert room == [np.inf, pytest.approx(2 / 4 + 3.5 / 4), pytest.approx(3 / 4 + 3 / 4), np.inf]


def told(points: list[tuple[float, float]]) -> History:
    return lived(RandomSearch(SPACE, 5), [of(accuracy, macs=macs) for accuracy, macs in points])


def test_a_front_is_what_no_other_beats():
    history = told([(0.5, 3.0), (0.9, 9.0), (0.4, 3.0), (0.7, 5.0), (0.7, 5.0), (0.9, 10.0)])
    assert [trial.id for trial in pareto.front(history.done, "accuracy", ("macs",))] == [1, 3, 0]
    assert pareto.front([], "accuracy", ("macs",)) == []


def test_the_first_generation_is_random_and_the_next_are_children():
    algorithm = Nsga2(SPACE, 5, ("macs",), population=3)
    history = lived(algorithm, [of(0.5, macs=1.0), FAILED, 0.9, of(0.6, macs=2.0)])
    words = {word(trial.proposal.architecture) for trial in history.trials}
    assert algorithm._generations(history).parents == []  # one failed, one has no macs
    history = history.asked(asked(algorithm, history)).told(4, of(0.7, macs=3.0))
    assert {p.trial.id for p in algorithm._generations(history).parents} == {0, 3, 4}
    assert len(words) == 4


def test_the_worst_layer_dies_and_in_the_last_one_the_crowded():
    algorithm = Nsga2(SPACE, 5, ("macs",), population=4)
    outcomes = [(0.1, 1.0), (0.9, 9.0), (0.2, 8.0), (0.1, 9.0), (0.5, 5.0), (0.55, 5.5), (0.6, 6.0), (0.45, 4.0)]
    history = lived(algorithm, [of(accuracy, macs=macs) for accuracy, macs in outcomes])
    alive = {parent.trial.id for parent in algorithm._generations(history).parents}
    assert {0, 1} < alive  # the ends of the front
    assert not {2, 3} & alive


def cost(network: Architecture) -> float:
    return float(sum(ord(letter) - ord("a") for letter in word(network)))


def area_of(algorithm: Nsga2 | RandomSearch) -> float:
    history = History()
    while len(history) < 100:
        proposal = asked(algorithm, history)
        network = proposal.architecture
        history = history.asked(proposal).told(len(history), of(smooth(network), macs=cost(network)))
    found = [(t.measurement.metrics["accuracy"], t.measurement.metrics["macs"]) for t in history.done]
    corners = sorted({(macs, accuracy) for accuracy, macs in found})
    best, whole = 0.0, 0.0
    for (macs, accuracy), (after, _) in zip(corners, [*corners[1:], (24.0, 0.0)], strict=True):
        best = max(best, accuracy)
        whole += best * (after - macs)
    return whole


def test_it_dominates_more_than_random_search():
    """9 or more of 10 pairs: by luck in 1 of 100 tries."""
    wins = sum(area_of(Nsga2(SPACE, 5, ("macs",), 20, s)) > area_of(RandomSearch(SPACE, 5, seed=s)) for s in range(10))
    assert wins >= 9


def test_workers_wait_for_nobody():
    algorithm, history = Nsga2(SPACE, 5, ("macs",), population=2), History()
    for _ in range(8):
        history = history.asked(asked(algorithm, history))
    assert history.pending == 8
    assert len(climbed(algorithm, 20, workers=8)) == 20


def test_a_search_without_a_cost_is_refused():
    with pytest.raises(ValueError, match="costs is empty"):
        Nsga2(SPACE, 5, ())
