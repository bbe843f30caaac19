"""A comparison on a table, through all that runs it: what is known beforehand comes out, and nothing is run twice."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_records import record

from amla.comparison.comparison import Comparison, from_yaml
from amla.comparison.incumbents import curves, milestones, pooled
from amla.comparison.judgement import judged
from amla.comparison.pairs import pairs
from amla.comparison.record import Known, Point, Record
from amla.comparison.runs import Bout
from amla.comparison.tabled import PART, Part, Tabled
from amla.comparison.words import best_known, noise, verdict
from amla.study.study import StudyError

TABLES = Path(__file__).parents[1] / "nas_bench"
FILE = """
name: macro
tasks:
  cifar10: {data: {source: cifar10}, space: {kind: nasbench_macro}, final: {steps: 50}}
contenders:
  local-search: {algorithm: {kind: local, trials: null, steps: 50}}
  evolution: {algorithm: {kind: evolution, trials: null, steps: 50, population: 10, sample: 3}}
seeds: 26
limit: {trials: 200}
backend: {kind: tabular, table: nasbench_macro}
executor: {kind: simulated, workers: 4}
"""

AA = """
name: alike
tasks:
  cifar10: {data: {source: cifar10}, space: {kind: nasbench_macro}, final: {steps: 50}}
contenders:
  evolution: {algorithm: {kind: evolution, trials: null, steps: 50, population: 10, sample: 3}}
controls: false
limit: {trials: 20}
backend: {kind: tabular, table: nasbench_macro}
executor: {kind: simulated}
"""


def tabled(folder: Path, file: str = FILE, **changed: int) -> Tabled:
    return Tabled(replace(from_yaml(file), **changed), folder, TABLES)


def silent(part: Part, found: object) -> None:
    """Hear of a part."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, dict[Bout, Record]]:
    """Return a comparison and all of its records."""
    running = tabled(tmp_path_factory.mktemp("macro"))
    running.check()
    running.run(silent)
    found = running.records()
    assert set(found) == set(running.bouts())
    return running.comparison, found


def test_the_verdicts_are_those_that_are_known(whole: tuple[Comparison, dict[Bout, Record]]):
    task = judged(*whole, len(whole[1])).tasks[0]
    told = {(pair.ours, pair.theirs): pair for pair in task.pairs}
    for better, worse in [
        ("evolution", "random-search"),
        ("evolution", "random-sampling"),
        ("local-search", "random-sampling"),
    ]:
        assert told[better, worse].is_real, verdict(told[better, worse])
        assert told[better, worse].difference.mean > 0
    assert {s.name for s in task.standings if s.is_control} == {
        "random-sampling",
        "random-search",
        "hand-made",
        "equal-size-local-search",
    }


def test_no_choice_is_better_than_the_best_of_the_table(whole: tuple[Comparison, dict[Bout, Record]]):
    task = judged(*whole, len(whole[1])).tasks[0]
    assert task.known is not None
    assert task.known.best == pytest.approx(0.9313, abs=5e-5)
    assert "93.13" in str(best_known(task))
    for standing in task.standings:
        assert standing.regret == pytest.approx(task.known.best - standing.mean)
        assert standing.regret >= 0


def test_what_is_chosen_last_is_what_is_tested(whole: tuple[Comparison, dict[Bout, Record]]):
    for found in whole[1].values():
        assert found.points[-1].tested == found.accuracy
        assert found.points[-1].trials == found.search.trials
        assert all(one.trials <= other.trials for one, other in zip(found.points, found.points[1:], strict=False))


def test_four_workers_take_about_a_quarter_of_the_time(whole: tuple[Comparison, dict[Bout, Record]]):
    found = whole[1][Bout("cifar10", "random-search", 0)]
    assert 0.25 <= found.points[-1].seconds / found.search.seconds < 0.35


def test_networks_of_equal_size_are_others_of_about_that_size(whole: tuple[Comparison, dict[Bout, Record]]):
    for seed in range(26):
        ours, control = (whole[1][Bout("cifar10", name, seed)] for name in ("local-search", "equal-size-local-search"))
        assert ours.network != control.network
        assert abs(control.parameters / ours.parameters - 1) <= 0.1
        assert abs(control.macs / ours.macs - 1) <= 0.1


def test_the_noise_is_what_seeds_in_the_table_differ_by(whole: tuple[Comparison, dict[Bout, Record]]):
    task = judged(*whole, len(whole[1])).tasks[0]
    assert task.noise is not None
    assert 0.0005 < task.noise < 0.005
    assert "over the best tenth of the table" in str(noise(task))


def test_a_table_without_seeds_has_no_noise_floor_and_says_so():
    found = {Bout("digits", "ours", 0): replace(record(0.9, 0), known=Known(0.95, None))}
    task = judged(from_yaml(FILE.replace("cifar10:", "digits:")), found, 1).tasks[0]
    assert task.noise is None
    assert str(noise(task)).startswith("There is no noise floor")


def test_alike_searches_are_told_apart_one_time_in_twenty_at_most(tmp_path: Path):
    """A/A: runs of one search are dealt to two names, 200 times; 5 % would be told by mistake, 7 % are allowed."""
    running = tabled(tmp_path, AA, seeds=160)
    running.run(silent)
    reached = [found.accuracy for found in running.records().values()]
    assert len(set(reached)) > 20
    rng, told = np.random.default_rng(0), 0
    for _ in range(200):
        one, other = (dict(enumerate(rng.choice(reached, 8))) for _ in range(2))
        told += any(pair.is_real for pair in pairs(["one", "other"], {"one": one, "other": other}))
    assert told <= 0.07 * 200


