"""Of several drivers of a study one writes: who it is, is said; who is dead or silent is replaced, and stays out."""

import os
import platform
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic, sleep, time

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.storage.errors import StoreError
from amla.storage.lease import RENEWALS
from amla.storage.records import Records
from amla.storage.replay import proposals
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal

pytestmark = pytest.mark.xdist_group("postgres")

NODES = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
NETWORK = Architecture((*NODES, Node("logits", ops.Classify(2), ("head",))))
ASK = Proposal(NETWORK, 10)
STEPS = "write", "take", "expire", "release"
DRIVER = (  # holds a lease, writes an event whenever it is told to, and says how that went
    "import sys; from test_lease import *\n"
    "with Records(sys.argv[1]) as records, records.lease('x', seconds=float(sys.argv[2])):\n"
    "    print('holds', flush=True)\n"
    "    for line in sys.stdin:\n"
    "        try: records.asked('x', ASK); print('written', flush=True)\n"
    "        except StoreError as error: print(error, flush=True)\n"
)


class Driver:
    """A process that holds the lease of study 'x'."""

    def __init__(self, where: str, seconds: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, where, str(seconds)],
            cwd=Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.says() == "holds"

    def says(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().rstrip()

    def asks(self) -> str:
        assert self.process.stdin
        print(file=self.process.stdin, flush=True)
        return self.says()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "events.sqlite") if request.param == "sqlite" else request.getfixturevalue("new_database")()


@pytest.fixture
def driver(where: str) -> Iterator[Callable[[float], Driver]]:
    begun: list[Driver] = []

    def begin(seconds: float) -> Driver:
        begun.append(Driver(where, seconds))
        return begun[-1]

    yield begin
    for each in begun:
        each.end()


class TestTwoDrivers:
    def test_the_second_is_told_who_the_first_is_and_until_when(self, where):
        with Records(where) as one, Records(where) as other, one.lease("x", "y"):
            one.asked("x", ASK)
            told = (
                rf"Another process is writing 'x' in '.*': process {os.getpid()} on '{platform.node()}', since .* UTC; "
                r"its lease lasts until .* UTC unless it is renewed\. Let that process finish, or end it"
            )
            with pytest.raises(StoreError, match=told), other.lease("x"):
                pass
            with pytest.raises(StoreError, match=r"has no lease of study 'x' .* being written by process"):
                other.asked("x", ASK)
            one.asked("x", ASK)
            assert len(other.history("x")) == 2

    def test_all_or_none_of_the_studies_are_leased(self, where):
        with Records(where) as one, Records(where) as other, one.lease("y"):
            with pytest.raises(StoreError, match="Another process is writing 'y'"), other.lease("x", "y", "z"):
                pass
            assert [found.study for found in other.leases()] == ["y"]
            with other.lease("x", "z"):
                assert [found.study for found in one.leases()] == ["x", "y", "z"]

    def test_one_after_the_other_both_write(self, where):
        with Records(where) as one, Records(where) as other:
            for count in range(1, 4):
                with one.lease("x"):
                    one.asked("x", ASK)
                with other.lease("x"):
                    other.told("x", count - 1, Measurement({}))
            assert len(one.history("x").done) == 3
            assert one.leases() == []

    def test_who_failed_gives_the_lease_back(self, where):
        with Records(where) as records:
            with pytest.raises(ZeroDivisionError), records.lease("x"):
                raise ZeroDivisionError
            assert records.leases() == []

    def test_reading_needs_none(self, where, driver):
        assert driver(60).asks() == "written"
        with Records(where, read_only=True) as reader:
            assert len(reader.history("x")) == 1
            assert [found.pid for found in reader.leases()] != [os.getpid()]


class TestTakeover:
    def test_the_lease_of_a_process_that_was_killed_here_is_free_at_once(self, where, driver):
        first = driver(3600)
        assert first.asks() == "written"
        first.end()
        began = monotonic()
        with Records(where) as records, records.lease("x"):
            assert monotonic() - began < 5
            records.asked("x", ASK)
            assert len(records.history("x")) == 2

    def test_the_lease_of_a_process_elsewhere_must_run_out(self, where):
        with Records(where) as records:
            leave(records, where, seconds=3600)
            with pytest.raises(StoreError, match=r"process 7 on 'elsewhere', since .* if its machine has died"):
                records.lease("x").__enter__()
            leave(records, where, seconds=-1)
            with records.lease("x"):
                records.asked("x", ASK)

    def test_who_was_suspended_too_long_can_write_nothing_when_it_comes_back(self, where, driver):
        first = driver(0.4)
        assert first.asks() == "written"
        os.kill(first.process.pid, signal.SIGSTOP)
        with Records(where) as records:
            wait_until_free(records)
            with records.lease("x"):
                records.told("x", 0, Measurement({}))
                os.kill(first.process.pid, signal.SIGCONT)
                assert "This process has lost the lease of study 'x'" in first.asks()
                assert f"Now it is held by process {os.getpid()}" in first.asks()
            assert "Now it is held by nobody any more" in first.asks()
            assert len(records.history("x")) == 1

    def test_who_was_suspended_and_not_replaced_goes_on(self, where, driver):
        first = driver(0.4)
        os.kill(first.process.pid, signal.SIGSTOP)
        with Records(where, read_only=True) as reader:
            while time() < reader.leases()[0].until:
                sleep(0.05)
            os.kill(first.process.pid, signal.SIGCONT)
            assert first.asks() == "written"
            assert len(reader.history("x")) == 1


