"""NAC as in 2018 from end to end, and what is said where its rules come to an end."""

from pathlib import Path

import pytest
from terminal import TINY, Here

from amla.spec import text
from amla.storage.records import Records

PAPER = (*TINY, "--set", "algorithm.mode=paper", "--set", "algorithm.iterations=2")


def test_the_network_constructed_last_is_the_one_that_is_trained_to_the_end(tmp_path: Path, archive: Path, here: Here):
    ended = here("search", str(archive), *PAPER)
    assert (ended.code, ended.err) == (0, "")
    assert "searching by nac as in 2018 from " in ended.out
    run = tmp_path / "runs" / archive.stem
    with Records(run / "events.sqlite", read_only=True) as records:
        search, final = records.history("search"), records.history("final")
    assert [len(search.done), len(final.done)] == [2, 2]
    best = text.load(run / "best.arch.json")
    assert final[0].proposal.architecture == best
    assert best not in [trial.proposal.architecture for trial in search.trials]
    assert "stage0/cell2" in best
    assert here("show", str(run)).out


def test_where_nothing_can_be_pruned_the_search_ends_with_what_it_has_and_says_why(
    tmp_path: Path, archive: Path, here: Here
):
    ended = here("search", str(archive), *PAPER, "--set", "space.branches=[3x3]")
    assert (ended.code, ended.err) == (0, "")
    assert "the search ended early: construction 1: stage 0 has nothing to prune: of the 1 branches" in ended.out
    report = (tmp_path / "runs" / archive.stem / "report.html").read_text(encoding="utf-8")
    assert "stage 0 has nothing to prune" in report


@pytest.mark.parametrize("arm", ["worst", "random"])
def test_the_other_arms_run_too(arm: str, archive: Path, here: Here):
    ended = here("search", str(archive), *PAPER, "--set", f"algorithm.paper.arm={arm}", "--set", "space.width=12")
    assert (ended.code, ended.err) == (0, "")
    assert "test accuracy" in ended.out


def test_a_setting_that_paper_mode_does_not_read_is_refused_before_anything_is_written(
    tmp_path: Path, archive: Path, here: Here
):
    ended = here("search", str(archive), *PAPER, "--set", "space.skips=concat")
    assert ended.code == 2
    assert "space.skips is concat; it is not read in paper mode" in ended.err
    assert not (tmp_path / "runs").exists()
