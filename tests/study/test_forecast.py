"""What the phases of a study are expected to take, in operations and in time."""

from dataclasses import replace

import pytest
from made_up_runs import STUDY

from amla.reports.numbers import SPACE
from amla.spec.costs import training_flops
from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.forecast import OVERHEAD, Forecast, Foreseen, Sizes, forecast
from amla.study.phases import BASELINES, FINAL, SEARCH, TUNING
from amla.study.run import Limit
from amla.study.settings.baselines import BaselineSettings
from amla.study.settings.tuning import TuningSettings
from amla.study.study import Study
from amla.study.tempo import Tempo
from amla.study.timing import Arrangement
from amla.tasks.recipe import Small

ALONE = Arranged(Arrangement(1, 1), Arrangement(1, 1))
LEGS, STEPS, SIZES, SPEED = Foreseen((plan.Leg(1000), plan.Leg(4000))), 10, Sizes(16, 32), plan.Speed(1e6)
TEMPO = Tempo(0.5, 1e6)


def expected(study: Study, tempo: Tempo | None = None, arranged: Arranged = ALONE, sizes: Sizes = SIZES) -> Forecast:
    return forecast(study, LEGS, STEPS, sizes, arranged, SPEED if study.limit.seconds else None, tempo)


@pytest.mark.parametrize(("given", "steps"), [(None, STEPS), (70, 70)])
def test_tuning_takes_as_many_steps_as_the_study_says(given: int | None, steps: int):
    study = replace(STUDY, tuning=TuningSettings(trials=6, steps=given))
    assert expected(study).phases[TUNING].flops == training_flops(6 * 4000, steps * 32)


def test_the_final_training_has_what_tuning_leaves_of_a_limit():
    limited = replace(STUDY, limit=Limit(seconds=1e5), final=replace(STUDY.final, steps=None))
    searching = training_flops(5000, STEPS * 16)

    def left(tuning: TuningSettings | None) -> float:
        return expected(replace(limited, tuning=tuning)).phases[FINAL].flops

    whole = (1e5 * (1 - plan.RESERVE_SHARE) - plan.CLOSING_SECONDS) * SPEED.flops - searching
    assert left(None) == pytest.approx(whole)
    assert left(TuningSettings(6)) == pytest.approx(whole - plan.TUNING_SHARE * 1e5 * SPEED.flops)
    assert left(TuningSettings(6, steps=70)) == pytest.approx(whole - training_flops(6 * 4000, 70 * 32))


@pytest.mark.parametrize("search", [0.2, 0.6])
def test_a_limit_of_operations_of_the_whole_run_is_what_all_takes(search: float):
    whole = 1e7
    limited = replace(STUDY, limit=Limit(flops=whole, search=search), final=replace(STUDY.final, steps=None))
    found = expected(limited, TEMPO)
    assert found.phases[SEARCH].flops == min(search * whole, training_flops(5000, STEPS * 16))
    assert whole - training_flops(1000, 32) < found.flops <= whole
    assert found.seconds == pytest.approx(2 * OVERHEAD + found.steps * 0.5 + found.flops / 1e6, rel=0.1)
    later = forecast(limited, LEGS, STEPS, SIZES, ALONE, None, TEMPO, left=8e6)
    assert later.phases[FINAL].flops == pytest.approx(8e6, abs=training_flops(1000, 32))


def test_a_limit_of_operations_of_the_search_bounds_it_alone():
    limited = replace(STUDY, limit=Limit(flops=1000.0))
    found, usual = expected(limited, TEMPO).phases, expected(STUDY, TEMPO).phases
    assert found[SEARCH].flops == pytest.approx(1000)
    assert found[FINAL] == usual[FINAL]


class TestTime:
    STUDY = replace(STUDY, final=replace(STUDY.final, steps=100))

    def test_every_step_takes_time_of_its_own_besides_its_operations(self):
        search, final = (expected(self.STUDY, TEMPO).phases[phase] for phase in (SEARCH, FINAL))
        assert search.seconds == pytest.approx(2 * (OVERHEAD + 10 * 0.5) + training_flops(5000, 10 * 16) / 1e6)
        assert final.seconds == pytest.approx(OVERHEAD + 100 * 0.5 + training_flops(4000, 100 * 32) / 1e6)

    def test_none_is_told_without_a_tempo_nor_by_a_limit_that_bounds_all(self):
        assert expected(self.STUDY).seconds is None
        limited = replace(STUDY, limit=Limit(seconds=1e5), final=replace(STUDY.final, steps=None))
        assert expected(limited).seconds is None

    def test_where_the_final_training_is_in_steps_a_rehearsal_tells_it(self):
        limited = replace(self.STUDY, limit=Limit(seconds=1e5))
        assert expected(limited).phases[FINAL].seconds == pytest.approx(
            OVERHEAD + training_flops(4000, 100 * 32) / SPEED.flops
        )

    def test_workers_share_the_search_at_their_pace(self):
        two = Arranged(Arrangement(2, 1), Arrangement(1, 2))  # each has half of the threads
        alone, shared = (expected(self.STUDY, TEMPO, each).phases for each in (ALONE, two))
        dear = 10 * 0.5 + training_flops(4000, 10 * 16) / 1e6
        assert shared[SEARCH].seconds == pytest.approx(OVERHEAD + 2 * dear)
        assert shared[FINAL] == alone[FINAL]

    def test_scoring_is_part_of_it(self):
        scored = replace(SIZES, validation=900, test=300)
        apart = expected(self.STUDY, TEMPO, sizes=scored).seconds - expected(self.STUDY, TEMPO).seconds
        searched = TEMPO.seconds(training_flops(5000, 900), 2 * 900 / 16)  # which is two networks'
        tested = TEMPO.seconds(training_flops(4000, 300), 300 / 32)
        assert apart == pytest.approx((searched + tested) * plan.SCORING)

    def test_mirror_images_are_scored_too(self):
        scored = replace(SIZES, validation=900)
        mirrored = replace(self.STUDY, recipe=replace(STUDY.recipe, score_mirrored=True))
        assert expected(mirrored, TEMPO, sizes=scored) == expected(
            self.STUDY, TEMPO, sizes=replace(scored, validation=1800)
        )

    def test_baselines_take_as_long_as_the_dearest_network_each(self):
        beside = replace(self.STUDY, baselines=BaselineSettings(random=1))
        dear = OVERHEAD + 10 * 0.5 + training_flops(4000, 10 * 16) / 1e6
        assert expected(beside, TEMPO).phases[BASELINES].seconds == pytest.approx(4 * dear)


def test_a_network_that_is_made_wider_and_smaller_images_count():
    wide = replace(STUDY, final=replace(STUDY.final, steps=100, macs=8000))
    assert expected(wide).phases[FINAL].flops == training_flops(8000, 100 * 32)
    small = replace(wide, recipe=replace(STUDY.recipe, small=Small(0.5, 0.4)))
    assert expected(small).phases[FINAL].flops == pytest.approx(0.7 * training_flops(8000, 100 * 32))


def test_it_is_told_in_a_line():
    study = replace(STUDY, final=replace(STUDY.final, steps=100))
    told = str(expected(study)).replace(SPACE, " ")
    assert told == "it takes 81.6 M operations at most, 94 % of them in the final training"
    told = str(expected(study, TEMPO)).replace(SPACE, " ")
    assert told == (
        "it takes about 2 min 20 s at most on this machine, 89 % of that in the final training (81.6 M operations)"
    )