def test_a_takeover_waits_for_a_write_under_way_and_sees_it(new_database):
    """Only then can no event of the former holder come between those that the successor reads and those it writes."""
    url = new_database()
    with Records(url) as one, Records(url) as other, one.lease("x", seconds=3600):
        plain = psycopg.connect(url.replace("+psycopg", ""))
        row = {"study": "x", "sequence": 0, "kind": "asked", "trial": 0, "at": 0.0, "token": one._tokens["x"]}
        plain.execute("UPDATE lease SET until = 0")
        plain.commit()
        plain.execute(one._appending._leased.encode(), {**row, "body": proposals.dump_json(ASK).decode()})
        taken: list[int] = []

        def take() -> None:
            with other.lease("x"):
                taken.append(len(other.history("x")))

        thread = Thread(target=take)
        thread.start()
        sleep(0.3)
        assert not taken
        plain.commit()
        plain.close()
        thread.join()
        assert taken == [1]


def test_a_lease_is_renewed_while_it_is_held(where):
    with Records(where) as records, records.lease("x", seconds=0.4):
        (first,) = records.leases()
        deadline = monotonic() + 10
        while records.leases()[0].until < first.until + 0.4 and monotonic() < deadline:
            sleep(0.4 / RENEWALS)
        (later,) = records.leases()
        assert later.until > first.until
        assert (later.token, later.since) == (first.token, first.since)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.sampled_from(["write", "take", "expire", "release"]), st.integers(0, 2)), max_size=15)
)
def test_whoever_does_what_the_log_is_that_of_the_holders(tmp_path_factory, steps):
    """Three drivers write, take leases, lose them and give them back; the log holds what their holders wrote."""
    path = tmp_path_factory.mktemp("log") / "events.sqlite"
    known, holder = History(), None
    with Records(path) as a, Records(path) as b, Records(path) as c:
        drivers, leases = (a, b, c), {}
        for what, who in steps:
            if what == "take" and who not in leases:
                lease = drivers[who].lease("x")
                if holder is None:
                    lease.__enter__()
                    leases[who], holder = lease, who
                else:
                    with pytest.raises(StoreError, match="Another process is writing"):
                        lease.__enter__()
            elif what == "write":
                proposal = Proposal(NETWORK, len(known))
                if who == holder:
                    drivers[who].asked("x", proposal)
                    known = known.asked(proposal)
                elif who in leases or holder is not None:
                    with pytest.raises(StoreError, match=r"has lost the lease|has no lease"):
                        drivers[who].asked("x", proposal)
            elif what == "expire" and holder is not None:
                plain = sqlite3.connect(path, isolation_level=None)
                plain.execute("UPDATE lease SET token = 'another', until = 0")
                plain.close()
                holder = None
            elif what == "release" and who in leases:
                leases.pop(who).__exit__(None, None, None)
                holder = None if who == holder else holder
        for lease in leases.values():
            lease.__exit__(None, None, None)
        assert a.history("x") == known


def leave(records: Records, where: str, seconds: float) -> None:
    """Leave a lease of study 'x' as a process of another machine would."""
    row = {
        "token": "t",
        "host": "elsewhere",
        "pid": 7,
        "process": "boot/ns 7",
        "since": time(),
        "until": time() + seconds,
    }
    with records._database.exclusive() as connection:
        connection.exec_driver_sql("DELETE FROM lease")
        names, given = ", ".join(row), ", ".join(repr(value) for value in row.values())
        connection.exec_driver_sql(f"INSERT INTO lease (study, {names}) VALUES ('x', {given})")  # noqa: S608


def wait_until_free(records: Records) -> None:
    deadline = monotonic() + 10
    while records.leases()[0].until > time() and monotonic() < deadline:
        sleep(0.05)
