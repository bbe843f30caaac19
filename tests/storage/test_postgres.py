"""The event log in PostgreSQL: cut connections lose nothing and write nothing twice, and what is wrong is said."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread

import psycopg
import pytest
from proxies import Proxy, proxy
from sqlalchemy import make_url

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.storage.errors import StoreError
from amla.storage.postgres import Postgres
from amla.storage.records import BRIEF_TRIALS, Records
from amla.storage.tables import VERSION
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal

pytestmark = pytest.mark.xdist_group("postgres")

NODES = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
NETWORK = Architecture((*NODES, Node("logits", ops.Classify(2), ("head",))))
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def ask(budget: int = 10) -> Proposal:
    return Proposal(NETWORK, budget)


def sql(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Return what the last of these statements answers."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for statement in statements:
            found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def cut(url: str) -> Iterator[Proxy]:
    with TemporaryDirectory(prefix="amla-") as folder, proxy(url, Path(folder)) as made:
        yield made


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Postgres, "pauses", (0.01,) * 5)


CUTS = 60  # of connections, at most: on a busy machine an attempt may take longer than from one cut to the next


class TestCutConnections:
    def test_whoever_is_thrown_out_comes_back(self, url):
        with Records(url) as records, Records(url, read_only=True) as reader:
            for count in range(1, 4):
                records.asked("x", ask())
                assert len(reader.history("x")) == count
                assert sql(url, f"SELECT pg_terminate_backend(pid, 5000) {OTHERS}")
            records.told("x", 0, Measurement({}))
            assert len(reader.history("x").done) == 1

    def test_an_event_whose_answer_was_lost_is_written_once(self, url, cut):
        with Records(cut.url) as records:
            for place in range(3):
                cut.answers = 1
                records.asked("x", ask(place))
            cut.answers = 2  # the first for the event, the second for nothing
            records.told("x", 0, Measurement({}))
            records.asked("x", ask(3))
            assert cut.withheld >= 4
        with Records(url) as records:
            history = records.history("x")
            assert [trial.proposal.budget for trial in history.trials] == [0, 1, 2, 3]
            assert len(history.done) == 1

    def test_another_writers_equal_event_is_not_taken_for_ours(self, url, cut):
        """A driver without a lease asks for the very same network while our connection is cut."""
        with Records(cut.url) as ours, Records(url) as theirs:
            ours.history("x")
            ours.asked("y", ask())
            theirs.asked("x", ask())
            sql(url, f"SELECT pg_terminate_backend(pid, 5000) {OTHERS}")
            with pytest.raises(StoreError, match="Another process is writing study 'x'"):
                ours.asked("x", ask())

    @pytest.mark.usefixtures("_hasty")
    def test_one_that_stays_cut_is_told_so_and_can_go_on_later(self, url, cut):
        with Records(cut.url) as records:
            records.asked("x", ask())
            cut.refuses = True
            sql(url, f"SELECT pg_terminate_backend(pid, 5000) {OTHERS}")
            with pytest.raises(
                StoreError,
                match=r"Could not write that trial 0 .*: there is no connection to '.*Nothing that was .* lost",
            ):
                records.told("x", 0, Measurement({}))
            with pytest.raises(StoreError, match="Could not read the records: there is no connection"):
                records.history("x")
            cut.refuses = False
            assert records.history("x").pending == 1
            records.told("x", 0, Measurement({}))
            assert records.history("x").pending == 0

    @pytest.mark.parametrize("seed", range(2))
    def test_whatever_is_cut_the_history_is_the_one_in_memory(self, url, cut, seed):
        chance, known, over = Random(seed), History(), Event()

        def throw_out() -> None:
            for _ in range(CUTS):
                if over.wait(chance.uniform(0, 0.05)):
                    return
                with suppress(psycopg.Error):
                    sql(url, f"SELECT pg_terminate_backend(pid) {OTHERS}")

        thread = Thread(target=throw_out)
        with Records(cut.url) as records, records.lease("x"):
            thread.start()
            try:
                for place in range(25):
                    cut.answers = chance.choice((0, 0, 1))
                    outcome: Outcome = Failure("crashed", f"trial {place}")
                    records.asked("x", ask(place))
                    known = known.asked(ask(place))
                    if chance.random() < 0.7:
                        records.told("x", place, outcome)
                        known = known.told(place, outcome)
            finally:
                over.set()
                thread.join()
            cut.answers = 0
        with Records(url, read_only=True) as records:
            assert records.history("x") == known


class TestFlushing:
    def test_is_left_to_the_server_after_many_brief_trials(self, url):
        with Records(url) as records:
            for place in range(BRIEF_TRIALS + 1):
                records.asked("x", Proposal(NETWORK, 10, keep=False))
                records.told("x", place, Measurement({}))
            assert self.waits(records) == "off"
            records.asked("x", ask())
            records.told("x", place + 1, Measurement({}, seconds=1))
            assert self.waits(records) == "on"

    def waits(self, records: Records) -> str:
        assert records._writer
        return str(records._writer.exec_driver_sql("SHOW synchronous_commit").scalar_one())


class TestPlaces:
    def test_many_studies_share_a_database(self, url):
        with Records(url) as one, Records(url) as other:
            for _ in range(3):
                one.asked("b/search", ask())
                other.asked("A/search", ask())
            assert one.studies() == other.studies() == ["A/search", "b/search"]

    def test_a_schema_is_a_place_of_its_own(self, url):
        sql(url, "CREATE SCHEMA aside")
        aside = f"{url}&options=-csearch_path%3Daside"
        with Records(url) as records, Records(aside) as other:
            records.asked("x", ask())
            assert other.studies() == []
            other.asked("y", ask())
        assert sql(url, "SELECT study FROM aside.event") == [("y",)]

    def test_those_who_open_it_at_once_all_can(self, url):
        script = (
            "import sys; from test_postgres import *\n"
            "with Records(sys.argv[1]) as records: records.asked(sys.argv[2], ask())\n"
        )
        started = [
            subprocess.Popen([sys.executable, "-c", script, url, name], cwd=Path(__file__).parent) for name in "abc"
        ]
        assert [process.wait(60) for process in started] == [0, 0, 0]
        with Records(url, read_only=True) as records:
            assert records.studies() == ["a", "b", "c"]

    def test_a_reader_writes_nothing_and_makes_nothing(self, url):
        with Records(url, read_only=True) as reader:
            assert reader.studies() == reader.leases() == []
            assert len(reader.history("x")) == 0
            with pytest.raises((OSError, StoreError)):
                reader.asked("x", ask())
        assert sql(url, "SELECT count(*) FROM pg_tables WHERE tablename = 'event'") == [(0,)]
        Records(url).close()
        with Records(url, read_only=True) as reader, pytest.raises(PermissionError, match="could not write that trial"):
            reader.asked("x", ask())

    def test_a_database_of_another_program(self, url):
        sql(url, "CREATE TABLE event (x int)")
        for read_only in (False, True):
            with pytest.raises(StoreError, match=r"tables of another program .* Name another database"):
                Records(url, read_only=read_only)

    def test_a_newer_schema(self, url):
        Records(url).close()
        sql(url, f"UPDATE amla_version SET version_num = '{VERSION + 1}'")  # noqa: S608
        for read_only in (False, True):
            with pytest.raises(StoreError, match=rf"newer amla \(version {VERSION + 1} .* Update amla"):
                Records(url, read_only=read_only)


class TestAddresses:
    def test_a_server_that_is_not_there(self):
        with pytest.raises(StoreError, match=r"open the records: there is no connection to 'postgresql\+psycopg://me@"):
            Records("postgresql://me:secret@127.0.0.1:1/x?connect_timeout=2")

    def test_a_database_that_is_not_there(self, url):
        with pytest.raises(StoreError, match='database "nothing" does not exist'):
            Records(make_url(url).set(database="nothing").render_as_string(hide_password=False))

    def test_no_message_has_a_password(self):
        for url in ("postgresql://me:secret@127.0.0.1:1/x", "postgresql://me@127.0.0.1:1/x?password=secret"):
            with pytest.raises(StoreError) as raised:
                Records(url)
            assert "secret" not in str(raised.value)

    @pytest.mark.parametrize(
        "url", ["mysql://me@here/x", "postgresql+psycopg2://me@here/x", "postgresql://me@here:x/x"]
    )
    def test_one_of_no_known_kind(self, url):
        with pytest.raises(StoreError, match=r"postgresql\+psycopg://"):
            Records(url)
