"""Mistakes in recipes, and with run folders: each is said before anything is trained, and nothing there is touched."""

import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from terminal import TINY, Ended, Here, apart

from amla.study.folder import read


def check_refused(ended: Ended, *parts: str) -> None:
    """Check that a command was refused, with all these parts in its message, before it said what it would do."""
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("amla: ")
    for part in parts:
        assert part in ended.err


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def finished(digits: tuple[Path, Ended], tmp_path: Path) -> Path:
    """Return a finished run of the digits that may be damaged."""
    shutil.copytree(digits[0] / "runs", tmp_path / "runs")
    return tmp_path / "runs" / "digits"


class TestRecipes:
    """What a recipe cannot be is refused at once, and not found out by every network of the search."""

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ("recipe.optimiser.rate=-1", "recipe.optimiser.rate is -1.0; it must be 0 or more, and finite."),
            ("recipe.optimiser.rate=.nan", "recipe.optimiser.rate is nan; it must be 0 or more, and finite."),
            ("recipe.optimiser.rate=.inf", "recipe.optimiser.rate is inf; it must be 0 or more, and finite."),
            ("recipe.optimiser.momentum=1", "recipe.optimiser.momentum is 1.0; it must be at least 0 and below 1."),
            ("recipe.schedule.warm_up=1", "recipe.schedule.warm_up is 1.0; it must be at least 0 and below 1."),
            ("recipe.weight_decay=-1e-3", "recipe.weight_decay is -0.001; it must be 0 or more, and finite."),
            ("recipe.clip=0", "recipe.clip is 0.0; it must be more than 0, and finite."),
            ("recipe.label_smoothing=1", "recipe.label_smoothing is 1.0; it must be at least 0 and below 1."),
            ("recipe.augment.shift=-1", "augment.shift is -1"),
            ("final.recipe={optimiser: {kind: adamw, beta2: 1}}", "final.recipe.optimiser.beta2 is 1.0; it must be at"),
            ("final.recipe={schedule: {kind: one_cycle, peak: 2}}", "final.recipe.schedule.peak is 2.0; it must be at"),
        ],
    )
    def test_a_number_out_of_range_is_named_with_the_rule(self, setting: str, said: str, archive: Path, here: Here):
        check_refused(here("search", str(archive), *TINY, "--set", setting), said)
        assert not Path("runs").exists()

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ("space.width=3", "space: width is 3"),
            ("space.cells=[1]", "space: cells [1] and max_cells [5, 5]"),
            ("algorithm.statistic=luck", "algorithm.statistic: There is no probe 'luck'"),
        ],
    )
    def test_the_part_of_the_study_is_named(self, setting: str, said: str, archive: Path, here: Here):
        check_refused(here("search", str(archive), *TINY, "--set", setting), said)

    def test_a_study_of_no_networks_is_refused_before_it_has_a_folder(self, archive: Path, here: Here):
        Path("study.yaml").write_text(
            f"name: none\ndata: {{source: {archive}}}\nfinal: {{steps: 5}}\n"
            "algorithm: {kind: fixed, architectures: [], steps: 3}\n"
        )
        check_refused(here("run", "study.yaml"), "algorithm.architectures is empty; name the file of one")
        assert not Path("runs").exists()


class TestRunFolders:
    def test_records_without_the_study_they_are_of_are_not_taken_for_any_others(self, finished: Path, here: Here):
        (finished / "study.yaml").unlink()
        before = contents(finished)
        check_refused(here("search", "digits", *TINY), "'runs/digits' holds the records of a study, but no study.yaml")
        assert contents(finished) == before

    @pytest.mark.parametrize("name", ["study.yaml", "events.sqlite"])
    def test_a_damaged_file_is_named_and_left_as_it_is(self, name: str, finished: Path, here: Here):
        (finished / name).write_bytes(b"\xff[nonsense" * 1000)
        before = contents(finished)
        check_refused(here("search", "digits", *TINY), f"runs/digits/{name}'")
        assert contents(finished) == before

    def test_records_of_another_program_are_named_and_left_as_they_are(self, finished: Path, here: Here):
        (finished / "events.sqlite").unlink()
        with sqlite3.connect(finished / "events.sqlite") as other:
            other.execute("CREATE TABLE recipes (flour INTEGER)")
        other.close()
        before = contents(finished)
        check_refused(here("search", "digits", *TINY), "runs/digits/events.sqlite' is a database of another program")
        assert contents(finished) == before

    def test_the_differences_of_another_study_are_listed_and_the_run_stays(self, finished: Path, here: Here):
        before = contents(finished)
        ended = here(
            "search", "digits", *TINY[:2], *TINY[4:-1], "space.width=12", "--algorithm", "random", "--workers", "1"
        )
        check_refused(
            ended,
            "'runs/digits' holds another study. Name another folder with --run, delete this one, or go on as it "
            "was begun: amla run runs/digits/study.yaml --run runs/digits. They differ in\n",
            "\n  algorithm.kind: nac there, random here\n",
            "\n  space.width: 6 there, 12 here\n",
            "\n  executor.kind: inline there, local here\n",
        )
        assert contents(finished) == before


class TestLimits:
    def test_each_network_that_takes_too_long_is_recorded_as_such(self, archive: Path, here: Here):
        ended = here("search", str(archive), *TINY, "--set", "trial_seconds=1e-4")
        assert ended.code == 2
        assert ended.err.startswith("amla: No network could be trained:\ntrial 0: stopped after 0.0001 s")
        failed = read(Path("runs/shapes")).search.failed
        assert [trial.outcome.reason for trial in failed] == ["timeout"] * len(failed)

    def test_started_again_a_search_that_found_nothing_says_so_and_trains_nothing_more(self, archive: Path, here: Here):
        limited = ("search", str(archive), *TINY, "--set", "trial_seconds=1e-4")
        first, again = here(*limited), here(*limited)
        assert (again.code, again.err) == (2, first.err)
        assert len(read(Path("runs/shapes")).search) == 3


def test_ctrl_c_while_libraries_are_loaded_ends_it_with_a_message(tmp_path: Path, archive: Path):
    code = (
        "import os, signal, sys, importlib.abc\n"
        "class Interrupting(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'amla.study.search': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from amla.cli import main\nmain()\n"
    )
    ended = apart(tmp_path, "search", str(archive), *TINY, command=[sys.executable, "-c", code])
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "\namla: cut off. Start the same command again to go on.\n"
