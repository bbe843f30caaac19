"""What the phases of a study are expected to take."""

from dataclasses import replace

import pytest
from made_up_runs import STUDY

from amla.spec.costs import training_flops
from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.forecast import forecast
from amla.study.phases import FINAL, TUNING
from amla.study.run import Limit
from amla.study.settings.tuning import TuningSettings
from amla.study.study import Study
from amla.study.timing import Arrangement

ALONE = Arranged(Arrangement(1, 1), Arrangement(1, 1))
LEGS, STEPS, BATCHES, SPEED = [plan.Leg(1000), plan.Leg(4000)], 10, (16, 32), plan.Speed(1e6)


def expected(study: Study) -> dict[str, float]:
    return forecast(study, LEGS, STEPS, BATCHES, ALONE, SPEED if study.limit.seconds else None)


@pytest.mark.parametrize(("given", "steps"), [(None, STEPS), (70, 70)])
def test_tuning_takes_as_many_steps_as_the_study_says(given: int | None, steps: int):
    study = replace(STUDY, tuning=TuningSettings(trials=6, steps=given))
    assert expected(study)[TUNING] == training_flops(6 * 4000, steps * 32)


def test_the_final_training_has_what_tuning_leaves_of_a_limit():
    limited = replace(STUDY, limit=Limit(seconds=1e5), final=replace(STUDY.final, steps=None))
    searching = training_flops(5000, STEPS * 16)

    def left(tuning: TuningSettings | None) -> float:
        return expected(replace(limited, tuning=tuning))[FINAL]

    whole = (1e5 * (1 - plan.RESERVE_SHARE) - plan.CLOSING_SECONDS) * SPEED.flops - searching
    assert left(None) == pytest.approx(whole)
    assert left(TuningSettings(6)) == pytest.approx(whole - plan.TUNING_SHARE * 1e5 * SPEED.flops)
    assert left(TuningSettings(6, steps=70)) == pytest.approx(whole - training_flops(6 * 4000, 70 * 32))
