"""What a model card says of energy: as much as is on record, and what is not."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import finished

from amla.export.source import Facts
from amla.spec import text
from amla.study.card import card
from amla.study.folder import BEST, Run, read
from amla.study.trained import Trained
from amla.trials.history import History
from amla.trials.trial import Measurement

FACTS = Facts("made-up", ("cat", "dog"), (0.0,), (1.0,), False, "")


def costing(history: History, joules: float | None, is_known: bool = True) -> History:
    found = History()
    for trial in history.trials:
        outcome = trial.outcome
        assert isinstance(outcome, Measurement)
        assert outcome.cost
        cost = replace(outcome.cost, joules=joules) if is_known else None
        found = found.asked(trial.proposal).told(trial.id, replace(outcome, cost=cost))
    return found


def energy(run: Run) -> str:
    said = card(Trained(run, text.load(run.folder / BEST), {}, FACTS))
    return next(line for line in said.splitlines() if line.startswith("| Energy |"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read(finished(tmp_path / "run"))


def test_the_energy_of_all_trials_is_added_up(run: Run) -> None:
    known = replace(run, search=costing(run.search, 3600.0), final=costing(run.final, 1800.0))
    assert energy(known) == "| Energy | 4.0 Wh |"


def test_what_could_not_be_read_is_said(run: Run) -> None:
    none, some = costing(run.search, None), costing(run.search, 3600.0)
    assert "not readable here: " in energy(replace(run, search=none, final=costing(run.final, None)))
    assert energy(replace(run, search=some)) == "| Energy | 3.0 Wh, without 2 of 5 trials |"


def test_where_no_cost_was_told_energy_was_not_asked_for(run: Run) -> None:
    unknown = replace(run, search=costing(run.search, None, False), final=costing(run.final, None, False))
    assert energy(unknown) == "| Energy | not asked |"
