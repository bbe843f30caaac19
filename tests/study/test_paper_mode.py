"""NAC's paper mode as a study says it: what is read, what is refused, and what a report makes of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import STUDY, begun, made_up, measured, task_for

from amla.algorithms.construct import Rules
from amla.algorithms.nac import Nac
from amla.algorithms.paper import PaperNac, PaperRandom
from amla.reports.page import render
from amla.spaces.macro import Frame
from amla.study.ended import why_ended
from amla.study.folder import prepare, read
from amla.study.log import writing
from amla.study.report import report
from amla.study.resolve import FINAL, SEARCH, algorithm_of, space_of
from amla.study.result import winner
from amla.study.settings.searches import NacSettings, PaperSettings
from amla.study.study import Study, StudyError, from_yaml
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal

PAPER = replace(STUDY, algorithm=NacSettings(2, steps=10, mode="paper"))
OPS = ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep")


def algorithm(study: Study = PAPER) -> Any:
    return algorithm_of(study, space_of(study, task_for(study)), 10)


def told(study: Study, phase: str, folder: Path, proposal: Proposal) -> History:
    """Write a trial that is done, and all of whose branches and skips are worth 1; return the history with it."""
    with writing(folder) as log:
        log.asked(phase, proposal)
        statistics = {probe: dict.fromkeys(nodes, 1.0) for probe, nodes in proposal.probes.items()}
        found = measured(proposal.architecture, accuracy=0.5, loss=1.0)
        log.told(phase, len(log.history(phase)) - 1, replace(found, statistics=statistics))
        return log.history(phase)


def searched(study: Study, folder: Path) -> History:
    """Write a search that is over."""
    prepare(folder, study, task_for(study))
    history = History()
    while proposal := algorithm(study).ask(history):
        history = told(study, SEARCH, folder, proposal)
    return history


def marked(page: str) -> bool:
    """Return whether a report marks a trial as the chosen one, or the best so far."""
    return 'class="badge"' in page or "Best so far:" in page or ", best so far" in page


def with_paper(**changes: Any) -> Study:
    return replace(PAPER, algorithm=replace(PAPER.algorithm, paper=PaperSettings(**changes)))


def test_the_mode_of_a_study_that_says_none_is_the_fixed_one():
    text = "{name: x, data: {source: x}, algorithm: {kind: nac, steps: 5}, final: {steps: 5}}"
    assert isinstance(algorithm(from_yaml(text)), Nac)


def test_the_settings_become_the_rules_of_2018():
    space = replace(PAPER.space, cells=(2, 1), max_cells=(4, 2), dropout=0.3, stem_stride=2)
    study = replace(PAPER, space=space, algorithm=replace(PAPER.algorithm, quota=3, statistic="norm"), seed=7)
    study = replace(
        study, algorithm=replace(study.algorithm, paper=PaperSettings("worst", "env", False, (True, False)))
    )
    assert algorithm(study) == PaperNac(
        Frame((1, 8, 8), 2, 6, "response_norm", 2, 0.3, 0.2),
        Rules(
            tuple((op, op) for op in OPS), (2, 1), (4, 2), (True, False), (False, False), 6, 3, False, True, "env"
        ),
        10, 2, "norm", 7,
    )  # fmt: skip


def test_the_random_arm_is_that_of_random_networks():
    found = algorithm(with_paper(arm="random"))
    assert isinstance(found, PaperRandom)
    assert found.rules == algorithm().rules


def test_branches_may_have_names_besides_their_ops():
    study = replace(PAPER, space=replace(PAPER.space, branches=("3x3-a", "3x3-b", "1x1")))
    assert algorithm(study).rules.cell == (("3x3-a", "3x3"), ("3x3-b", "3x3"), ("1x1", "1x1"))


@pytest.mark.parametrize(
    ("address", "given", "why"),
    [
        ("space.skips", "concat", "space.skips is concat; it is not read in paper mode"),
        ("space.macs", 10**9, "space.macs is 1000000000; it is not read"),
        ("space.skeleton", "pools", "space.skeleton is pools; it is not read"),
        ("algorithm.share", 0.5, "algorithm.share is 0.5; it is not read in paper mode, where it is as it was in 2018"),
        ("algorithm.growing_only", False, "algorithm.growing_only is False; it is not read in paper mode"),
        ("final.macs", 10**6, "final.macs is 1000000, but networks of 2018 keep their width"),
        ("algorithm.iterations", 0, "algorithm.iterations is 0"),
        ("space.branches", ("9x9", "11x11"), "filters.11x11 is '11x11'"),
        ("algorithm.paper", PaperSettings(construction=(True,)), r"construction is \[True\], but there are 2 stages"),
        (
            "algorithm.paper",
            PaperSettings(parameter_limits=(True, True)),
            "stage 0 has 2 layers under a parameter limit",
        ),
    ],
)
def test_settings_that_paper_mode_cannot_follow_are_refused(address: str, given: Any, why: str):
    part, name = address.split(".")
    study = replace(PAPER, space=replace(PAPER.space, cells=(2, 1)))
    study = replace(study, **{part: replace(getattr(study, part), **{name: given})})
    with pytest.raises(StudyError, match=why):
        algorithm(study)


@pytest.mark.parametrize("changes", [{"arm": "worst"}, {"dialect": "env"}, {"construction": (True, False)}])
def test_settings_of_paper_mode_are_refused_without_it(changes: dict[str, Any]):
    study = with_paper(**changes)
    (name,) = changes
    with pytest.raises(StudyError, match=rf"algorithm.paper.{name} is .* with algorithm.mode: paper"):
        algorithm(replace(study, algorithm=replace(study.algorithm, mode="fixed")))


def test_no_trial_is_the_chosen_one_as_the_last_network_was_not_trained(tmp_path: Path):
    history = searched(PAPER, tmp_path)
    last = algorithm().recommend(history)
    assert winner(read(tmp_path)) is None
    told(PAPER, FINAL, tmp_path, Proposal(last, 50, seed=3))
    run = read(tmp_path)
    assert winner(run) is None
    page = render(report(run, made_up()))
    assert not marked(page)
    assert "ended early" not in page


def test_in_a_search_that_goes_on_no_trial_is_the_best_so_far(tmp_path: Path):
    prepare(tmp_path, PAPER, task_for(PAPER))
    told(PAPER, SEARCH, tmp_path, algorithm().ask(History()))
    page = render(report(read(tmp_path), made_up()))
    assert "1 construction so far" in page
    assert not marked(page)


def test_a_search_that_ended_early_stands_behind_its_last_trial_and_says_why(tmp_path: Path):
    study = replace(PAPER, space=replace(PAPER.space, branches=("3x3",)))
    history = searched(study, tmp_path)
    assert len(history) == 1
    why = why_ended(study, task_for(study), history)
    assert why is not None
    assert why.startswith("construction 1: stage 0 has nothing to prune")
    told(study, FINAL, tmp_path, Proposal(algorithm(study).recommend(history), 50, seed=3))
    run = read(tmp_path)
    best = winner(run)
    assert best is not None
    assert best.id == 0
    page = render(report(run, made_up()))
    assert marked(page)
    assert "It ended early: construction 1: stage 0 has nothing to prune" in page


def test_searches_of_other_kinds_do_not_end_early(tmp_path: Path):
    assert why_ended(STUDY, task_for(), read(begun(tmp_path)).search) is None
    history = History().asked(algorithm().ask(History()))
    assert why_ended(PAPER, task_for(PAPER), history) is None
    assert why_ended(PAPER, task_for(PAPER), history.told(0, Measurement({}))) is not None  # nothing was measured
