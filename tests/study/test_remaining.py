"""What a limit of seconds leaves for the final training."""

from dataclasses import replace

import pytest
from made_up_runs import STUDY, algorithm

from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.phases import BASELINES, REHEARSAL, SEARCH, TUNING
from amla.study.remaining import final_seconds, preparing
from amla.study.run import Limit
from amla.study.settings.baselines import BaselineSettings
from amla.study.settings.tuning import TuningSettings
from amla.study.study import Study
from amla.study.timing import Arrangement, Timing
from amla.trials.history import History
from amla.trials.trial import Measurement

TWO, ONE = Arrangement(2, 1), Arrangement(1, 2)
ARRANGED = Arranged(TWO, ONE, (Timing(TWO, 8.0, starting=3.0), Timing(ONE, 10.0, starting=2.0)), seconds=9.0)
LIMITED = replace(STUDY, limit=Limit(seconds=1000.0), final=replace(STUDY.final, steps=None))
SECONDS = {REHEARSAL: (4.0,), SEARCH: (30.0, 20.0, 10.0), BASELINES: (5.0, 5.0, 6.0), TUNING: ()}


def past(phase: str) -> History:
    """Return a history of trials that took so many seconds."""
    history, proposal = History(), algorithm().ask(History())
    assert proposal is not None
    for seconds in SECONDS[phase]:
        history = history.asked(proposal).told(len(history), Measurement({}, seconds=seconds))
    return history


def left(study: Study) -> float:
    return final_seconds(study, ARRANGED, past)


def test_it_is_less_by_all_that_was_trained_as_two_workers_share_it():
    spent = preparing(LIMITED, ARRANGED) + 4 + 30 + (5 + 6)
    assert preparing(LIMITED, ARRANGED) == 9 + 2 + 3
    assert left(LIMITED) == pytest.approx(1000 * (1 - plan.RESERVE_SHARE) - plan.CLOSING_SECONDS - spent - 2)


def test_each_further_phase_has_workers_that_start():
    for beside in ({"baselines": BaselineSettings()}, {"tuning": TuningSettings()}):
        assert left(replace(LIMITED, **beside)) == pytest.approx(left(LIMITED) - 3)
    assert left(replace(LIMITED, final=replace(LIMITED.final, macs="auto"))) == pytest.approx(left(LIMITED) - 2)


def test_waiting_for_them_takes_no_cpu_time():
    by_cpu = replace(LIMITED, limit=Limit(seconds=1000.0, clock="cpu"))
    assert preparing(by_cpu, ARRANGED) == 9 - (2 + 3)
    with_all = replace(by_cpu, baselines=BaselineSettings(), tuning=TuningSettings())
    assert left(with_all) == left(by_cpu) == pytest.approx(970 - plan.CLOSING_SECONDS - 4 - 4 - 30 - 11)


def test_what_passed_before_it_was_under_way_is_part_of_the_limit():
    late = replace(ARRANGED, opening=7.0)
    for clock in ("wall", "cpu"):
        study = replace(LIMITED, limit=replace(LIMITED.limit, clock=clock))
        assert preparing(study, late) == preparing(study, ARRANGED) + 7
        assert final_seconds(study, late, past) == pytest.approx(left(study) - 7)


def test_there_is_always_a_final_training():
    assert left(replace(LIMITED, limit=Limit(seconds=50.0))) == pytest.approx(50 * plan.LEAST_FINAL_SHARE)
