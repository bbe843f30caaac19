"""Why a search ended, told from its history."""

from dataclasses import replace

import pytest
from made_up_runs import STUDY, task_for

from amla.study.algorithm import algorithm_of
from amla.study.ended import why_ended
from amla.study.resolve import space_of
from amla.study.run import Limit
from amla.study.settings.searches import (
    EvolutionSettings,
    NacSettings,
    RandomSettings,
    RunOffSettings,
    StopSettings,
    Terms,
)
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.study import Study
from amla.trials.history import History
from amla.trials.trial import Measurement

STOPS = replace(STUDY, algorithm=RandomSettings(40, 10), terms=Terms(stop=StopSettings(gain=0.001, seconds=3.0)))


def searched(study: Study) -> History:
    """Return what a search leads to whose networks are all alike, in a second each."""
    history, task = History(), task_for(study)
    algorithm = algorithm_of(study, space_of(study, task), steps=10)
    while len(history) != study.limit.trials and (proposal := algorithm.ask(history)):
        history = history.asked(proposal)
        statistics = {probe: dict.fromkeys(nodes, 1.0) for probe, nodes in proposal.probes.items()}
        history = history.told(len(history) - 1, Measurement({"accuracy": 0.5}, statistics, seconds=1.0))
    return history


@pytest.mark.parametrize("run_off", [None, RunOffSettings(2, 3)])
def test_that_more_promised_little_is_said_where_it_ended_the_search(run_off):
    study = replace(STOPS, run_off=run_off)
    history = searched(study)
    assert len(history) < 40
    assert (why_ended(study, task_for(study), history) or "").startswith(
        "another 3.0\u202fs of trials promised 0 points more"
    )


@pytest.mark.parametrize("run_off", [None, RunOffSettings(2, 3)])
def test_a_search_that_came_to_its_end_did_not_end_as_more_promised_little(run_off):
    """Here it does, but so late that the search had nothing more to ask for."""
    count = len(searched(STOPS))
    study = replace(STOPS, algorithm=RandomSettings(count, 10), run_off=run_off)
    history = searched(study)
    assert len(history) == count + (2 if run_off else 0)
    assert why_ended(study, task_for(study), history) is None


def test_nor_did_one_that_had_as_many_trials_as_it_was_given():
    study = replace(STOPS, limit=Limit(trials=len(searched(STOPS))))
    history = searched(study)
    assert len(history) == study.limit.trials
    assert why_ended(study, task_for(study), history) is None  # it would have stopped there by itself


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (Limit(trials=3), "the limit of 3 trials was reached"),
        (Limit(steps=25), "the limit of 25 steps was reached"),
        (Limit(seconds=12.0), "its share of the time, 3.0\u202fs, was used up"),
    ],
)
@pytest.mark.parametrize("run_off", [None, RunOffSettings(2, 3)])
def test_a_limit_that_ended_it_is_named(limit: Limit, said: str, run_off: RunOffSettings | None):
    few = replace(STUDY, algorithm=RandomSettings(40, 10), limit=Limit(trials=3), run_off=run_off)
    history = searched(few)
    why = why_ended(replace(few, limit=limit), task_for(few), history)
    assert why == f"{said}{', before its run-off' if run_off else ''}."
    assert why_ended(replace(few, limit=Limit(trials=4)), task_for(few), history) is None


def test_a_search_without_end_did_not_end_early():
    endless = replace(STUDY, algorithm=EvolutionSettings(None, 10), limit=Limit(trials=3))
    assert why_ended(endless, task_for(endless), searched(endless)) is None


@pytest.mark.parametrize("run_off", [None, RunOffSettings(2, 3)])
def test_that_nac_had_nothing_left_to_construct_is_said(run_off):
    space = EnvelopeSettings(width=12, cells=(1, 1), max_cells=(2, 2))
    study = replace(STUDY, space=space, algorithm=NacSettings(5, 10), run_off=run_off)
    history = searched(study)
    assert len(history) == 2 + (2 if run_off else 0)
    assert (why_ended(study, task_for(study), history) or "").startswith("after 1 of 5 constructions nothing was left")


@pytest.mark.parametrize(("constructions", "trials"), [(1, None), (5, 1)])
def test_nor_is_it_where_nac_has_all_that_it_was_to_construct_or_all_trials(constructions: int, trials: int | None):
    algorithm = NacSettings(constructions, 10)
    study = replace(STUDY, algorithm=algorithm, terms=None, limit=Limit(trials=trials))
    history = searched(study)
    assert len(history) == (trials or constructions + 1)
    assert why_ended(study, task_for(study), history) == ("the limit of 1 trial was reached." if trials else None)
