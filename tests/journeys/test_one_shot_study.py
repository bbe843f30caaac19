"""A study of a one-shot search: the template is trained, a network is chosen, trained and tested, and all is shown."""

from pathlib import Path

from terminal import apart

from amla.study.folder import read
from amla.trials.trial import Relax

STUDY = """
name: mixture
data: {source: digits}
recipe: {batch: 64}
space: {kind: nasbench201, width: 4, cells: 1}
algorithm: {kind: darts, steps: 4, legs: 2, rate: 0.05, skip: 1.0}
final: {steps: 3}
"""


def test_a_one_shot_study_runs_to_its_end(tmp_path: Path):
    (tmp_path / "study.yaml").write_text(STUDY)
    ended = apart(tmp_path, "run", "study.yaml")
    assert (ended.code, ended.err) == (0, "")
    assert "searching by darts, in one network with" in ended.out
    assert "test accuracy" in ended.out
    run = read(tmp_path / "runs" / "mixture")
    assert [trial.proposal.budget for trial in run.search.done] == [2, 2]
    assert all(isinstance(trial.proposal.method, Relax) for trial in run.search.done)
    assert not run.final.done[0].proposal.architecture.is_open
    shown = apart(tmp_path, "show", "runs/mixture")
    assert (shown.code, shown.err) == (0, "")


def test_what_a_one_shot_search_cannot_do_is_said_before_anything_runs(tmp_path: Path):
    (tmp_path / "study.yaml").write_text(STUDY.replace("space: {kind: nasbench201, width: 4, cells: 1}\n", ""))
    ended = apart(tmp_path, "run", "study.yaml")
    assert ended.code != 0
    assert "darts cannot search this space" in " ".join(ended.err.split())
    assert not (tmp_path / "runs").exists()
