"""What a worker service of amla understands of orders, and which data it opens."""

from pathlib import Path

import numpy as np
import pytest

from amla.execution.orders import Order
from amla.execution.work import evaluator
from amla.services.trade import StudyTrade
from amla.study.assignment import assigned, assignment
from amla.study.settings.searches import RandomSettings
from amla.study.study import Data, Final, Study, StudyError
from amla.tasks.dataset import DataError
from amla.tasks.load import load
from amla.testing.workers import small
from amla.trials.progress import silent
from amla.trials.trial import Measurement, Proposal, Trial


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of data, beside which lie others."""
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("data/shapes.npz", "secret.npz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        np.savez(path, images=rng.integers(0, 255, (60, 8, 8), dtype=np.uint8), labels=np.arange(60) % 3)
    (tmp_path / "data/link.npz").symlink_to(tmp_path / "secret.npz")
    return tmp_path / "data"


def order(source: str, fingerprint: str | None = None, phase: str = "search") -> Order:
    study = Study("s", Data(source), algorithm=RandomSettings(1, 1), final=Final(1))
    task = assignment(study, phase, fingerprint) if fingerprint else assigned(study.data)
    return Order("0" * 32, phase, task, Trial(0, Proposal(small((1, 8, 8), 3), 3)))


@pytest.mark.parametrize("named", ["shapes.npz", "./shapes.npz", "/elsewhere/shapes.npz"])
def test_data_are_found_below_its_folder_wherever_they_were_elsewhere(folder, named):
    assert StudyTrade(1, folder).source(named) == str(folder / "shapes.npz")


@pytest.mark.parametrize("named", ["../secret.npz", "link.npz", "nothing.npz", "..", "/etc/passwd"])
def test_nothing_else_is_opened(folder, named):
    with pytest.raises(DataError, match="is not below the folder of data"):
        StudyTrade(1, folder).source(named)


def test_without_a_folder_there_are_built_in_data_only(folder):
    assert StudyTrade(1).source("digits") == "digits"
    with pytest.raises(DataError, match="Start it with --data FOLDER"):
        StudyTrade(1).source(str(folder / "shapes.npz"))


def test_a_trial_is_evaluated_on_the_same_data_and_on_no_others(folder, tmp_path):
    trade, dataset = StudyTrade(1, folder), load(str(folder / "shapes.npz"))
    said = order("shapes.npz", dataset.fingerprint)
    outcome = evaluator(trade.work(said, tmp_path / "work"))(said.trial, silent)
    assert isinstance(outcome, Measurement)
    assert outcome.metrics["steps"] == 3
    with pytest.raises(DataError, match="but the study was begun with 0000"):
        trade.work(order("shapes.npz", "0" * 32), tmp_path / "work")


@pytest.mark.parametrize(
    ("task", "said"), [({}, "data"), ({"data": {"source": 1}}, "data.source"), ({"data": {"source": "x"}, "y": 1}, "y")]
)
def test_a_task_that_is_none_is_refused_in_words(task, said):
    with pytest.raises(StudyError, match=said):
        StudyTrade(1).check(Order("0" * 32, "search", task, order("digits").trial))


def test_a_phase_that_is_none_is_refused():
    with pytest.raises(StudyError, match=r"phase is 'timing'; it must be one of rehearsal, search, .*, final"):
        StudyTrade(1).check(order("digits", phase="timing"))
