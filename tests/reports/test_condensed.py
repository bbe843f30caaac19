"""Networks that were trained in several legs, as reports show them."""

import numpy as np
import pytest
from searches import ENVELOPE, grown, measured

from amla.algorithms.nac import Nac
from amla.reports.condensed import condensed
from amla.reports.growth import constructions
from amla.trials.history import History
from amla.trials.trial import Cost, Failure, Measurement

FAILURE = Failure("diverged", "no", 3.0)


def in_windows(fails: tuple[int, ...] = (), until: int = 99, candidates: int = 1) -> History:
    """Return a search by NAC in two windows a network, in which some trials fail."""
    history, rng = History(), np.random.default_rng(0)
    nac = Nac(ENVELOPE, steps=20, iterations=2, windows=2, candidates=candidates)
    while len(history) < until and (proposal := nac.ask(history)):
        trial = len(history)
        history = history.asked(proposal).told(trial, FAILURE if trial in fails else measured(proposal, rng))
    return history


def test_a_history_of_single_legs_is_as_it_was():
    history = grown(fails=(1,))
    shown = condensed(history)
    assert shown.history is history
    assert shown.legs == {number: (number,) for number in range(len(history))}


def test_the_legs_of_a_network_are_one_trial():
    history = in_windows()
    shown = condensed(history)
    assert shown.legs == {0: (0, 1), 1: (2, 3), 2: (4, 5)}
    assert [trial.proposal.budget for trial in shown.history.trials] == [20, 20, 20]
    for trial, legs in shown.legs.items():
        found, last = shown.history[trial].measurement, history[legs[-1]].measurement
        assert found.metrics == last.metrics
        assert found.seconds == 120
        assert found.statistics == last.statistics  # the later half of two
        assert shown.trial(legs[0]) == shown.trial(legs[1]) == trial


def test_candidates_are_networks_of_their_own_and_grew_from_the_same():
    shown = condensed(in_windows(candidates=2))
    assert [len(legs) for legs in shown.legs.values()].count(1) == 2
    rows = constructions(shown.history)
    assert rows[1].parent == rows[2].parent == 0
    assert rows[3].parent == rows[4].parent == next(n for n in (1, 2) if len(shown.legs[n]) == 2)


def test_a_leg_that_failed_stands_alone():
    shown = condensed(in_windows(fails=(3,)))
    assert shown.legs == {0: (0, 1), 1: (2, 4), 2: (3,), 3: (5, 6)}
    assert shown.history[2].outcome == FAILURE


def test_a_network_that_still_trains_has_what_it_reached_so_far():
    history = in_windows(until=3)
    proposal = Nac(ENVELOPE, steps=20, iterations=2, windows=2).ask(history)
    assert proposal is not None
    shown = condensed(history.asked(proposal))
    assert shown.legs == {0: (0, 1), 1: (2, 3)}
    assert shown.history[1].measurement.metrics == history[2].measurement.metrics


def test_costs_are_added():
    history = History()
    nac = Nac(ENVELOPE, steps=20, iterations=0, windows=2)
    for joules in (2.0, 3.0):
        proposal = nac.ask(history)
        assert proposal is not None
        outcome = Measurement({"accuracy": 0.5}, seconds=1.0, cost=Cost("cpu", 7.0, joules))
        history = history.asked(proposal).told(len(history), outcome)
    assert condensed(history).history[0].measurement.cost == Cost("cpu", 14.0, 5.0)


def test_those_that_left_are_told_with_their_reading_and_rank():
    history = grown()
    readings = history[0].measurement.statistics["msss"]
    row = constructions(history)[1]
    for branch in row.pruned:
        stage = branch.partition("/")[0]
        rivals = sorted(value for node, value in readings.items() if node.startswith(stage))
        stood = row.standings[branch]
        assert stood.reading == readings[branch]
        assert (stood.rank, stood.of) == (rivals.index(readings[branch]) + 1, len(rivals))
    assert row.widths == pytest.approx((32, 64))
    assert row.inherits is None
