"""What is to be shaken is checked before anything is started."""

from dataclasses import replace
from pathlib import Path

import pytest

from amla.chaos.faults import FAULTS
from amla.chaos.setup import Setup, setup
from amla.study.run import Limit
from amla.study.settings.places import Inline, Local
from amla.study.settings.searches import NacSettings
from amla.study.study import Data, Final, Study, StudyError

STUDY = Study("x", Data("digits"), algorithm=NacSettings(steps=10), final=Final(10), executor=Local(workers=1))
URL = "postgresql+psycopg://me@here/x"


def made(folder: Path, study: Study = STUDY, faults: str | None = None, store: str | None = None) -> Setup:
    return setup(study, folder / "new", kills=1, seed=0, faults=faults and faults.split(","), store=store)


def test_all_goes_wrong_that_can(tmp_path: Path):
    assert made(tmp_path, store=URL).faults == set(FAULTS)
    assert made(tmp_path).faults == set(FAULTS) - {"connections"}
    assert made(tmp_path, replace(STUDY, executor=Inline())).faults == set(FAULTS) - {"connections", "worker"}
    assert made(tmp_path, faults="driver,disk").faults == {"driver", "disk"}


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        ("driver,flood", "There is no fault 'flood'; there are driver, worker, all, connections, disk, files"),
        ("disk,files", "Nothing is killed; let --faults have one of all, driver, worker"),
        ("driver,connections", "The fault 'connections' cannot be had: the events are in a file"),
    ],
)
def test_faults_that_cannot_be_had_are_said(tmp_path: Path, faults: str, why: str):
    with pytest.raises(StudyError, match=why):
        made(tmp_path, faults=faults)


def test_without_workers_none_is_killed(tmp_path: Path):
    with pytest.raises(StudyError, match="'worker' cannot be had: trials run in the driver itself"):
        made(tmp_path, replace(STUDY, executor=Inline()), "worker")


@pytest.mark.parametrize("change", [{"limit": Limit(seconds=60)}, {"trial_seconds": 60.0}])
def test_a_study_that_goes_by_the_clock_is_refused(tmp_path: Path, change: dict[str, object]):
    with pytest.raises(StudyError, match="depends on how fast the machine is just now"):
        made(tmp_path, replace(STUDY, **change))


def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path):
    (tmp_path / "new").mkdir()
    made(tmp_path)
    (tmp_path / "new" / "file").touch()
    with pytest.raises(StudyError, match="is there already"):
        made(tmp_path)


def test_a_password_in_the_url_is_refused(tmp_path: Path):
    with pytest.raises(StudyError, match="has a password"):
        made(tmp_path, store="postgresql+psycopg://me:secret@here/x")


def test_other_systems_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(StudyError, match="needs Linux"):
        made(tmp_path)
