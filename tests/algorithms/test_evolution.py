"""Regularised evolution: the best of a few parents is mutated, and the oldest network dies, however good it is."""

import numpy as np
import pytest
from small import FAILED, asked, climbed, leads, lived, of, places, smooth, word

from amla.algorithms.evolution import Evolution
from amla.algorithms.random import RandomSearch
from amla.spaces.space import Space
from amla.trials.history import History

SPACE = places(6)


def apart(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def words(history: History) -> list[str]:
    return [word(trial.proposal.architecture) for trial in history.trials]


def test_it_begins_with_as_many_random_networks_as_the_population():
    history = lived(Evolution(SPACE, 5, population=4, sample=4), [0.5, 0.9, 0.3, 0.4, 0.1])
    assert min(apart(one, other) for one in words(history)[:4] for other in words(history)[:4] if one != other) > 1
    assert apart(words(history)[4], words(history)[1]) == 1


def test_a_child_of_the_best_in_the_sample():
    algorithm = Evolution(SPACE, 5, population=3, sample=30)  # so many that the best is among them
    history = lived(algorithm, [0.1, 0.8, 0.2, 0.3, 0.4])
    assert [apart(word, words(history)[1]) for word in words(history)[3:]] == [1, 1]


def test_the_oldest_dies_however_good_it_is():
    algorithm = Evolution(SPACE, 5, population=3, sample=30)
    history = lived(algorithm, [0.9, 0.1, 0.2, 0.3, 0.25, 0.2])  # 0.9 lives until the first child is done
    heirs = [apart(words(history)[4], parent) for parent in words(history)]
    assert heirs[3] == 1
    assert apart(words(history)[4], words(history)[0]) in (1, 2)  # through its child alone
    assert algorithm.recommend(history) == history[0].proposal.architecture


def test_age_goes_by_when_trials_finish():
    algorithm, history = Evolution(SPACE, 5, population=2, sample=30), History()
    for _ in range(3):
        history = history.asked(asked(algorithm, history))
    history = history.told(2, of(0.9)).told(0, of(0.1)).told(1, of(0.2))  # so trial 2 is the oldest, and dead
    child = word(asked(algorithm, history).architecture)
    assert apart(child, words(history)[1]) == 1


def test_what_failed_has_no_children_and_is_replaced():
    history = lived(Evolution(SPACE, 5, population=2, sample=9), [FAILED, 0.5, FAILED, FAILED, 0.2, 0.1])
    assert apart(words(history)[4], words(history)[1]) > 1
    assert apart(words(history)[5], words(history)[1]) == 1


def test_workers_wait_for_nobody():
    algorithm, history = Evolution(SPACE, 5, population=2), History()
    for _ in range(8):
        history = history.asked(asked(algorithm, history))
    assert history.pending == 8


def test_a_space_of_one_can_be_searched():
    alone = places(1, "a")
    assert len(climbed(Evolution(alone, 5, population=1), 4)) == 4


def test_a_population_of_none_is_refused():
    with pytest.raises(ValueError, match="population is 0; it must be 1 or more"):
        Evolution(SPACE, 5, population=0)


def test_it_beats_random_search_on_a_smooth_landscape():
    """18 or more of 20 pairs: by luck in 2 of 10,000 tries."""
    assert leads(lambda s: Evolution(SPACE, 5, seed=s), lambda s: RandomSearch(SPACE, 5, seed=s), trials=100) >= 18


def test_constraints_hold():
    even = Space(SPACE.template, lambda network: word(network).count("a") % 2 == 0)
    history = climbed(Evolution(even, 5, population=3), 40, judge=lambda network: float(np.sin(smooth(network))))
    assert all(found.count("a") % 2 == 0 for found in words(history))
