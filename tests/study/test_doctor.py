"""The doctor finds what is wrong with a run, says it, mends what it can, and loses no record."""

import json
import re
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_runs import begun, finished

from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.doctor import DAMAGED, Diagnosis, diagnose
from amla.study.folder import BEST, STUDY, WEIGHTS, read
from amla.study.log import EVENTS, STORE, Place
from amla.study.resolve import SEARCH
from amla.study.study import StudyError
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Failure, Measurement, Proposal


def sql(folder: Path, *statements: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / EVENTS, isolation_level=None)
    try:
        return [row for statement in statements for row in connection.execute(statement).fetchall()]
    finally:
        connection.close()


def leave_lease(folder: Path, seconds: float = -1) -> None:
    held = f"('search', 't', 'elsewhere', 7, 'boot/ns 7', 0, {time() + seconds})"
    sql(folder, f"INSERT INTO lease VALUES {held}")  # noqa: S608


def save(folder: Path, key: str) -> Path:
    """Write a snapshot as a trial would."""
    network = read(folder).search[0].proposal.architecture
    Files(folder).save(key, Snapshot(network, "fit", 10, {"logits.kernel": np.ones(9, np.float32)}, {}))
    return folder / f"snapshots/{key}.safetensors"


def running(folder: Path, start: int | None = None) -> Path:
    """Write a run of which a trial of the search is not over."""
    network = read(begun(folder)).search[0].proposal.architecture
    with Records(folder / EVENTS) as records:
        records.asked(SEARCH, Proposal(network, 10))
        records.told(SEARCH, 1, Measurement({"accuracy": 0.5}))
        records.asked(SEARCH, Proposal(network, 10, start=start))
    save(folder, f"{SEARCH}/1")
    return folder


def over(folder: Path) -> Path:
    finished(folder)
    Files(folder).save_weights("best", Snapshot(read(folder).search[0].proposal.architecture, "fit", 1, {}, {}))
    return folder


def only(found: Diagnosis) -> tuple[str, str, bool]:
    """Return where and what the only finding is, and whether it can be mended."""
    (finding,) = found.findings
    return finding.where, finding.what, finding.mend is not None


def rows(folder: Path) -> list[tuple[object, ...]]:
    return sql(folder, "SELECT study, sequence, kind, trial, body, at FROM event ORDER BY study, sequence")


class TestSound:
    @pytest.mark.parametrize("made", [begun, running, over])
    def test_a_run_has_no_findings_and_is_left_as_it_is(self, tmp_path: Path, made: Callable[[Path], Path]):
        made(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert diagnose(str(tmp_path)) == Diagnosis(())
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        assert diagnose(str(tmp_path), repair=True) == Diagnosis(())

    def test_what_is_no_run_is_refused(self, tmp_path: Path):
        with pytest.raises(StudyError, match=r"is no run folder: it has no study\.yaml and no events"):
            diagnose(str(tmp_path))


class TestEvents:
    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (
                "UPDATE event SET body = 'x' WHERE sequence = 2",
                r"event 2 \(asked of trial 1\) .*JSON.*1 event",
            ),
            ("UPDATE event SET body = '{}' WHERE sequence = 3", r"event 3 \(told of trial 1\) cannot be used"),
            ("UPDATE event SET trial = 7 WHERE sequence = 3", "Trial 7 was never asked for; there are 2"),
            ("DELETE FROM event WHERE sequence = 2", "an event before it is missing"),
        ],
    )
    def test_a_damaged_tail_is_put_aside_and_the_run_goes_on(self, tmp_path: Path, damage: str, said: str):
        begun(tmp_path, 2)
        sql(tmp_path, damage)
        before = rows(tmp_path)
        found = diagnose(str(tmp_path))
        assert not found.is_sound
        (finding,) = found.findings
        assert finding.where.endswith(f"{EVENTS}, search")
        assert re.search(said, finding.what, re.DOTALL)
        assert finding.mend
        mended = diagnose(str(tmp_path), repair=True)
        assert mended.is_sound
        assert "aside, into" in str(mended.findings[0].did)
        assert diagnose(str(tmp_path)).is_sound
        (kept,) = (tmp_path / DAMAGED).iterdir()
        lost = [tuple(json.loads(line).values()) for line in kept.read_text().splitlines()]
        assert rows(tmp_path) + lost == before

    def test_a_damage_before_what_can_be_read_is_left(self, tmp_path: Path):
        begun(tmp_path, 3)
        sql(tmp_path, "UPDATE event SET body = '{}' WHERE sequence = 1")
        before = rows(tmp_path)
        found = diagnose(str(tmp_path), repair=True)
        assert not found.is_sound
        assert "nor can the 4 events after it" in only(found)[1]
        assert "Put a copy of the records" in found.findings[0].advice
        assert rows(tmp_path) == before

    def test_a_damaged_file_is_said(self, tmp_path: Path):
        (begun(tmp_path) / EVENTS).write_bytes(b"nonsense" * 1000)
        where, what, _ = only(diagnose(str(tmp_path), repair=True))
        assert where == "the events"
        assert "damaged, or is no SQLite database" in what

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(["body", "trial", "gone"]), st.integers(0, 5)), max_size=3))
    def test_whatever_is_damaged_nothing_is_lost(self, damages: list[tuple[str, int]]):
        with tempfile.TemporaryDirectory() as name:
            folder = begun(Path(name), 3)
            for what, place in damages:
                change = {"body": "UPDATE event SET body = '{\"x\"'", "trial": "UPDATE event SET trial = 9"}
                sql(folder, f"{change.get(what, 'DELETE FROM event')} WHERE sequence = {place}")  # noqa: S608
            before = rows(folder)
            found = diagnose(str(folder), repair=True)
            aside = sorted((folder / DAMAGED).glob("*")) if (folder / DAMAGED).exists() else []
            lost = [tuple(json.loads(line).values()) for path in aside for line in path.read_text().splitlines()]
            assert rows(folder) + lost == before
            assert diagnose(str(folder)).is_sound == found.is_sound
            if found.is_sound:
                read(folder)


