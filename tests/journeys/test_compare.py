"""`amla compare`: real searches of digits, cut off and continued, with more seeds later."""

import json
from pathlib import Path

import pytest
from terminal import Here, apart, end, started, wait_for

FILE = """
name: tiny
tasks:
  digits:
    data: {source: digits}
    space: {kind: envelope, width: 6, cells: [1], max_cells: [2], branches: [1x1, 3x3], skips: none}
    final: {steps: 4}
contenders:
  nac: {algorithm: {kind: nac, iterations: 1, steps: 2}}
seeds: 1
limit: {steps: 4}
"""
NAMES = {
    "nac",
    "random-sampling",
    "random-search",
    "nac-random-pruning",
    "nac-worst-case",
    "hand-made",
    "equal-size-nac",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(FILE)
    return path


def test_it_runs_every_contender_and_control_and_goes_on_with_more_seeds(here: Here, file: Path):
    first = here("compare", str(file))
    assert (first.code, first.err) == (0, "")
    assert "With 1 seed no difference can be told" in first.out
    found = json.loads(Path("runs/tiny/report.json").read_text())
    assert {standing["name"] for standing in found["tasks"][0]["standings"]} == NAMES
    assert found["done"] == found["planned"] == len(NAMES)
    random_search = next(s for s in found["tasks"][0]["standings"] if s["name"] == "random-search")
    assert (random_search["trials"], random_search["steps"]) == (2, 4)  # as many steps as the limit allows
    kept = {path: path.stat().st_mtime_ns for path in Path("runs/tiny/runs").rglob("events.sqlite")}
    more = here("compare", str(file), "--seeds", "2")
    assert f"going on after {len(NAMES)} runs" in more.out.replace("\n", " ")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing is run again
    assert json.loads(Path("runs/tiny/report.json").read_text())["done"] == 2 * len(NAMES)
    again = here("compare", str(file), "--seeds", "2", "--report")
    assert again.out.count(" undecided ") == 6


def test_one_contender_without_controls_is_run_and_compared_with_nothing(here: Here, file: Path):
    file.write_text(FILE + "controls: false\n")
    ended = here("compare", str(file))
    assert (ended.code, ended.err) == (0, "")
    assert "One contender without controls is compared with nothing" in ended.out.replace("\n", " ")
    assert "Only nac has been run" in ended.out


def test_it_goes_on_however_its_folder_is_named_and_wherever_it_was_moved(here: Here, file: Path):
    without_search = FILE.replace("iterations: 1", "iterations: 0").replace("limit: {steps: 4}", "limit: {trials: 1}")
    file.write_text(without_search)
    assert here("compare", str(file), "--folder", "one").code == 0
    for folder in (str(Path("one").absolute()), "moved"):
        if folder == "moved":
            Path("one").rename(folder)
        ended = here("compare", str(file), "--folder", folder)
        assert (ended.code, ended.err) == (0, "")
        assert "of 7: " not in ended.out  # nothing is run again


def test_within_several_limits_all_of_it_is_run_in_each(here: Here, file: Path):
    limits = "limits: {short: {flops: 1.0e+8}, long: {flops: 3.0e+8}}\ncontrols: false"
    file.write_text(FILE.replace("limit: {steps: 4}", limits).replace("{steps: 4}", "{}"))
    ended = here("compare", str(file))
    assert (ended.code, ended.err) == (0, "")
    assert "1 seed on 1 task within 2 limits, 2 runs" in ended.out.replace("\n", " ")
    assert "2 of 2: nac on digits within long, seed 0" in ended.out.replace("\n", " ")
    found = json.loads(Path("runs/tiny/report.json").read_text())
    short, long = (on["standings"][0] for on in found["tasks"])
    assert short["flops"] == pytest.approx(1e8, rel=0.1)
    assert long["flops"] == pytest.approx(3e8, rel=0.1)
    assert "What a larger limit buys" in Path("runs/tiny/report.html").read_text()
    assert sorted(path.name for path in Path("runs/tiny").iterdir() if path.is_dir()) == ["long", "short"]
    again = here("compare", str(file))
    assert "going on after 2 runs" in again.out
    file.write_text(FILE)
    other = here("compare", str(file))
    assert other.code != 0
    assert "holds runs within the limit" in other.err


def test_another_comparison_does_not_mix_with_what_is_there(here: Here, file: Path):
    assert here("compare", str(file)).code == 0
    file.write_text(FILE.replace("final: {steps: 4}", "final: {steps: 5}"))
    ended = here("compare", str(file), "--seeds", "2")
    assert ended.code == 2
    assert "final.steps: 4 there, 5 here" in ended.err


def test_a_comparison_and_a_run_do_not_share_a_folder(here: Here, file: Path):
    brief = ("--set=algorithm.steps=2", "--set=algorithm.iterations=0", "--set=final.steps=2", "--set=space.width=6")
    search = ("search", "digits", "--run", "runs/tiny", *brief)
    assert here(*search).code == 0
    report = Path("runs/tiny/report.html").read_bytes()
    refused = here("compare", str(file))
    assert refused.code == 2
    assert "'runs/tiny' is a run folder. Name another folder for the comparison with --folder." in refused.err
    assert Path("runs/tiny/report.html").read_bytes() == report
    assert here("compare", str(file), "--folder", "compared", "--report").code == 0
    refused = here("search", "digits", "--run", "compared", *brief)
    assert refused.code == 2
    assert "'compared' is the folder of a comparison. Name another folder with --run." in refused.err
    assert not Path("compared/study.yaml").exists()


def test_what_cannot_run_is_said_before_anything_runs(here: Here, file: Path):
    file.write_text(FILE.replace("statistic: ", "").replace("steps: 2}", "steps: 2, statistic: magic}"))
    ended = here("compare", str(file))
    assert ended.code == 2
    assert "magic" in ended.err
    assert not Path("runs").exists()


def test_an_audit_says_what_short_trainings_are_worth_and_goes_on(here: Here):
    tiny = ("--set", "space.width=6", "--set", "space.cells=[1, 1]", "--set", "space.max_cells=[1, 2]")
    command = ("audit", "digits", "--networks", "4", "--reference", "4", "--steps", "2", "--workers", "0", *tiny)
    command = (*command, "--score", "synflow", "--score", "az_nas")
    ended = here(*command)
    assert (ended.code, ended.err) == (0, "")
    assert "8 of 20: score-az_nas, scoring 3: done" in ended.out
    assert "20 of 20: reference" in ended.out
    assert {"2", "steps", "synflow", "az_nas", "parameters", "macs", "another", "seed"} <= set(ended.out.split())
    found = json.loads(Path("runs/digits-audit/audit.json").read_text())
    assert [score["name"] for score in found["scores"]] == ["2 steps", "synflow", "az_nas", "parameters", "macs"]
    again = here(*command)
    assert "of 20" not in again.out
    assert json.loads(Path("runs/digits-audit/audit.json").read_text()) == found


def test_an_audit_of_subsets_and_statistics(here: Here):
    tiny = ("--set", "space.width=6", "--set", "space.cells=[1, 1]", "--set", "space.max_cells=[1, 2]")
    short = (
        "--networks",
        "4",
        "--reference",
        "44",
        "--steps",
        "2",
        "--seeds",
        "1",
        "--score",
        "none",
        "--workers",
        "0",
    )
    asked = ("--subset", "0.25", "--subset", "0.1", "--statistic", "taylor_signed", "--statistic", "drop_one")
    ended = here("audit", "digits", *short, *asked, *tiny)
    assert (ended.code, ended.err) == (0, "")
    assert "18 of 18: reference" in ended.out
    assert "Each statistic is read in one training" in " ".join(ended.out.split())
    found = json.loads(Path("runs/digits-audit/audit.json").read_text())
    costs = {score["name"]: score["cost"] for score in found["scores"]}
    cheap = ("2 steps", "10 % of the data", "25 % of the data", "taylor_signed", "drop_one", "parameters", "macs")
    assert tuple(costs) == cheap
    assert costs["10 % of the data"] == pytest.approx(0.1, rel=0.1)
    assert costs["25 % of the data"] == pytest.approx(0.25, rel=0.1)
    assert costs["drop_one"] > costs["taylor_signed"] > 0  # which takes no pass for each branch


@pytest.mark.slow  # twice two workers for each of three phases
@pytest.mark.timeout(600)
def test_an_audit_of_subsets_that_is_killed_goes_on_with_several_workers(here: Here, tmp_path: Path):
    short = ("--networks", "4", "--reference", "22", "--steps", "2", "--seeds", "1", "--score", "none")
    command = (
        "audit",
        "digits",
        *short,
        "--subset",
        "0.1",
        "--set",
        "space.width=6",
        "--set",
        "space.max_cells=[1, 1]",
    )
    run, killed = tmp_path / "killed", False
    process = started(tmp_path, *command, "--workers", "2", "--run", "killed")
    try:
        wait_for(lambda: any(run.glob("curves/subset-0.1-*/*.jsonl")), process)
        killed = process.poll() is None
    finally:
        end(process)
    assert killed
    assert not (run / "audit.json").exists()
    again = apart(tmp_path, *command, "--workers", "2", "--run", "killed")
    assert (again.code, again.err) == (0, "")
    assert "steps-2" not in again.out  # those are not trained again
    assert here(*command, "--workers", "0", "--run", "whole").code == 0
    assert (run / "audit.json").read_text() == (tmp_path / "whole" / "audit.json").read_text()


def test_statistics_of_a_space_without_branches_are_refused_before_anything_is_trained(here: Here):
    ended = here("audit", "digits", "--statistic", "msss", "--set", "space={kind: darts}")
    assert ended.code == 2
    assert "the networks of space.kind darts have none; leave it out, or take space.kind envelope." in ended.err
    assert not Path("runs").exists()
