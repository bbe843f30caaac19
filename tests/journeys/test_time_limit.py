"""`--budget`: a rehearsal tells how fast the machine is, and the search and the final training share the time."""

from pathlib import Path

from terminal import apart

from amla.study.folder import read
from amla.study.plan import LEAST_STEPS, REHEARSAL_STEPS


def test_a_search_with_a_budget_rehearses_and_ends_in_a_sane_time(tmp_path: Path):
    ended = apart(tmp_path, "search", "digits", "--budget", "20s")
    assert (ended.code, ended.err) == (0, "")
    run = read(tmp_path / "runs" / "digits")
    assert [trial.proposal.budget for trial in run.rehearsal.done] == [REHEARSAL_STEPS]
    steps = {trial.proposal.budget for trial in run.search.done}
    assert len(steps) == 1
    assert min(steps) >= LEAST_STEPS
    *legs, test = run.final.done
    assert sum(leg.proposal.budget for leg in legs) == legs[-1].proposal.horizon
    assert test.proposal.budget == 0
    assert run.rehearsal.seconds + run.search.seconds + run.final.seconds < 120
