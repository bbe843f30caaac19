"""Successive halving: the best of a rung go on from their weights, the others stay; brackets begin at several rungs."""

from collections import Counter

import pytest
from small import FAILED, asked, lived, of, places, word

from amla.algorithms.halving import Halving
from amla.algorithms.random import RandomSearch
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import TrialId

SPACE = places(6)


def legs(history: History) -> list[tuple[int, TrialId | None]]:
    return [(trial.proposal.budget, trial.proposal.start) for trial in history.trials]


def test_rungs_are_at_shares_of_the_steps():
    assert Halving(SPACE, 90, rungs=3, eta=3).totals == (10, 30, 90)
    assert Halving(SPACE, 8, rungs=9, eta=2, brackets=9).totals == (1, 2, 4, 8)


def test_the_best_of_a_rung_goes_on_from_its_weights():
    history = lived(Halving(SPACE, 9, rungs=3, eta=3), [0.3, 0.5, 0.4, 0.6])
    assert legs(history) == [(1, None), (1, None), (1, None), (2, 1)]
    assert history[3].proposal.architecture == history[1].proposal.architecture


def test_it_goes_on_to_the_highest_rung_first():
    history = lived(Halving(SPACE, 4, rungs=3, eta=2), [0.3, 0.5, 0.6, 0.4, 0.2, 0.7, 0.1])
    assert [start for _, start in legs(history)] == [None, None, 1, None, None, 3, 5]
    assert [steps for steps, _ in legs(history)] == [1, 1, 1, 1, 1, 1, 2]


def test_a_network_goes_on_once_and_only_if_it_is_among_the_best():
    algorithm = Halving(SPACE, 4, rungs=2, eta=2)
    history = lived(algorithm, [0.9, 0.1, 0.8, 0.2, 0.3, 0.4, 0.5, 0.6])
    starts = [trial.proposal.start for trial in history.trials if trial.proposal.start is not None]
    assert len(starts) == len(set(starts))
    assert starts[0] == 0
    assert 1 not in starts


def test_one_that_is_being_trained_further_is_not_asked_for_again():
    algorithm = Halving(SPACE, 4, rungs=2, eta=2)
    history = lived(algorithm, [0.9, 0.1])
    history = history.asked(asked(algorithm, history))
    assert history[2].proposal.start == 0
    assert asked(algorithm, history).start is None


def test_what_failed_never_goes_on():
    history = lived(Halving(SPACE, 4, rungs=2, eta=2), [FAILED, FAILED, FAILED, 0.4, 0.5])
    assert [trial.proposal.start for trial in history.trials] == [None, None, None, None, 3]


def test_weights_are_kept_below_the_last_rung():
    history = lived(Halving(SPACE, 4, rungs=2, eta=2), [0.9, 0.1, 0.9])
    assert [trial.proposal.keep for trial in history.trials] == [True, True, False]


def test_brackets_cost_about_the_same():
    """With 4 rungs and eta 3 Hyperband begins 27, 12, 6 and 4 networks (Li et al. 2018, table 1, but for rounding)."""
    algorithm, history = Halving(SPACE, 27, rungs=4, eta=3, brackets=4), History()
    while len(history) < 49:
        history = history.asked(asked(algorithm, history))
    begun = Counter(trial.proposal.budget for trial in history.trials)
    assert [begun[steps] for steps in (1, 3, 9, 27)] == pytest.approx([27, 12, 6, 4], abs=1)


def test_networks_compete_within_their_bracket():
    history = lived(Halving(SPACE, 4, rungs=3, eta=2, brackets=2), [0.5] * 40)
    begun = {trial.id: trial.proposal.budget for trial in history.trials if trial.proposal.start is None}
    assert set(begun.values()) == {1, 2}
    first = {trial.proposal.start: trial.proposal.budget for trial in history.trials if trial.proposal.start in begun}
    assert {begun[start] for start in first} == {1, 2}
    assert all(budget == 1 if begun[start] == 1 else budget == 2 for start, budget in first.items())


def test_with_costs_those_that_none_dominates_go_on():
    algorithm = Halving(SPACE, 4, rungs=2, eta=2, costs=("macs",))
    history = History()
    for _ in range(4):
        history = history.asked(asked(algorithm, history))
    for trial_id, (accuracy, macs) in enumerate([(0.9, 9.0), (0.8, 9.0), (0.5, 5.0), (0.4, 6.0)]):
        history = history.told(trial_id, of(accuracy, macs=macs))
    for _ in range(2):
        history = history.asked(asked(algorithm, history))
    assert [trial.proposal.start for trial in history.trials[4:]] == [0, 2]
    assert asked(algorithm, history).start is None


def test_a_network_without_its_cost_never_goes_on():
    history = lived(Halving(SPACE, 4, rungs=2, eta=2, costs=("macs",)), [0.9, 0.8, 0.7])
    assert {trial.proposal.start for trial in history.trials} == {None}


def rich(network: Architecture) -> float:
    """Return an accuracy that hardly two networks share."""
    return sum((ord(letter) * (place + 1) * 0.37) % 1 for place, letter in enumerate(word(network))) / 6


def reached(algorithm: Halving | RandomSearch, steps: int) -> float:
    """Return how good the network is that a search finds in so many steps, where every leg tells the truth."""
    history, spent = History(), 0
    while spent < steps:
        proposal = asked(algorithm, history)
        spent += proposal.budget
        history = history.asked(proposal).told(len(history), of(rich(proposal.architecture)))
    recommended = algorithm.recommend(history)
    assert recommended is not None
    return rich(recommended)


def test_with_as_many_steps_it_finds_better_networks_than_random_search():
    """16 or more of 20 pairs: by luck in 6 of 1000 tries."""
    pairs = [(Halving(SPACE, 64, 4, 4, seed=seed), RandomSearch(SPACE, 64, seed=100 + seed)) for seed in range(20)]
    assert sum(reached(asha, 1280) > reached(random, 1280) for asha, random in pairs) >= 16


@pytest.mark.parametrize("wrong", [{"eta": 1}, {"brackets": 0}, {"brackets": 4}, {"rungs": 0}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, int]):
    with pytest.raises(ValueError, match="say an eta of 2 or more"):
        Halving(SPACE, 9, **{"rungs": 3, **wrong})
