"""A search on a table: `amla run` from the first line to the report, in seconds."""

import json
import re
from pathlib import Path

import pytest
from terminal import Here

from amla.study.folder import read
from amla.study.result import result

TABLES = Path(__file__).parents[1] / "nas_bench"
STUDY = """
name: macro
data: {source: cifar10}
space: {kind: nasbench_macro}
algorithm: {kind: random, trials: 30, steps: 50}
final: {steps: 50}
backend: {kind: tabular, table: nasbench_macro}
executor: {kind: simulated, workers: 4}
"""


@pytest.fixture(autouse=True)
def _written() -> None:
    Path("macro.yaml").write_text(STUDY)


def test_a_table_is_searched_and_its_choice_tested(here: Here):
    ended = here("run", "macro.yaml", "--data-dir", str(TABLES), "--plain")
    assert ended.code == 0, ended.err
    assert "NAS-Bench-Macro says what training came to" in ended.out
    assert "training examples, too" not in ended.out  # there are no examples
    assert "training images are" not in ended.out
    run = read(Path("runs/macro"))
    found = result(run)
    assert found is not None
    best = max(run.search.done, key=lambda trial: trial.measurement.metrics["accuracy"])
    assert run.final[0].proposal.architecture == best.proposal.architecture
    assert 0.88 < found.tested.accuracy < 0.932
    assert run.search.seconds > 10_000  # simulated
    assert [trial.id for trial in run.search.finished] != list(range(30))  # as four workers end them
    assert not Path("runs/macro/weights").exists()
    assert "weights" not in ended.out
    assert Path("runs/macro/report.html").exists()
    assert here("doctor", "runs/macro").out.startswith("sound")


def test_it_is_over_once(here: Here):
    first = here("run", "macro.yaml", "--data-dir", str(TABLES), "--plain").out
    again = here("run", "macro.yaml", "--data-dir", str(TABLES), "--plain").out
    assert again == first[first.index(again) :]


def test_simulated_seconds_are_a_limit(here: Here):
    ended = here("run", "macro.yaml", "--data-dir", str(TABLES), "--set", "limit.seconds=5000", "--plain")
    assert ended.code == 0, ended.err
    run = read(Path("runs/macro"))
    assert 4 * 5_000 <= run.search.seconds < 4 * 5_000 + 4 * 5_000
    assert len(run.search) < 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name it with --data-dir or AMLA_DATA"),
        (("--data-dir", "."), "There is no nasbench_macro.csv.gz in '.'"),
        (("--data-dir", str(TABLES), "--set", "data.source=digits"), "is about cifar10 alone"),
        (("--data-dir", str(TABLES), "--set", "space.width=16"), "networks of the published size"),
        (
            ("--data-dir", str(TABLES), "--set", "algorithm.steps=10"),
            "trainings of 50 epochs, but this one would have 10",
        ),
        (
            ("--data-dir", str(TABLES), "--set", "algorithm={kind: nac, steps: 50}"),
            "which searches space.kind envelope",
        ),
    ],
)
def test_what_cannot_be_looked_up_says_why(here: Here, arguments: tuple[str, ...], words: str):
    ended = here("run", "macro.yaml", "--plain", *arguments)
    assert ended.code != 0
    assert words in ended.out + ended.err


COMPARISON = """
name: searches
tasks:
  cifar10: {data: {source: cifar10}, space: {kind: nasbench_macro}, final: {steps: 50}}
contenders:
  evolution: {algorithm: {kind: evolution, trials: null, steps: 50, population: 10, sample: 3}}
seeds: 8
limit: {trials: 30}
backend: {kind: tabular, table: nasbench_macro}
executor: {kind: simulated}
"""


def test_searches_are_compared_on_a_table_and_more_seeds_go_on(here: Here):
    Path("searches.yaml").write_text(COMPARISON)
    ended = here("compare", "searches.yaml", "--data-dir", str(TABLES))
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^evolution +beats +random-sampling +\d", ended.out, re.MULTILINE)
    found = json.loads(Path("runs/searches/report.json").read_text())
    assert found["done"] == found["planned"] == 8 * 5
    assert [at["trials"] for at in found["tasks"][0]["milestones"]] == [10, 25]
    text = Path("runs/searches/report.md").read_text()
    assert "The best network of the table tests at 93.13" in text
    assert "After 10 networks:" in text
    assert "After 10 networks" in Path("runs/searches/report.html").read_text()
    assert not list(Path("runs/searches").rglob("events.sqlite"))
    more = here("compare", "searches.yaml", "--data-dir", str(TABLES), "--seeds", "9")
    assert "going on after 40 runs" in more.out
    assert json.loads(Path("runs/searches/report.json").read_text())["done"] == 9 * 5


def test_whole_fronts_are_compared_on_a_table(here: Here):
    evolution = COMPARISON[COMPARISON.index("  evolution:") : COMPARISON.index("\n", COMPARISON.index("  evolution:"))]
    nsga2 = "  nsga2: {algorithm: {kind: nsga2, trials: null, steps: 50, costs: [parameters]}}"
    Path("fronts.yaml").write_text(COMPARISON.replace(evolution, nsga2))
    ended = here("compare", "fronts.yaml", "--data-dir", str(TABLES))
    assert (ended.code, ended.err) == (0, "")
    assert "Whole fronts of accuracy and parameters, points of" in ended.out
    (folder,) = Path("runs").iterdir()
    (found,) = json.loads((folder / "report.json").read_text())["tasks"]
    assert list(found["trade"]["volumes"]) == ["nsga2", "random-search"]
    assert found["trade"]["tested"]
    assert all(0 < share < 1 for of in found["trade"]["volumes"].values() for share in of.values())


def test_a_comparison_without_its_table_says_where_to_name_it(here: Here):
    Path("searches.yaml").write_text(COMPARISON)
    ended = here("compare", "searches.yaml")
    assert ended.code == 2
    assert "name it with --data-dir or AMLA_DATA" in ended.err
