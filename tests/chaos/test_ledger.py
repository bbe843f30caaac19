"""What was on record and is not any more, and what was trained again, is noticed; what was not, is not."""

import sqlite3
from pathlib import Path

import pytest
from made_up_runs import begun, finished

from amla.chaos.ledger import Ledger
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.folder import read
from amla.study.log import EVENTS
from amla.trials.progress import Progress
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Proposal


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return what was noted of a run with two trials, of which the first has left weights."""
    begun(tmp_path, 2)
    save(tmp_path, 0)
    noted = Ledger(tmp_path)
    noted.look()
    assert noted.recorded == 4
    return noted


def save(folder: Path, trial: int) -> None:
    Files(folder).save(f"search/{trial}", Snapshot(read(folder).search[0].proposal.architecture, "fit", 10, {}, {}))


def sql(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / EVENTS, isolation_level=None)
    connection.execute(statement)
    connection.close()


def judged(ledger: Ledger) -> tuple[int, list[str], int]:
    ledger.look()
    return ledger.lost, ledger.repeated, ledger.mended


def test_a_run_that_is_not_there_has_no_record(tmp_path: Path):
    assert judged(Ledger(tmp_path / "nothing")) == (0, [], 0)


def test_a_run_that_goes_on_has_lost_and_repeated_nothing(ledger: Ledger):
    assert judged(ledger) == (0, [], 0)
    with Records(ledger.folder / EVENTS) as records:
        records.asked("search", Proposal(records.history("search")[0].proposal.architecture, 10))
    Files(ledger.folder).append_curve("search/2", Progress(2, 10, 10, 1.0, 0.5, 0.1, 2.0))
    save(ledger.folder, 2)
    assert judged(ledger) == (0, [], 0)
    Files(ledger.folder).start_curve("search/2")  # not over, and so not recorded
    (ledger.folder / "snapshots/search/0.safetensors").unlink()  # nobody needs it any more
    assert judged(ledger) == (0, [], 0)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM event WHERE sequence = 3", "UPDATE event SET body = '{}' WHERE sequence = 1"]
)
def test_an_event_that_is_gone_or_another_is_lost(ledger: Ledger, statement: str):
    sql(ledger.folder, statement)
    assert judged(ledger)[0] == 1


def test_a_recorded_trial_that_trains_is_repeated(ledger: Ledger):
    Files(ledger.folder).append_curve("search/1", Progress(1, 20, 20, 1.0, 0.5, 0.1, 2.0))
    assert judged(ledger) == (0, ["curves/search/1.jsonl"], 0)


def test_sound_weights_that_are_written_again_are_repeated(ledger: Ledger):
    save(ledger.folder, 0)
    assert judged(ledger) == (0, ["snapshots/search/0.safetensors"], 0)


def test_damaged_or_deleted_weights_that_are_written_again_are_mended(ledger: Ledger):
    name = "snapshots/search/0.safetensors"
    (ledger.folder / name).write_bytes(b"torn")
    ledger.damage(name)
    assert judged(ledger) == (0, [], 0)
    save(ledger.folder, 0)
    assert judged(ledger) == (0, [], 1)
    (ledger.folder / name).unlink()
    ledger.look()
    save(ledger.folder, 0)
    assert judged(ledger) == (0, [], 2)


def test_the_phases_are_told_apart(tmp_path: Path):
    finished(tmp_path)
    noted = Ledger(tmp_path)
    noted.look()
    assert noted.recorded == 10
    Files(tmp_path).start_curve("final/0")
    assert judged(noted) == (0, ["curves/final/0.jsonl"], 0)