class TestLeases:
    def test_one_left_behind_hinders_nothing_and_is_given_back(self, tmp_path: Path):
        leave_lease(begun(tmp_path))
        found = diagnose(str(tmp_path))
        assert found.is_sound
        assert only(found)[:2] == (
            "the lease of search",
            "the lease was left behind: process 7 on 'elsewhere' has not renewed it in time",
        )
        assert diagnose(str(tmp_path), repair=True).findings[0].did == "Given back."
        assert diagnose(str(tmp_path)) == Diagnosis(())

    def test_a_run_that_somebody_drives_is_not_repaired(self, tmp_path: Path):
        leave_lease(begun(tmp_path), seconds=3600)
        assert diagnose(str(tmp_path)) == Diagnosis((), "process 7 on 'elsewhere'")
        with pytest.raises(StudyError, match="is not repaired while process 7 on 'elsewhere' drives it"):
            diagnose(str(tmp_path), repair=True)


class TestSnapshots:
    def test_a_torn_checkpoint_is_deleted(self, tmp_path: Path):
        path = save(running(tmp_path), f"{SEARCH}/2-cut-off")
        path.write_bytes(path.read_bytes()[:100])
        where, what, _ = only(diagnose(str(tmp_path)))
        assert where == "snapshots/search/2-cut-off.safetensors"
        assert "is torn" in what
        assert diagnose(str(tmp_path), repair=True).is_sound
        assert not path.exists()

    def test_altered_weights_are_deleted_as_they_can_be_trained_again(self, tmp_path: Path):
        path = running(tmp_path) / "snapshots/search/1.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        found = diagnose(str(tmp_path))
        assert "was altered after it was written" in only(found)[1]
        assert not found.is_sound
        assert diagnose(str(tmp_path), repair=True).is_sound
        assert not path.exists()

    def test_one_that_a_running_trial_needs_is_missed_and_hinders_nothing(self, tmp_path: Path):
        (running(tmp_path, start=1) / "snapshots/search/1.safetensors").unlink()
        found = diagnose(str(tmp_path), repair=True)
        assert only(found)[:2] == (
            "snapshots/search/1.safetensors",
            "it is missing, and trial 2, which is not over, starts from it",
        )
        assert found.is_sound

    @pytest.mark.parametrize("key", ["search/0", "search/0-cut-off", "search/1"])
    def test_those_that_nothing_can_need_any_more_are_deleted(self, tmp_path: Path, key: str):
        over(tmp_path) if key == "search/0" else begun(tmp_path)
        if key == "search/1":
            with Records(tmp_path / EVENTS) as records:
                records.asked(SEARCH, Proposal(records.history(SEARCH)[0].proposal.architecture, 10))
                records.told(SEARCH, 1, Failure("crashed", ""))
        path = save(tmp_path, key)
        found = diagnose(str(tmp_path))
        assert found.is_sound
        assert only(found)[0] == f"snapshots/{key}.safetensors"
        assert diagnose(str(tmp_path), repair=True).findings[0].did == "Deleted."
        assert not path.exists()


