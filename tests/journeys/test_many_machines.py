"""Runs whose events are in PostgreSQL, and runs that two processes want to drive."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from terminal import TINY, Here, end, lines, started, wait_for

from amla.storage.records import Records
from amla.study.folder import read
from amla.study.log import EVENTS, STORE, place
from amla.study.result import is_finished

pytestmark = pytest.mark.xdist_group("postgres")

LONG = (*TINY, "--set", "algorithm.steps=100000", "--run", "run")


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


def test_a_search_in_postgresql_can_be_shown_and_goes_on_anywhere(url: str, archive: Path, here: Here):
    ended = here("search", str(archive), *TINY, "--run", "run", "--store", url)
    assert (ended.code, ended.err) == (0, "")
    assert not Path("run", EVENTS).exists()
    known = place(Path("run"))
    assert known
    with Records(url, read_only=True) as records:
        assert records.studies() == [f"{known.run}/{phase}" for phase in ("baselines", "final", "search")]
        assert records.leases() == []
    assert "test accuracy" in here("show", "run").out
    again = here("search", str(archive), *TINY, "--run", "run")
    assert again.accuracy == ended.accuracy
    other = here("search", str(archive), *TINY, "--run", "other", "--store", url)
    assert other.accuracy == ended.accuracy  # a run of its own in the same database
    assert is_finished(read(Path("other")))


def test_cut_connections_do_not_end_a_search(url: str, archive: Path, tmp_path: Path):
    process = started(
        tmp_path, "search", str(archive), *TINY, "--set", "final.steps=400", "--run", "run", "--store", url
    )
    try:
        for more in (1, 12):
            wait_for(lambda known=more: lines(tmp_path / "run") >= known, process)
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        out, err = process.communicate(timeout=120)
    finally:
        end(process)
    assert (process.returncode, err) == (0, "")
    assert "test accuracy" in out


@pytest.mark.parametrize("shared", [False, True])
def test_a_second_process_is_told_of_the_first_and_goes_on_once_that_is_dead(
    new_database: Callable[[], str], archive: Path, tmp_path: Path, here: Here, shared: bool
):
    store = ("--store", new_database()) if shared else ()
    first = started(tmp_path, "search", str(archive), *LONG, *store)
    try:
        wait_for(lambda: lines(tmp_path / "run") > 0, first)
        refused = here("search", str(archive), *LONG, *store)
        assert (refused.code, refused.out) == (2, "")
        assert "amla: Another process is writing '" in refused.err
        assert f"process {first.pid} on " in refused.err
        assert here("show", "run").code == 0
        assert first.poll() is None
    finally:
        end(first)
    second = started(tmp_path, "search", str(archive), *LONG, *store)
    try:
        known = lines(tmp_path / "run")
        wait_for(lambda: lines(tmp_path / "run") > known, second)
        assert second.poll() is None
    finally:
        end(second)


class TestMistakes:
    def test_a_password_is_not_taken_into_the_run_folder(self, archive: Path, here: Here):
        url = "postgresql+psycopg://me:secret@here/amla"
        ended = here("search", str(archive), *TINY, "--run", "run", "--store", url)
        assert (ended.code, ended.out) == (2, "")
        assert "has a password" in ended.err
        assert "secret" not in ended.err
        assert not Path("run").exists()

    @pytest.mark.parametrize("store", ["events.sqlite", "postgresql://[x/y", "sqlite:///x", ""])
    def test_what_is_no_url_of_a_database_is_said_and_leaves_no_folder(self, archive: Path, here: Here, store: str):
        ended = here("search", str(archive), *TINY, "--run", "run", "--store", store)
        assert (ended.code, ended.out) == (2, "")
        assert "URL" in ended.err
        assert not Path("run").exists()

    def test_a_database_that_cannot_be_reached_is_said_and_leaves_no_folder(self, archive: Path, here: Here):
        url = "postgresql+psycopg://me@127.0.0.1:1/amla"
        ended = here("search", str(archive), *TINY, "--run", "run", "--store", url)
        assert (ended.code, ended.out) == (2, "")
        assert "there is no connection to" in ended.err
        assert not Path("run").exists()

    def test_events_stay_where_they_are(self, digits: tuple[Path, object], url: str, tmp_path: Path, here: Here):
        shutil.copytree(digits[0] / "runs", tmp_path / "runs")
        ended = here("search", "digits", *TINY, "--store", url)
        assert (ended.code, ended.out) == (2, "")
        assert f"has its events in {EVENTS}. Leave --store out" in ended.err
        Path("runs/digits", EVENTS).unlink()
        Path("runs/digits", STORE).write_text(f'{{"url": "{url}&x=1", "run": "digits-1"}}')
        ended = here("search", "digits", *TINY, "--store", url)
        assert ended.code == 2
        Path("runs/digits", STORE).write_text("{}")
        ended = here("show", "runs/digits")
        assert ended.code == 2
        assert "does not say where the events are" in ended.err
