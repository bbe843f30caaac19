"""Tests of random search and of fixed lists."""

import numpy as np

from amla.algorithms.fixed import Fixed
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.spaces.envelope import envelope
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

SPACE = envelope((1, 8), 2, width=4, cells=(1,), max_cells=(3,), branches=("1", "3")).space
NETWORKS = tuple(SPACE.sample(np.random.default_rng(seed)) for seed in range(2))


def asked(algorithm: Algorithm, most: int = 10) -> list[Proposal]:
    """Return what is asked for, one trial after the other, each with a higher accuracy than the one before."""
    history = History()
    while len(history) < most and (proposal := algorithm.ask(history)):
        history = history.asked(proposal).told(len(history), Measurement({"accuracy": 0.1 + len(history) / 100}))
    return [trial.proposal for trial in history.trials]


def test_random_search_asks_for_members_of_the_space():
    proposals = asked(RandomSearch(SPACE, 7, seed=3))
    assert len(proposals) == 10
    for proposal in proposals:
        assert SPACE.close(SPACE.read(proposal.architecture)) == proposal.architecture
        assert (proposal.budget, proposal.seed, proposal.start, proposal.keep) == (7, 3, None, False)
    assert len({proposal.architecture for proposal in proposals}) > 5


def test_what_is_refused_as_infeasible_is_no_trial_but_ends_a_search_in_the_end():
    algorithm, history = RandomSearch(SPACE, 7, trials=3), History()
    while (proposal := algorithm.ask(history)) and len(history) < 100:
        refused = Failure("infeasible", "too slow")
        history = history.asked(proposal).told(len(history), refused if len(history) % 2 else Measurement({}))
    assert (len(history.done), len(history.failed)) == (3, 2)
    history = History()
    while (proposal := algorithm.ask(history)) and len(history) < 100:
        history = history.asked(proposal).told(len(history), Failure("infeasible", "too slow"))
    assert len(history) == 15


def test_random_search_stops_after_its_trials_whatever_they_came_to():
    algorithm, history = RandomSearch(SPACE, 7, trials=3), History()
    for number in range(3):
        proposal = algorithm.ask(history)
        assert proposal is not None
        history = history.asked(proposal)
        if number:
            history = history.told(number, Failure("crashed", "killed"))
    assert algorithm.ask(history) is None
    assert algorithm.recommend(history) is None


def test_random_search_is_the_same_for_the_same_seed_only():
    one, same, other = (asked(RandomSearch(SPACE, 7, seed=seed)) for seed in (0, 0, 1))
    assert one == same
    assert [proposal.architecture for proposal in one] != [proposal.architecture for proposal in other]


def test_random_search_asks_for_the_same_networks_whatever_runs_or_fails_meanwhile():
    algorithm, history = RandomSearch(SPACE, 7, trials=6), History()
    while proposal := algorithm.ask(history):
        history = history.asked(proposal)
        if len(history) == 3:
            history = history.told(1, Failure("crashed", "killed"))
    assert [trial.proposal for trial in history.trials] == asked(algorithm)


def test_random_search_recommends_the_best():
    algorithm, history = RandomSearch(SPACE, 7), History()
    for accuracy in (0.5, 0.9, 0.7):
        proposal = algorithm.ask(history)
        assert proposal is not None
        history = history.asked(proposal).told(len(history), Measurement({"accuracy": accuracy}))
    assert algorithm.recommend(history) == history[1].proposal.architecture


def test_fixed_trains_each_architecture_with_each_seed():
    proposals = asked(Fixed(NETWORKS, 9, seeds=(4, 5, 6)))
    assert [proposal.architecture for proposal in proposals] == [NETWORKS[0]] * 3 + [NETWORKS[1]] * 3
    assert [proposal.seed for proposal in proposals] == [4, 5, 6] * 2
    assert {(proposal.budget, proposal.start, proposal.keep) for proposal in proposals} == {(9, None, True)}


def test_fixed_watches_the_same_nodes_in_all():
    watched = {"msss": (NETWORKS[0].output.id,)}
    assert [proposal.probes for proposal in asked(Fixed(NETWORKS, 9, probes=watched))] == [watched] * 2


def test_fixed_recommends_the_best_of_its_list():
    algorithm, history = Fixed(NETWORKS, 9), History()
    assert algorithm.recommend(history) is None
    for accuracy in (0.9, 0.5):
        proposal = algorithm.ask(history)
        assert proposal is not None
        history = history.asked(proposal).told(len(history), Measurement({"accuracy": accuracy}))
    assert algorithm.recommend(history) == NETWORKS[0]
    assert algorithm.ask(history) is None


def test_an_empty_list_asks_for_nothing():
    assert Fixed((), 9).ask(History()) is None