class TestOtherFiles:
    def test_a_curve_that_cannot_be_read_is_put_aside(self, tmp_path: Path):
        curve = begun(tmp_path) / "curves/search/0.jsonl"
        curve.write_text("nonsense\n" + curve.read_text())
        content = curve.read_bytes()
        assert only(diagnose(str(tmp_path)))[0] == "curves/search/0.jsonl"
        assert diagnose(str(tmp_path), repair=True).is_sound
        assert diagnose(str(tmp_path)) == Diagnosis(())
        assert (tmp_path / DAMAGED / "search-0.jsonl").read_bytes() == content

    def test_passing_files_are_deleted(self, tmp_path: Path):
        left = begun(tmp_path) / "snapshots" / f".7.safetensors.{'0' * 32}.tmp"
        left.parent.mkdir()
        left.touch()
        found = diagnose(str(tmp_path))
        assert found.is_sound
        assert only(found)[2]
        assert diagnose(str(tmp_path), repair=True).findings[0].did == "Deleted."
        assert not left.exists()

    @pytest.mark.parametrize(("name", "said"), [(STUDY, "nobody knows"), (WEIGHTS, "was tested"), (BEST, "JSON")])
    def test_what_a_finished_run_lacks_is_said(self, tmp_path: Path, name: str, said: str):
        (over(tmp_path) / name).unlink() if name != BEST else (over(tmp_path) / name).write_text("{")
        where, what, can_be_mended = only(diagnose(str(tmp_path)))
        assert (where, can_be_mended) == (name, False)
        assert said in what

    @pytest.mark.parametrize("damaged", ["torn", "altered"])
    def test_damaged_weights_of_the_network_are_found_and_go_so_that_they_are_written_again(
        self, tmp_path: Path, damaged: str
    ):
        path = over(tmp_path) / WEIGHTS
        content = path.read_bytes()
        path.write_bytes(content[:100] if damaged == "torn" else content.replace(b'"steps":"1"', b'"steps":"2"'))
        where, what, can_be_mended = only(diagnose(str(tmp_path)))
        assert (where, can_be_mended) == (WEIGHTS, True)
        assert damaged in what
        assert diagnose(str(tmp_path), repair=True).is_sound
        assert not path.exists()

    def test_a_study_that_cannot_be_read_is_said(self, tmp_path: Path):
        (begun(tmp_path) / STUDY).write_text("name: 7")
        assert only(diagnose(str(tmp_path)))[0] == STUDY

    def test_a_store_that_is_not_said_is(self, tmp_path: Path):
        (begun(tmp_path) / STORE).write_text("{}")
        assert "does not say where the events are" in only(diagnose(str(tmp_path)))[1]


@pytest.mark.xdist_group("postgres")
def test_a_database_of_many_runs_is_checked_and_mended(new_database: Callable[[], str], tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url, network = new_database(), read(begun(tmp_path / "run")).search[0].proposal.architecture
    with Records(url) as records, Records(url) as other, other.lease("driven/search"):
        for study in ("a/search", "b/search"):
            for _ in range(3):
                records.asked(study, Proposal(network, 10))
        other.asked("driven/search", Proposal(network, 10))
        assert diagnose(url) == Diagnosis(())
        assert diagnose(url, repair=True) == Diagnosis(())
        with records._database.exclusive() as connection:
            connection.exec_driver_sql("UPDATE event SET body = '{}' WHERE study = 'b/search' AND sequence = 2")
        assert not diagnose(url).is_sound
        assert diagnose(url, repair=True).is_sound
        assert len(records.history("b/search")) == 2
        assert (tmp_path / "b-search-events-2.jsonl").exists()
        other.asked("driven/search", Proposal(network, 10))
    with Records(new_url := new_database()):
        assert diagnose(new_url, repair=True) == Diagnosis(())
    (tmp_path / "run" / EVENTS).unlink()
    (tmp_path / "run" / STORE).write_text(json.dumps({"url": Place(url, "b").url, "run": "b"}))
    assert diagnose(str(tmp_path / "run")).is_sound
