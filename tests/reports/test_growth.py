"""What each construction did is read off the history, whichever algorithm wrote it."""

from itertools import pairwise

import numpy as np
from searches import ENVELOPE, grown, measured, random

from amla.reports.growth import constructions, ranking
from amla.spec.costs import costs
from amla.trials.history import History
from amla.trials.trial import Proposal


def test_the_first_construction_prunes_nothing() -> None:
    first, *_ = constructions(grown(1))
    assert (first.parent, first.pruned, first.added, first.skips_pruned) == (None, (), (), ())
    assert (first.branches, first.skips, dict(first.cells)) == (24, 2, {"stage0": 2, "stage1": 2})


def test_pruned_and_added_branches_balance() -> None:
    steps = constructions(grown(4))
    for before, now in pairwise(steps):
        assert now.parent == before.trial
        assert now.branches == before.branches - len(now.pruned) + len(now.added)
        assert {branch.rsplit("/", 1)[0] for branch in now.added} == {
            f"{stage}/cell{count - 1}" for stage, count in now.cells.items()
        }


def test_costs_metrics_and_time_are_those_of_the_trial() -> None:
    history = grown(1)
    last = constructions(history)[-1]
    counted = costs(history[1].proposal.architecture)
    assert (last.parameters, last.macs) == (counted.parameters, counted.macs)
    assert last.metric == history[1].measurement.metrics["accuracy"]
    assert (last.seconds, last.steps) == (60.0, 300)


def test_what_failed_is_named_and_nothing_grows_from_it() -> None:
    steps = constructions(grown(3, fails=(1,)))
    assert steps[1].failure is not None
    assert steps[1].failure.reason == "out_of_memory"
    assert steps[1].metric is None
    assert [step.parent for step in steps] == [None, 0, 0, 2, 3]


def test_what_runs_is_told_apart_from_what_failed() -> None:
    history = grown(0)
    running = constructions(history.asked(history[0].proposal))[-1]
    assert running.is_running
    assert running.failure is None
    assert running.seconds is None


def test_a_network_that_is_trained_again_is_set_against_itself() -> None:
    history = grown(3)
    before = constructions(history)
    again = history.asked(Proposal(history[1].proposal.architecture, 900)).told(4, history[2].measurement)
    *steps, last = constructions(again)
    assert tuple(steps) == before
    assert (last.repeats, last.parent, last.changed) == (1, 1, False)
    assert {step.repeats for step in steps} == {None}


def test_a_leg_is_set_against_the_trial_whose_weights_it_inherits() -> None:
    history, rng = random(2), np.random.default_rng(0)
    proposal = Proposal(history[0].proposal.architecture, 100, start=0)
    history = history.asked(proposal).told(2, measured(proposal, rng))
    assert [step.parent for step in constructions(history)] == [None, None, 0]


def test_an_open_network_has_no_costs() -> None:
    step = constructions(History().asked(Proposal(ENVELOPE.space.template, 100)))[0]
    assert (step.parameters, step.macs) == (None, None)


def test_the_ranking_statistic_is_the_one_that_read_branches() -> None:
    assert ranking(grown(1)) == "msss"
    assert ranking(random()) is None
