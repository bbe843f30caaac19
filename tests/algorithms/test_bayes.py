"""Bayesian optimisation: the process interpolates, and what it promises most is trained."""

import numpy as np
import pytest
from small import FAILED, asked, climbed, leads, lived, network, places, smooth, word

from amla.algorithms.bayes import Bayes, Model, encoded
from amla.algorithms.random import RandomSearch

SPACE = places(4)


def test_rows_are_as_far_apart_as_the_decisions_that_differ():
    rows = encoded(SPACE, [network(SPACE, letters) for letters in ("aaaa", "aaab", "bbbb")])
    apart = np.abs(rows[:, None] - rows[None]).sum(axis=2)
    assert apart == pytest.approx(np.array([[0, 0.25, 1], [0.25, 0, 0.75], [1, 0.75, 0]]))


def test_the_process_knows_what_it_has_seen_and_doubts_what_is_far():
    rows = encoded(SPACE, [network(SPACE, letters) for letters in ("aaaa", "aaab", "bbbb", "cccc")])
    model = Model(rows[:3], np.array([1.0, 0.8, -1.0]), 0.4, 1e-6)
    mean, deviation = model.predicted(rows)
    assert mean[:3] == pytest.approx([1.0, 0.8, -1.0], abs=1e-3)
    assert (deviation[:3] < 0.01).all()
    assert deviation[3] > 0.5
    assert model.believing(rows[3:]).predicted(rows[3:])[1][0] < 0.01


def test_what_may_exceed_the_best_promises_more():
    model = Model(np.array([[0.0], [1.0]]), np.array([1.0, -1.0]), 0.4, 1e-6)
    promise = model.improvement(np.array([[0.0], [0.3], [1.0]]), 1.0)
    assert promise[1] > promise[0] >= 0
    assert promise[1] > promise[2] >= 0


def test_nothing_is_trained_twice_and_what_fails_is_not_tried_again():
    algorithm = Bayes(SPACE, 5, begin=4)
    history = lived(algorithm, [0.5, FAILED, 0.4, 0.3, 0.2, FAILED, FAILED, 0.6, 0.5, 0.4])
    assert len({word(trial.proposal.architecture) for trial in history.trials[5:]}) == 5


def test_workers_get_different_networks():
    algorithm, history = Bayes(SPACE, 5, begin=2), lived(Bayes(SPACE, 5, begin=2), [0.5, 0.4])
    for _ in range(6):
        history = history.asked(asked(algorithm, history))
    assert len({trial.proposal.architecture for trial in history.trials}) == len(history)


def test_a_space_that_is_known_goes_on_at_random():
    assert len(climbed(Bayes(places(1, "ab"), 5, begin=2), 6)) == 6


def test_it_beats_random_search_on_a_smooth_landscape():
    """9 or more of 10 pairs: by luck in 1 of 100 tries."""
    space = places(6)
    assert leads(lambda s: Bayes(space, 5, 5, 20, seed=s), lambda s: RandomSearch(space, 5, seed=s), 30, 10) >= 9


def test_it_finds_the_only_hill():
    history = climbed(Bayes(SPACE, 5, candidates=40), 40)
    assert max(smooth(trial.proposal.architecture) for trial in history.trials) == 1


def test_numbers_below_one_are_refused():
    with pytest.raises(ValueError, match="begin is 0"):
        Bayes(SPACE, 5, begin=0)
