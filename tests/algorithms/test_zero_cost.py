"""Zero-cost ranking scores many networks and trains the best of them."""

import numpy as np
import pytest

from amla.algorithms.protocol import Algorithm
from amla.algorithms.screened import Filtered
from amla.algorithms.zero_cost import Scored, ZeroCost, chosen
from amla.scores import ranking
from amla.spaces.envelope import envelope
from amla.spec.costs import costs
from amla.spec.digest import digest
from amla.study.plan import FORESEEN, Speed, foreseen, search_steps
from amla.testing import Synthetic
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Trial, Untrained

SPACE = envelope((3, 6, 6), 3, width=6, cells=(1, 1), max_cells=(3, 2), branches=("1x1", "3x3", "3x3sep")).space
SEARCH = ZeroCost(SPACE, steps=10, candidates=20, trained=4)


def lived(algorithm: Algorithm, most: int = 100) -> History:
    history = History()
    while len(history) < most and (ask := algorithm.ask(history)):
        history = history.asked(ask).told(len(history), Synthetic(noise=0.0).evaluate(Trial(len(history), ask)))
    return history


def test_as_many_are_scored_and_the_best_of_them_trained():
    history = lived(SEARCH)
    assert [isinstance(trial.proposal.method, Untrained) for trial in history.trials] == [True] * 20 + [False] * 4
    metrics = [trial.measurement.metrics for trial in history.trials][:20]
    order = np.argsort([-rank for rank in ranking(metrics, ("az_nas",))], kind="stable")
    best = dict.fromkeys(digest(history[int(place)].proposal.architecture) for place in order)
    trained = [digest(trial.proposal.architecture) for trial in history.trials][20:]
    assert trained == list(best)[:4]
    assert all(trial.proposal.budget == 10 for trial in list(history.trials)[20:])


def test_the_trained_network_with_the_best_accuracy_is_recommended():
    history = lived(SEARCH)
    winner = max(list(history.trials)[20:], key=lambda trial: trial.measurement.metrics["accuracy"])
    assert SEARCH.recommend(history) == winner.proposal.architecture


def test_before_anything_is_trained_the_best_by_the_scores_is_recommended():
    history = lived(SEARCH, most=12)
    assert SEARCH.recommend(history) == chosen(history, ("az_nas",), 1)[0]
    assert SEARCH.recommend(History()) is None


def test_nothing_is_trained_before_all_are_scored():
    history = History()
    while ask := SEARCH.ask(history):
        history = history.asked(ask)
    assert len(history) == 20
    assert history.pending == 20


def test_what_cannot_be_scored_is_not_trained():
    history = History()
    while (ask := SEARCH.ask(history)) and len(history) < 40:
        failed = isinstance(ask.method, Untrained) and len(history) != 3
        outcome = Failure("infeasible", "no ReLU") if failed else Synthetic().evaluate(Trial(len(history), ask))
        history = history.asked(ask).told(len(history), outcome)
    assert len(history) == 21
    assert history[20].proposal.architecture == history[3].proposal.architecture


def test_networks_that_a_filter_refuses_are_drawn_anew_and_none_is_scored_twice():
    most = sorted(costs(SPACE.sample(np.random.default_rng(seed))).macs for seed in range(40))[10]
    history = lived(Filtered(ZeroCost(SPACE, 10, ("macs",), candidates=12, trained=2), {"macs": most}))
    networks = [trial.proposal.architecture for trial in history.trials if not trial.proposal.budget]
    assert len(networks) >= 6
    assert len(set(networks)) == len(networks)
    assert all(costs(network).macs <= most for network in networks)


def test_candidates_are_the_same_whatever_failed():
    search, histories = ZeroCost(SPACE, 10, ("macs",), candidates=6, trained=2), []
    for outcome in (Measurement({"macs": 1.0}), Failure("infeasible", "it is too large")):
        history = History()
        while len(history) < 6 and (proposal := search.ask(history)):
            history = history.asked(proposal).told(len(history), outcome)
        histories.append([trial.proposal for trial in history.trials])
    assert len(histories[0]) == 6
    assert histories[0] == histories[1]


def test_given_networks_are_scored_once_each():
    networks = tuple(SPACE.sample(np.random.default_rng(seed)) for seed in range(5))
    history = lived(Scored(networks, ("synflow",)))
    assert [trial.proposal.architecture for trial in history.trials] == list(networks)
    assert Scored(networks, ("synflow",)).recommend(history) in networks


def test_trainings_are_foreseen_behind_any_number_of_scores():
    legs = foreseen(ZeroCost(SPACE, 10, candidates=200, trained=3), 10)
    assert [leg.share for leg in legs] == [0.0] * 200 + [1.0] * 3
    assert search_steps(100.0, Speed(1e9), legs, 32, 1000, 100) > 10
    assert FORESEEN < 200


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scores": ()}, "scores is empty"),
        ({"scores": ("snip",)}, "no score 'snip'"),
        ({"candidates": 0}, "candidates is 0"),
        ({"trained": 0}, "trained is 0"),
        ({"examples": 1}, "examples is 1"),
    ],
)
def test_what_makes_no_ranking_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        ZeroCost(SPACE, 10, **given)
