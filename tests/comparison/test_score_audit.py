"""What an audit says of trainings whose outcomes are made up, so that the right answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_runs import STUDY, task_for

from amla.comparison.audit import Plan, Reading, as_json, judged, shared, verdict
from amla.comparison.auditing import check_plan, drawn, subset_steps
from amla.spaces.envelope import envelope
from amla.spec.digest import digest
from amla.study.settings.spaces import DartsSettings
from amla.study.study import Data, StudyError
from amla.tasks.recipe import Recipe
from amla.trials.history import History
from amla.trials.trial import Cost, Failure, Measurement, Proposal, Untrained

SPACE = envelope((1, 8, 8), 2, width=6, cells=(1, 1), max_cells=(2, 2), branches=("1x1", "3x3", "3x3sep")).space
PLAN = Plan(20, (10, 20), 100, seeds=2, top=5)
NETWORKS = drawn(SPACE, 20, seed=0)


def trainings(steps: int, seeds: int, noise: float, failing: int | None = None) -> History:
    """Return a history in which later networks are better, but for some noise."""
    history, rng = History(), np.random.default_rng(steps)
    for trial in range(len(NETWORKS) * seeds):
        history = history.asked(Proposal(NETWORKS[trial // seeds], steps))
        metrics = {"accuracy": 0.5 + 0.01 * (trial // seeds) + noise * rng.normal(), "parameters": 5.0, "macs": 1.0}
        outcome = Measurement(metrics, cost=Cost("cpu", 1e6 * steps))
        history = history.told(trial, Failure("diverged", "nan") if trial == failing else outcome)
    return history


def test_the_cheapest_score_that_ranks_well_is_chosen():
    short = {"10 steps": trainings(10, 1, noise=1.0), "20 steps": trainings(20, 1, noise=0.005)}
    found = judged(PLAN, 20, short, trainings(100, 2, noise=0.005))
    assert found.choice == "20 steps"
    assert verdict(found).startswith("Use 20 steps: tau ")
    assert verdict(found).endswith("for 20.0 % of a training of 100 steps.")
    assert {score.name: score.cost for score in found.scores} == pytest.approx(
        {"10 steps": 0.1, "20 steps": 0.2, "parameters": 0.0, "macs": 0.0}
    )
    assert found.ceiling
    assert found.ceiling.tau > 0.8


def test_where_no_score_ranks_well_none_is_chosen():
    short = {"10 steps": trainings(10, 1, noise=1.0), "20 steps": trainings(20, 1, noise=1.0)}
    found = judged(PLAN, 20, short, trainings(100, 2, noise=0.005))
    assert found.choice is None
    assert verdict(found).startswith("No score is good enough")


def test_networks_whose_training_failed_are_left_out():
    short = {"10 steps": trainings(10, 1, noise=0.01, failing=3), "20 steps": trainings(20, 1, noise=0.01)}
    found = judged(PLAN, 20, short, trainings(100, 2, noise=0.005, failing=11))
    assert (found.networks, found.failed) == (18, 2)
    assert json.loads(as_json(found))["failed"] == 2


def scorings(name: str, values: list[float | None]) -> History:
    """Return a history of networks that are scored, None: not to be had."""
    history = History()
    for place, number in enumerate(values):
        history = history.asked(Proposal(NETWORKS[place], 0, Untrained((name,)), keep=False))
        done = Measurement({name: number or 0.0, "macs": 1.0}, cost=Cost("cpu", 1e6))
        history = history.told(place, done if number is not None else Failure("infeasible", "it has no ReLU"))
    return history


def test_a_zero_cost_score_that_ranks_well_is_chosen_for_what_it_costs():
    scored = {"naswot": scorings("naswot", [float(place) for place in range(20)])}
    short = {"10 steps": trainings(10, 1, noise=1.0), "20 steps": trainings(20, 1, noise=0.005)}
    found = judged(PLAN, 20, short, trainings(100, 2, noise=0.005), scored)
    assert found.choice == "naswot"
    assert verdict(found).endswith("for 1.0 % of a training of 100 steps.")
    assert found.unscored == {}


def test_networks_that_cannot_be_scored_rank_last_and_are_told_of():
    scored = {"naswot": scorings("naswot", [None, None, *map(float, range(18))]), "zen": scorings("zen", [None] * 20)}
    short = {"10 steps": trainings(10, 1, noise=1.0), "20 steps": trainings(20, 1, noise=1.0)}
    found = judged(PLAN, 20, short, trainings(100, 2, noise=0.0), scored)
    assert "zen" not in {score.name for score in found.scores}
    (naswot,) = (score for score in found.scores if score.name == "naswot")
    assert naswot.agreement.tau > 0.99
    assert naswot.cost == pytest.approx(0.01)
    assert found.unscored == {
        "naswot": "2 of 20 networks: it has no ReLU", "zen": "20 of 20 networks: it has no ReLU",
    }  # fmt: skip


def test_a_statistic_costs_an_equal_part_of_the_training_it_was_read_in():
    read = {
        "taylor": Reading(tuple(map(float, range(20))), 2e8),  # twice a reference
        "msss": Reading(failure="the loss is nan"),
    }
    found = judged(PLAN, 20, {"10 steps": trainings(10, 1, noise=1.0)}, trainings(100, 2, noise=0.005), read=read)
    (taylor,) = (score for score in found.scores if score.shared)
    assert (taylor.name, taylor.cost) == ("taylor", pytest.approx(0.1))
    assert found.choice == "taylor"
    assert verdict(found).endswith("for 10.0 % of a training of 100 steps, if 20 networks share it.")
    assert "the whole of it, as a share of a training of 100 steps: taylor 200 %" in (shared(found) or "")
    assert found.unscored == {"msss": "any network: the loss is nan"}


def test_without_statistics_nothing_is_shared():
    found = judged(PLAN, 20, {"10 steps": trainings(10, 1, noise=1.0)}, trainings(100, 2, noise=0.005))
    assert shared(found) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"subsets": (0.5, 1.0)}, "A subset is 1 of the training examples"),
        ({"subsets": (0.0,)}, "A subset is 0 of the training examples"),
        ({"statistics": ("taylor", "magic")}, "There is no probe 'magic'"),
    ],
)
def test_subsets_and_statistics_that_there_are_not_are_refused(given, words):
    with pytest.raises(StudyError, match=words):
        Plan(20, (10,), 100, **given)


@pytest.mark.parametrize(
    ("given", "study", "words"),
    [
        ({"statistics": ("taylor",)}, replace(STUDY, space=DartsSettings()), "space.kind darts have none"),
        ({"subsets": (0.2,)}, replace(STUDY, data=Data("made-up", share=0.2)), "but data.share is 0.2"),
    ],
)
def test_what_a_study_cannot_have_is_refused(given, study, words):
    with pytest.raises(StudyError, match=words):
        check_plan(Plan(20, (10,), 100, **given), study, task_for(study))


def test_a_share_is_trained_on_for_as_many_epochs():
    study = replace(STUDY, recipe=Recipe(10))
    task = task_for(study)
    assert len(task.fitting.labels) == 140
    assert [subset_steps(28, study, task, share) for share in (0.5, 0.25)] == [14, 6]
    tenth = replace(study, data=Data("made-up", share=0.5))
    assert subset_steps(28, tenth, task_for(tenth), 0.25) == 12


@pytest.mark.parametrize(
    ("scores", "words"), [(("snip",), "There is no score 'snip'"), (("macs",), "'macs' is counted")]
)
def test_scores_that_there_are_not_are_refused(scores, words):
    with pytest.raises(StudyError, match=words):
        Plan(20, (10,), 100, scores=scores)


def test_networks_are_all_different_and_always_the_same():
    assert len({digest(network) for network in NETWORKS}) == 20
    assert drawn(SPACE, 20, seed=0) == NETWORKS


def test_a_small_space_has_fewer_networks():
    few = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(1,), branches=("1x1", "3x3"), skips="none").space
    assert len(drawn(few, 20, seed=0)) == 3


@pytest.mark.parametrize("steps", [(), (100,), (10, 200)])
def test_the_reference_is_the_longest(steps):
    with pytest.raises(StudyError, match="it must be longer"):
        Plan(20, steps, 100)


def test_few_networks_make_no_ranking():
    with pytest.raises(StudyError, match="3 networks make no ranking"):
        Plan(3, (10,), 100)
