"""Tests of run-offs: the best of a search are trained longer, and the best of them is recommended."""

import numpy as np

from amla.algorithms.fixed import Fixed
from amla.algorithms.random import RandomSearch
from amla.algorithms.runoff import RunOff
from amla.spaces.envelope import envelope
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome

SPACE = envelope((1, 8), 2, width=4, cells=(1,), max_cells=(3,), branches=("1", "3")).space
A, B, C = dict.fromkeys(SPACE.sample(np.random.default_rng(seed)) for seed in (0, 1, 5))
SHORT, LONG = 5, 20


def of(accuracy: float) -> Measurement:
    return Measurement({"accuracy": accuracy})


def lived(algorithm: RunOff, outcomes: list[Outcome]) -> History:
    """Return a history in which trials come to these outcomes, in order, and nothing more is asked for."""
    history = History()
    for outcome in outcomes:
        proposal = algorithm.ask(history)
        assert proposal is not None
        history = history.asked(proposal).told(len(history), outcome)
    assert algorithm.ask(history) is None
    return history


def test_the_best_are_trained_longer_the_best_first():
    history = lived(RunOff(Fixed((A, B, C), SHORT), 2, LONG, seed=7), [of(0.5), of(0.7), of(0.6), of(0.8), of(0.9)])
    assert [trial.proposal.architecture for trial in history.trials] == [A, B, C, B, C]
    assert [trial.proposal.budget for trial in history.trials] == [SHORT] * 3 + [LONG] * 2
    assert {trial.proposal.seed for trial in history.trials[3:]} == {7}
    assert {trial.proposal.start for trial in history.trials} == {None}


def test_the_longer_training_decides():
    algorithm = RunOff(Fixed((A, B, C), SHORT), 2, LONG)
    assert algorithm.recommend(lived(algorithm, [of(0.5), of(0.7), of(0.6), of(0.8), of(0.9)])) == C
    assert algorithm.recommend(lived(algorithm, [of(0.5), of(0.7), of(0.6), of(0.9), of(0.8)])) == B


def test_it_waits_for_the_search_to_end():
    algorithm, history = RunOff(Fixed((A, B), SHORT), 2, LONG), History()
    for _ in range(2):
        proposal = algorithm.ask(history)
        assert proposal is not None
        history = history.asked(proposal)
    assert algorithm.ask(history.told(0, of(0.5))) is None
    assert algorithm.ask(history.told(0, of(0.5)).told(1, of(0.4))) is not None


def test_its_trials_do_not_wait_for_each_other():
    algorithm, history = RunOff(Fixed((A, B), SHORT), 2, LONG), History()
    for accuracy in (0.5, 0.4):
        proposal = algorithm.ask(history)
        assert proposal is not None
        history = history.asked(proposal).told(len(history), of(accuracy))
    for network in (A, B):
        proposal = algorithm.ask(history)
        assert proposal is not None
        assert proposal.architecture == network
        history = history.asked(proposal)
    assert algorithm.ask(history) is None


def test_the_same_network_stands_once():
    history = lived(RunOff(Fixed((A, A, B), SHORT), 2, LONG), [of(0.9), of(0.8), of(0.1), of(0.9), of(0.8)])
    assert [trial.proposal.architecture for trial in history.trials[3:]] == [A, B]


def test_what_failed_does_not_stand():
    failed = Failure("crashed", "killed")
    history = lived(RunOff(Fixed((A, B, C), SHORT), 3, LONG), [of(0.5), failed, of(0.6), of(0.5), of(0.5)])
    assert [trial.proposal.architecture for trial in history.trials[3:]] == [C, A]


def test_without_a_finalist_that_trained_the_search_recommends():
    algorithm, failed = RunOff(Fixed((A, B), SHORT), 2, LONG), Failure("diverged", "not a number")
    history = lived(algorithm, [of(0.5), of(0.7), failed, failed])
    assert algorithm.recommend(history) == B
    assert algorithm.recommend(lived(algorithm, [of(0.5), of(0.7), failed, of(0.1)])) == A
    assert algorithm.recommend(History()) is None


def test_nothing_is_trained_where_the_search_found_nothing():
    failed = Failure("out_of_memory", "no")
    assert len(lived(RunOff(RandomSearch(SPACE, SHORT, trials=2), 2, LONG), [failed, failed])) == 2


def test_guests_stand_for_the_run_off_last_and_none_that_the_search_has_brought_there_twice():
    algorithm = RunOff(Fixed((A, B), SHORT), 1, LONG, guests=(C, B))
    history = lived(algorithm, [of(0.5), of(0.7), of(0.6), of(0.8)])
    assert [trial.proposal.architecture for trial in history.trials] == [A, B, B, C]
    assert [trial.proposal.budget for trial in history.trials[2:]] == [LONG] * 2
    assert algorithm.recommend(history) == C
    assert algorithm.recommend(lived(algorithm, [of(0.5), of(0.7), of(0.8), of(0.8)])) == B


def test_guests_wait_for_something_to_stand_beside():
    algorithm = RunOff(Fixed((A,), SHORT), 1, LONG, guests=(C,))
    assert len(lived(algorithm, [Failure("crashed", "killed")])) == 1