def test_what_was_run_is_not_run_again_and_cut_off_it_goes_on(tmp_path: Path):
    heard: list[Part] = []

    def cut_off(part: Part, found: object) -> None:
        heard.append(part)
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tabled(tmp_path).run(cut_off)
    known = tabled(tmp_path).records()
    assert {(bout.contender, bout.seed) for bout in known} == {("local-search", seed) for seed in range(26)}
    assert heard[0].seeds == tuple(range(PART))
    later: list[Part] = []
    tabled(tmp_path).run(lambda part, found: later.append(part))
    assert "local-search" not in {part.contender for part in later}
    again = tabled(tmp_path).records()
    assert {bout: again[bout] for bout in known} == known
    tabled(tmp_path).run(lambda part, found: pytest.fail("it ran again"))


def test_processes_answer_what_one_would(tmp_path: Path):
    alone, together = (tabled(tmp_path / name, AA, seeds=PART + 1) for name in ("alone", "together"))
    alone.run(silent)
    together.run(silent, jobs=2)
    assert together.records() == alone.records()


def test_records_of_another_comparison_are_refused(tmp_path: Path):
    tabled(tmp_path, seeds=1).run(silent)
    with pytest.raises(StudyError, match=r"(?s)another comparison.*algorithm.sample: 3 there, 5 here"):
        tabled(tmp_path, FILE.replace("sample: 3", "sample: 5"), seeds=1).run(silent)


def test_a_setting_that_records_know_nothing_of_is_as_it_was_then(tmp_path: Path):
    tabled(tmp_path, seeds=1).run(silent)
    for file in tmp_path.rglob("*.json"):
        kept = json.loads(file.read_text())
        del kept["study"]["limit.search"]
        file.write_text(json.dumps(kept))
    tabled(tmp_path, seeds=1).run(lambda part, found: pytest.fail("it ran again"))
    with pytest.raises(StudyError, match=r"(?s)another comparison.*limit.search: 0.25 there, 0.5 here"):
        tabled(tmp_path, FILE.replace("trials: 200}", "trials: 200, search: 0.5}"), seeds=1).records()


def test_fronts_are_looked_up_where_records_know_none(tmp_path: Path):
    tabled(tmp_path, AA, seeds=2).run(silent)
    nsga2 = "  small: {algorithm: {kind: nsga2, trials: null, steps: 50, costs: [macs]}}\ncontrols"
    with_costs = tabled(tmp_path, AA.replace("controls", nsga2), seeds=2)
    with_costs.run(silent)
    assert all(len(point) == 2 for found in with_costs.records().values() for point in found.front)
    assert all(found.front for found in with_costs.records().values())
    tabled(tmp_path, AA, seeds=2).run(lambda part, found: pytest.fail("it ran again"))


def test_records_that_are_none_are_named(tmp_path: Path):
    (tmp_path / "records" / "cifar10").mkdir(parents=True)
    (tmp_path / "records" / "cifar10" / "evolution.json").write_text("{}")
    with pytest.raises(StudyError, match=r"evolution\.json' holds no records"):
        tabled(tmp_path).records()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (FILE.replace("final: {steps: 50}", "final: {steps: 10}"), "final.steps is 10; NAS-Bench-Macro knows"),
        (FILE.replace("trials: null, steps: 50}", "trials: null, steps: 5}"), "algorithm.steps is 5; NAS-Bench-Macro"),
    ],
)
def test_what_no_table_knows_is_said_before_anything_runs(tmp_path: Path, wrong: str, said: str):
    with pytest.raises(StudyError, match=said):
        tabled(tmp_path, wrong).check()


def made_up(*points: tuple[int, float, float]) -> Record:
    """Return a record whose search chose after some trials what tests so: (trials, seconds, tested)."""
    found = tuple(Point(trials, 0, 0.0, seconds, 0.5, tested) for trials, seconds, tested in points)
    spent = replace(record(0.9, 0).search, trials=points[-1][0])
    return replace(record(points[-1][2], 0), points=found, search=spent, known=Known(0.95, None))


def test_a_milestone_is_what_was_chosen_by_then():
    runs = {
        "ours": {0: made_up((1, 1.0, 0.8), (11, 9.0, 0.7), (30, 20.0, 0.9)), 1: made_up((1, 1.0, 0.6), (30, 9.0, 0.9))}
    }
    first, second = milestones(["ours"], runs)
    assert (first.trials, second.trials) == (10, 25)
    assert first.reached["ours"].mean == pytest.approx(0.7)
    assert second.reached["ours"].mean == pytest.approx(0.65)  # by validation it chose a worse one meanwhile
    curve = curves(runs)["trials"]["ours"]
    assert (curve.median[0], curve.median[-1], curve.runs) == (pytest.approx(0.7), pytest.approx(0.9), 2)


def test_noise_is_pooled_within_networks():
    assert pooled([(0.1, 0.3), (0.9, 0.9), (0.5,)]) == pytest.approx((0.02 / 2) ** 0.5)
    assert pooled([(0.5,), (0.6,)]) is None
