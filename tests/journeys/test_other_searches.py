"""`amla search --algorithm ...`: searches whose networks train in several legs, with several seeds, or for a limit."""

from pathlib import Path

from terminal import TINY, Here

from amla.study.folder import read

SMALL = ("--workers", "0", "--set", "space={width: 6, cells: [1], max_cells: [1]}", *TINY[4:6])


def test_legs_of_successive_halving_are_one_construction_each_in_the_report(archive: Path, here: Here):
    steps = ("--set", "algorithm.steps=9", "--set", "algorithm.trials=6", "--set", "algorithm.costs=[macs]")
    ended = here("search", str(archive), "--algorithm", "asha", *steps, *SMALL)
    assert (ended.code, ended.err) == (0, "")
    assert "searching by successive halving (ASHA), 3 rungs, 6 legs" in ended.out
    assert "leg 6 of 6: " in ended.out
    found = read(Path("runs/shapes")).search
    legs = [trial for trial in found.trials if trial.proposal.start is not None]
    assert legs
    assert all(found[leg.proposal.start or 0].proposal.architecture == leg.proposal.architecture for leg in legs)
    assert not any(Path("runs/shapes/snapshots/search").iterdir())  # no weights are left of what will not go on
    assert f"The search tried {len(found) - len(legs)} constructions" in Path("runs/shapes/report.html").read_text()
    assert (
        here("search", str(archive), "--algorithm", "asha", *steps, *SMALL).out.splitlines()[-6:]
        == (ended.out.splitlines()[-6:])
    )


def test_untrained_networks_are_scored_and_the_best_trained(archive: Path, here: Here):
    given = ("--set", "algorithm={kind: zero_cost, candidates: 5, trained: 2, steps: 3, examples: 8}")
    ended = here("search", str(archive), "--algorithm", "zero_cost", *given, *SMALL)
    assert (ended.code, ended.err) == (0, "")
    assert "scoring 5 untrained networks by az_nas, and training the best 2" in ended.out
    trials = read(Path("runs/shapes")).search.trials
    assert [trial.proposal.budget for trial in trials] == [0] * 5 + [3] * 2
    assert all("expressivity" in trial.measurement.metrics for trial in list(trials)[:5])
    assert "test accuracy" in ended.out


def test_a_search_on_terms_is_told_means(archive: Path, here: Here):
    given = ("--set", "algorithm.steps=3", "--set", "algorithm.trials=3", "--set", "algorithm.population=2")
    ended = here(
        "search", str(archive), "--algorithm", "evolution", *given, *SMALL, "--set", "terms={distinct: true, seeds: 2}"
    )
    assert (ended.code, ended.err) == (0, "")
    assert "searching by regularised evolution, 3 networks" in ended.out
    assert "network 6 of 6: " in ended.out
    assert [trial.proposal.seed for trial in read(Path("runs/shapes")).search.trials] == [0, 1] * 3


def test_a_search_bounded_by_networks_says_so_before_and_after(archive: Path, here: Here):
    given = ("--set", "algorithm.steps=2", "--max-trials", "2")
    ended = here("search", str(archive), "--algorithm", "random", *given, *SMALL)
    assert (ended.code, ended.err) == (0, "")
    assert "random choice of 2 networks" in ended.out
    assert "random network 2 of 2" in ended.out
    assert "ended early: the limit of 2 trials was reached." in " ".join(ended.out.split())
