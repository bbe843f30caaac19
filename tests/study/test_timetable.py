"""What a limit of seconds pays for, and what is said where that is next to nothing."""

import pytest
from made_up_runs import STUDY, task_for

from amla.spaces.envelope import envelope
from amla.study import plan
from amla.study.arrangement import Arranged
from amla.study.timetable import Timetable
from amla.study.timing import Arrangement

ENVELOPE = envelope((1, 8, 8), 2, width=6, cells=(1, 1), max_cells=(3, 3))
NETWORKS = [ENVELOPE.space.close(ENVELOPE.initial())] * 3
LEGS = [plan.Leg(1_000_000)] * 5
ONE = Arranged(Arrangement(1, 1), Arrangement(1, 1))


def table(seconds: float, flops: float = 1e9) -> Timetable:
    return Timetable(STUDY, task_for(), ONE, seconds, plan.Speed(flops))


@pytest.mark.parametrize("seconds", [300.0, 600.0])
def test_the_steps_of_a_search_take_its_share_of_the_limit(seconds: float):
    found = table(seconds)
    steps = found.search_steps(LEGS, spent=10.0)
    assert plan.LEAST_STEPS < steps < plan.ENOUGH_STEPS
    taken = [
        plan.legs_seconds(each, plan.Speed(1e9), LEGS, STUDY.recipe.batch, len(task_for().parts.validation.labels))
        for each in (steps, steps + 1)
    ]
    assert taken[0] <= STUDY.limit.search * seconds - 10.0 < taken[1]


def test_too_few_steps_are_said_with_the_limit_that_would_do():
    found = table(60.0)
    steps = found.search_steps(LEGS, spent=10.0)
    assert steps == plan.LEAST_STEPS
    assert (said := found.too_few(LEGS, 10.0, steps)) is not None
    assert said.startswith("a budget of 1\u202fmin pays for 10 steps of each network in the search, which tell little")
    enough = next(s for s in range(60, 10_000) if table(s).search_steps(LEGS, 10.0) >= plan.USEFUL_STEPS)
    minutes, seconds = divmod(enough, 60)
    assert f"100 would take {minutes}\u202fmin {seconds}\u202fs in all" in said
    assert table(float(enough)).too_few(LEGS, 10.0, plan.USEFUL_STEPS) is None


def test_baselines_are_afforded_where_their_fewest_steps_are_a_small_part_of_the_limit():
    seconds = plan.legs_seconds(
        plan.LEAST_STEPS,
        plan.Speed(1e9),
        [plan.Leg(0)] * 3,
        STUDY.recipe.batch,
        len(task_for().parts.validation.labels),
    )
    assert not table(seconds / plan.MOST_BASELINE_SHARE).affords(NETWORKS)
    assert table(1000 * seconds).affords(NETWORKS)
    assert table(1000 * seconds).short_steps(NETWORKS, plan.BASELINE_SHARE, 50, 16) == 50
