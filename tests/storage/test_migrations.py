"""A log of an older version is brought up to date without loss, whoever opens it, or stays as it was."""

import sqlite3
from collections.abc import Callable
from math import isnan
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError

from amla.storage import migrations, schema
from amla.storage.database import Database, database
from amla.storage.errors import StoreError
from amla.storage.records import Records
from amla.storage.tables import VERSION, VERSION_TABLE, metadata, version
from amla.trials.history import History
from amla.trials.trial import Cost, Failure

OLD = Path(__file__).parent / "version_1.sql"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file of version 1."""
    path = tmp_path / "events.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(OLD.read_text(encoding="utf-8"))
    connection.close()
    return path


def check_whole(search: History, final: History) -> None:
    """Check that all is there that was written into version 1."""
    first, second = search.trials
    assert (first.proposal.budget, first.proposal.probes) == (10, {"msss": ("head",)})
    assert first.measurement.metrics["accuracy"] == 0.5
    assert isnan(first.measurement.metrics["loss"])
    assert first.measurement.statistics == {"msss": {"head": 0.25}}
    assert first.measurement.cost == Cost("cpu", 1e9)
    assert (second.proposal.start, second.proposal.horizon, second.proposal.seed) == (0, 40, 7)
    assert second.outcome == Failure("crashed", "it's over", 0.5)
    assert [trial.proposal.budget for trial in final.running] == [30]


def test_the_last_revision_is_the_version_of_the_tables():
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert script.get_heads() == [str(VERSION)]


class TestVersion1:
    def test_a_writer_brings_it_up_to_date_and_loses_nothing(self, old: Path):
        for _ in range(2):  # and the second time there is nothing to do
            with Records(old) as records, records.lease("final"):
                check_whole(records.history("search"), records.history("final"))
        with Records(old) as records, records.lease("final"):
            records.told("final", 0, Failure("crashed", ""))
        plain = sqlite3.connect(old)
        assert plain.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert plain.execute(f"SELECT * FROM {VERSION_TABLE}").fetchall() == [(str(VERSION),)]  # noqa: S608
        assert plain.execute("SELECT count(*) FROM event").fetchone() == (6,)
        plain.close()

    def test_a_reader_reads_it_and_leaves_it_as_it_is(self, old: Path):
        before = old.read_bytes()
        with Records(old, read_only=True) as records:
            check_whole(records.history("search"), records.history("final"))
            assert records.leases() == []
        assert old.read_bytes() == before
        assert [path.name for path in old.parent.iterdir()] == [old.name]

    def test_of_writers_who_come_at_once_one_does_it(self, old: Path):
        failed: list[Exception] = []

        def open_it() -> None:
            try:
                Records(old).close()
            except Exception as error:
                failed.append(error)

        threads = [Thread(target=open_it) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        with Records(old, read_only=True) as records:
            check_whole(records.history("search"), records.history("final"))

    def test_one_that_is_cut_off_meanwhile_stays_as_it_was(self, old: Path, monkeypatch: pytest.MonkeyPatch):
        def half(connection: object) -> None:
            connection.exec_driver_sql("CREATE TABLE lease (study TEXT)")
            raise OperationalError("CREATE TABLE", {}, sqlite3.OperationalError("disk I/O error"))

        monkeypatch.setattr(migrations, "upgrade", half)
        with pytest.raises((StoreError, OSError), match=r"(?i)could not open the records"):
            Records(old)
        monkeypatch.undo()
        plain = sqlite3.connect(old)
        assert plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("event",)]
        plain.close()
        with Records(old) as records:
            check_whole(records.history("search"), records.history("final"))


class TestTables:
    """What all revisions make is what a new database gets at once."""

    def test_in_sqlite(self, tmp_path: Path):
        shapes = []
        for name, make in (("new", schema.prepare), ("grown", grow)):
            make(database(tmp_path / name, read_only=False))
            plain = sqlite3.connect(tmp_path / name)
            shapes.append({table: plain.execute(f"PRAGMA table_info({table})").fetchall() for table in metadata.tables})
            shapes[-1]["indices"] = plain.execute("PRAGMA index_info(event_of_trial)").fetchall()
            plain.close()
        assert shapes[0] == shapes[1]
        assert all(shapes[0].values())

    @pytest.mark.xdist_group("postgres")
    def test_in_postgresql(self, new_database: Callable[[], str]):
        grown = database(new_database(), read_only=False)
        grow(grown)
        with grown.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
            )
            assert compare_metadata(context, metadata) == []
        grown.engine.dispose()


def grow(empty: Database) -> None:
    """Make tables by every revision, one after another."""
    with empty.exclusive() as connection:
        version.create(connection)
        migrations.upgrade(connection)
        empty.mark(connection)
    empty.engine.dispose()
