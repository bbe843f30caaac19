"""What is ahead of a study: as many trainings as it asks for, however many are asked for beforehand."""

from dataclasses import replace

import pytest

from amla.study.ahead import foreseen
from amla.study.run import Limit
from amla.study.settings.searches import EvolutionSettings, RandomSettings, Terms
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of
from amla.study.study import Data, Final, Study

SETTINGS = EnvelopeSettings(width=6, cells=(1,), max_cells=(1,))
SPACE = envelope_of(SETTINGS, (1, 8, 8), 2)
STUDY = Study("x", Data("x"), space=SETTINGS, algorithm=RandomSettings(5, 10), final=Final(10))


@pytest.mark.parametrize(
    ("study", "legs"),
    [
        (STUDY, 5),
        (replace(STUDY, algorithm=RandomSettings(300, 10)), 300),
        (replace(STUDY, algorithm=EvolutionSettings(200, 10)), 200),
        (replace(STUDY, algorithm=RandomSettings(100, 10), terms=Terms(seeds=2)), 200),
        (replace(STUDY, algorithm=RandomSettings(300, 10), limit=Limit(trials=150)), 150),
        (replace(STUDY, limit=Limit(trials=3)), 3),
    ],
)
def test_it_has_as_many_legs_as_the_study_asks_for(study: Study, legs: int):
    found = foreseen(study, SPACE, 10)
    assert len(found.legs) == min(legs, 128)
    assert len(found.legs) * found.times == pytest.approx(legs)


def test_under_a_limit_of_seconds_it_has_those_that_are_asked_for_beforehand():
    limited = replace(STUDY, algorithm=RandomSettings(300, 10), limit=Limit(seconds=60.0))
    found = foreseen(limited, SPACE, 10)
    assert (len(found.legs), found.times) == (128, 1.0)


def test_however_many_there_are_it_is_no_long_list():
    endless = foreseen(replace(STUDY, algorithm=RandomSettings(10**15, 10)), SPACE, 10)
    assert len(endless.legs) == 128
    assert endless.times == pytest.approx(10**15 / 128)
