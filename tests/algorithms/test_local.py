"""Local search: to a better neighbour until there is none, then from another beginning; nothing is trained twice."""

from itertools import pairwise

import pytest
from small import FAILED, asked, climbed, leads, lived, network, of, places, smooth, word

from amla.algorithms.local import LocalSearch
from amla.algorithms.random import RandomSearch
from amla.spec.architecture import Architecture
from amla.trials.history import History

SPACE = places(4, "abc")
both = pytest.mark.parametrize("improvement", ["first", "best"])


def apart(one: Architecture, other: Architecture) -> int:
    return sum(a != b for a, b in zip(word(one), word(other), strict=True))


def networks(history: History) -> list[Architecture]:
    return [trial.proposal.architecture for trial in history.trials]


def test_first_improvement_moves_at_once():
    history = lived(LocalSearch(SPACE, 5), [0.5, 0.4, 0.6, 0.1, 0.1])
    start, worse, better, *after = networks(history)
    assert (apart(start, worse), apart(start, better)) == (1, 1)
    assert [apart(better, later) for later in after] == [1, 1]


def test_best_improvement_trains_all_neighbours_first():
    accuracies = [0.5, 0.4, 0.6, 0.1, 0.7, 0.1, 0.6, 0.1, 0.1, 0.2]
    found = networks(lived(LocalSearch(SPACE, 5, "best"), accuracies))
    assert [apart(found[0], neighbour) for neighbour in found[1:9]] == [1] * 8
    assert len(set(found[1:9])) == 8  # four places, two other letters each: all there are
    assert apart(found[4], found[9]) == 1


@both
def test_it_begins_anew_at_a_local_optimum(improvement: str):
    algorithm = LocalSearch(SPACE, 5, improvement)
    found = networks(lived(algorithm, [0.9, *[0.1] * 8, 0.5, 0.2]))
    assert apart(found[0], found[9]) > 1
    assert apart(found[9], found[10]) == 1


@both
@pytest.mark.parametrize("workers", [1, 3, 8])
def test_nothing_is_trained_twice(improvement: str, workers: int):
    history = climbed(LocalSearch(SPACE, 5, improvement), 200, workers)
    assert len(set(networks(history))) == len(history) <= 81


@both
def test_a_space_is_searched_through_and_then_it_ends(improvement: str):
    history = climbed(LocalSearch(SPACE, 5, improvement), 200, judge=lambda network: len(set(word(network))) / 7)
    assert len(history) > 40
    assert LocalSearch(SPACE, 5, improvement).ask(history) is None


@both
def test_what_failed_is_worse_than_any_and_not_tried_again(improvement: str):
    history = lived(LocalSearch(SPACE, 5, improvement), [FAILED, 0.5, FAILED, *[0.1] * 7, 0.3])
    found = networks(history)
    assert apart(found[0], found[1]) > 1  # a beginning that failed is left
    assert [apart(found[1], neighbour) for neighbour in found[2:10]] == [1] * 8
    assert len(set(found)) == len(found)


def test_workers_train_the_next_neighbours_and_the_next_beginnings():
    algorithm, history = LocalSearch(SPACE, 5), History()
    for _ in range(2):
        history = history.asked(asked(algorithm, history))
    history = history.told(0, of(0.5))
    for _ in range(10):
        history = history.asked(asked(algorithm, history))
    start, second, *others = networks(history)
    assert [apart(start, other) for other in others[:8]] == [1] * 8
    assert apart(start, second) > 1
    assert min(apart(start, other) for other in others[8:]) > 1


def test_with_workers_it_moves_to_the_better_neighbour_that_is_done_first():
    algorithm, history = LocalSearch(SPACE, 5), lived(LocalSearch(SPACE, 5), [0.5])
    for _ in range(4):
        history = history.asked(asked(algorithm, history))
    history = history.told(3, of(0.6)).told(1, of(0.55))
    assert apart(asked(algorithm, history).architecture, history[3].proposal.architecture) == 1


def test_it_climbs_the_only_hill():
    history = climbed(LocalSearch(places(6), 5), 60)
    top = network(places(6), "acebda")
    assert smooth(top) == 1
    assert LocalSearch(places(6), 5).recommend(history) == top
    climb = [smooth(found) for found in networks(history)]
    assert all(later >= earlier - 2 / 7 - 1e-9 for earlier, later in pairwise(climb[: climb.index(1.0)]))


@both
def test_it_beats_random_search_on_a_smooth_landscape(improvement: str):
    """18 or more of 20 pairs: by luck in 2 of 10,000 tries."""
    space = places(6)
    assert leads(lambda s: LocalSearch(space, 5, improvement, s), lambda s: RandomSearch(space, 5, seed=s), 130) >= 18


def test_a_space_of_one_is_trained_once():
    assert len(climbed(LocalSearch(places(1, "a"), 5), 5)) == 1
