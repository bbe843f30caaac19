"""What a scheduler knows of its studies, whatever ends, is killed, or is sent twice."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from drivers import MadeUp
from made_up_runs import begun, finished

from amla.services import studies as module
from amla.services.entries import locked
from amla.services.errors import ServiceError
from amla.services.problems import Problem
from amla.services.studies import Studies
from amla.storage.files import Files
from amla.study.folder import REPORT, WEIGHTS
from amla.study.log import writing
from amla.study.study import Study, from_plain, load

STUDY = from_plain({"name": "a study of ours", "data": {"source": "digits"}, "limit": {"seconds": 60}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def drivers() -> MadeUp:
    return MadeUp()


@pytest.fixture
def studies(root: Path, drivers: MadeUp) -> Iterator[Studies]:
    with locked(root) as folder:
        yield Studies(folder, drivers)


def made(studies: Studies, key: str | None = None, start: bool = True, study: Study = STUDY) -> str:
    return studies.create(study, study.name.encode(), key, start)[0].key


def states(studies: Studies) -> list[str]:
    return [each.state for each in reversed(studies.newest(0, 100).studies)]


def restarted(studies: Studies) -> Studies:
    """Return what a scheduler knows that begins anew with the same folder and processes."""
    return Studies(studies.folder, studies.drivers, studies.at_once)


def filled(studies: Studies, key: str, run: Path) -> None:
    """Put into a study's folder what a run has written."""
    shutil.copytree(run, studies.path(key), dirs_exist_ok=True)


def done(folder: Path) -> Path:
    """Return a run that has all that belongs to a result."""
    finished(folder)
    Files(folder).write_text(WEIGHTS, "weights")
    Files(folder).write_text(REPORT, "report")
    return folder


def test_a_study_is_a_run_folder_with_the_study_as_it_was_sent(studies: Studies):
    key = made(studies)
    assert key.startswith("a-study-of-ours-")
    assert load(studies.path(key) / "upload.yaml") == STUDY == studies.study(key)


def test_studies_run_in_the_order_of_their_making_so_many_at_a_time(studies: Studies, drivers: MadeUp):
    keys = [made(studies) for _ in range(3)]
    assert states(studies) == ["queued"] * 3
    studies.look()
    assert states(studies) == ["running", "queued", "queued"]
    assert "1 may run at a time" in str(studies.one(keys[1]).why)
    studies.at_once = 2
    studies.look()
    assert drivers.started == [studies.path(key) for key in keys[:2]]


def test_one_that_is_not_to_start_waits_to_be_told(studies: Studies, drivers: MadeUp):
    key = made(studies, start=False)
    studies.look()
    assert states(studies) == ["created"]
    studies.start(key)
    studies.look()
    assert states(studies) == ["running"]


def test_what_is_sent_twice_is_made_once_also_by_another_server(studies: Studies):
    key = made(studies, "once")
    assert made(studies, "once") == key
    assert made(restarted(studies), "once") == key
    assert len({made(studies, "other"), made(studies), made(studies), key}) == 4
    with pytest.raises(Problem, match="with another body"):
        studies.create(STUDY, b"something else", "once", True)
    with pytest.raises(Problem, match="with another body"):
        made(studies, "once", start=False)


def test_a_key_is_free_again_once_what_it_made_is_deleted(studies: Studies):
    key = made(studies, "once", start=False)
    studies.delete(key)
    assert made(studies, "once") != key


def test_a_server_that_begins_anew_knows_what_runs_and_what_is_to_run(studies: Studies, drivers: MadeUp):
    first = made(studies)
    made(studies)
    studies.look()
    later = restarted(studies)
    later.look()
    assert states(later) == ["running", "queued"]
    assert drivers.started == [studies.path(first)]


def test_a_study_that_is_done_is_known_by_its_folder(studies: Studies, drivers: MadeUp, tmp_path: Path):
    key = made(studies)
    studies.look()
    filled(studies, key, done(tmp_path / "run"))
    drivers.codes[1] = 0
    studies.look()
    found = studies.one(key)
    assert found.state == "done"
    assert found.found is not None
    assert (found.found.accuracy, found.found.examples) == (33 / 40, 40)
    assert {phase: count.told for phase, count in found.phases.items()} == {"search": 3, "final": 2}
    assert restarted(studies).one(key) == found == studies.start(key) == studies.stop(key)


@pytest.mark.parametrize(
    ("code", "state"), [(2, "failed"), (1, "failed"), (130, "stopped"), (-9, "queued"), (None, "queued")]
)
def test_how_a_driver_ended_says_what_becomes_of_its_study(
    code: int | None, state: str, studies: Studies, drivers: MadeUp
):
    key = made(studies)
    studies.look()
    Files(studies.path(key)).write_text("logs/driver.log", "reading\namla: 'x' is no dataset.\nName another.\n")
    Files(studies.path(key)).write_text("study.yaml", "{}")
    studies.at_once, drivers.codes[1] = 0, code
    studies.look()
    found = studies.one(key)
    assert found.state == state
    if state == "failed":
        assert found.why == "'x' is no dataset.\nName another."
        assert studies.start(key).state == "queued"


def test_a_driver_that_is_killed_again_and_again_without_getting_further_is_given_up(
    studies: Studies, drivers: MadeUp, tmp_path: Path
):
    key = made(studies)
    studies.look()
    filled(studies, key, begun(tmp_path / "run"))
    for number in range(1, 5):
        assert studies.one(key).state == "running"
        drivers.codes[number] = -9
        studies.look()
    assert "killed 4 times" in str(studies.one(key).why)
    assert studies.one(key).state == "failed"


def test_stopping_interrupts_the_driver_once_and_later_kills_it(
    studies: Studies, drivers: MadeUp, monkeypatch: pytest.MonkeyPatch
):
    key = made(studies)
    studies.look()
    assert studies.stop(key).state == "stopping"
    studies.look()
    assert drivers.signals == [(1, signal.SIGINT)]
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    studies.look()
    assert drivers.signals[1:] == [(1, signal.SIGKILL)]
    drivers.codes[1] = -9
    studies.look()
    assert studies.one(key).state == "created"  # nothing had been written


def test_one_that_is_resumed_before_it_has_stopped_goes_on(studies: Studies, drivers: MadeUp):
    key = made(studies)
    studies.look()
    studies.stop(key)
    assert studies.start(key).state == "running"
    drivers.codes[1] = 130
    studies.look()
    studies.look()
    assert studies.one(key).state == "running"
    assert len(drivers.started) == 2


def test_what_runs_is_not_deleted_and_what_is_deleted_is_gone(studies: Studies, drivers: MadeUp):
    key = made(studies)
    studies.look()
    with pytest.raises(Problem, match="stop it first"):
        studies.delete(key)
    studies.stop(key)
    drivers.codes[1] = 130
    studies.look()
    path = studies.path(key)
    studies.delete(key)
    assert not path.exists()
    for act in (studies.one, studies.start, studies.stop, studies.delete, studies.path):
        with pytest.raises(Problem, match="There is no study"):
            act(key)
    assert states(restarted(studies)) == []


def test_what_was_cut_off_while_it_was_made_or_deleted_is_taken_away(studies: Studies, root: Path):
    key = made(studies)
    for name in (".making-x", ".deleting-x"):
        (root / name).mkdir()
    (root / "no-study").mkdir()
    assert [each.key for each in restarted(studies).newest(0, 9).studies] == [key]
    assert sorted(path.name for path in root.iterdir()) == sorted([".scheduler.lock", "no-study", key])


def test_a_run_that_somebody_drives_by_hand_runs(studies: Studies, drivers: MadeUp, tmp_path: Path):
    key = made(studies)
    filled(studies, key, begun(tmp_path / "run"))
    with writing(studies.path(key)):
        assert studies.one(key).state == "running"
        studies.look()
        assert drivers.started == []
        with pytest.raises(Problem, match="stop it first"):
            studies.delete(key)


def test_a_damaged_entry_hides_its_study_and_no_other(studies: Studies):
    first, second = made(studies), made(studies)
    (studies.path(first) / "scheduler.json").write_text("{")
    assert [each.key for each in restarted(studies).newest(0, 9).studies] == [second]


def test_a_second_scheduler_of_a_folder_is_refused(studies: Studies, root: Path):
    with pytest.raises(ServiceError, match="Another scheduler"), locked(root):
        pass
