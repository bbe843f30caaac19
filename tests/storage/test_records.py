"""The event log: what is written is read, by one writer at a time, and what is wrong is said."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.storage.errors import StoreError
from amla.storage.records import BRIEF_TRIALS, Records
from amla.storage.sqlite import APPLICATION
from amla.storage.tables import VERSION
from amla.trials.history import History
from amla.trials.trial import Cost, Failure, Measurement, Outcome, Proposal

NODES = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
NETWORK = Architecture((*NODES, Node("logits", ops.Classify(2), ("head",))))

numbers = st.floats(allow_nan=False)
tables = st.dictionaries(st.text(st.characters(codec="utf-8")), numbers, max_size=3)
costs = st.none() | st.builds(Cost, st.just("cpu"), st.floats(0, 1e300))
measurements = st.builds(Measurement, tables, st.dictionaries(st.text("abc/"), tables, max_size=2), numbers, costs)
failures = st.builds(Failure, st.sampled_from(["crashed", "timeout"]), st.text(st.characters(codec="utf-8")))
outcomes: st.SearchStrategy[Outcome] = measurements | failures
proposals = st.builds(
    Proposal,
    st.just(NETWORK),
    st.integers(0, 10**6),
    start=st.none() | st.just(0),
    probes=st.dictionaries(st.text("abc"), st.sampled_from([(), ("head",), ("image", "head")]), max_size=2),
    seed=st.integers(0, 2**31),
    keep=st.booleans(),
)


def ask(budget: int = 10) -> Proposal:
    return Proposal(NETWORK, budget)


def plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_sequence_of_events_reads_as_the_history_in_memory(data):
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        path, known = Path(folder) / "events.sqlite", {"one": History(), "two": History()}
        records = opened.enter_context(Records(path, durable=False))
        for step in data.draw(st.lists(st.sampled_from(["ask", "ask", "tell", "tell", "open"]), max_size=12)):
            name = data.draw(st.sampled_from(sorted(known)))
            if step == "open":
                records.close()
                records = opened.enter_context(Records(path, durable=False))
            elif step == "ask":
                proposal = data.draw(
                    proposals if len(known[name]) else proposals.filter(lambda proposal: proposal.start is None)
                )
                records.asked(name, proposal)
                known[name] = known[name].asked(proposal)
            elif known[name].pending:
                trial = data.draw(st.sampled_from(known[name].running))
                outcome = data.draw(outcomes)
                records.told(name, trial.id, outcome)
                known[name] = known[name].told(trial.id, outcome)
        reader = opened.enter_context(Records(path, read_only=True))
        for name, history in known.items():
            assert records.history(name) == reader.history(name) == history
        assert records.studies() == [name for name, history in sorted(known.items()) if len(history)]


def test_a_start_that_is_no_trial_writes_nothing(path):
    with Records(path) as records:
        with pytest.raises(ValueError, match="starts from 3, which is no trial"):
            records.asked("one", Proposal(NETWORK, 10, start=3))
        assert records.history("one") == History()


def test_telling_what_does_not_run_writes_nothing(path):
    with Records(path) as records:
        records.asked("x", ask())
        records.told("x", 0, Failure("crashed", "first"))
        before = records.history("x")
        for trial_id in (0, 1, -1):
            with pytest.raises(ValueError, match=r"already been told|never asked for"):
                records.told("x", trial_id, Failure("crashed", "second"))
        assert records.history("x") == before
        records.asked("x", ask())  # and the next event has the right number
        assert len(records.history("x")) == 2


def test_folders_on_the_way_are_made(tmp_path):
    with Records(tmp_path / "runs" / "a b?#%" / "events.sqlite") as records:
        records.asked("x", ask())
    with Records(tmp_path / "runs" / "a b?#%" / "events.sqlite", read_only=True) as records:
        assert records.studies() == ["x"]


class TestWriters:
    def test_of_two_writers_of_a_study_one_loses(self, path):
        with Records(path) as one, Records(path) as other:
            one.asked("x", ask())
            assert len(one.history("x")) == len(other.history("x")) == 1
            other.told("x", 0, Measurement({}))
            for _ in range(2):  # and goes on losing
                with pytest.raises(StoreError, match=r"Another process is writing study 'x' .* let the other process"):
                    one.told("x", 0, Measurement({}))
                with pytest.raises(StoreError, match="Another process"):
                    one.asked("x", ask())
            assert len(one.history("x").done) == 1
            one.asked("x", ask())

    def test_two_writers_of_two_studies_both_write(self, path):
        with Records(path) as one, Records(path) as other:
            for _ in range(20):
                one.asked("x", ask())
                other.asked("y", ask())
            assert len(one.history("y")) == len(other.history("x")) == 20

    def test_processes_that_begin_at_once(self, path):
        """All make the same file, each writes a study of its own, and all race for one that they share."""
        script = (
            "import sys; from pathlib import Path; from test_records import *\n"
            "name, path = sys.argv[1], Path(sys.argv[2])\n"
            "sys.stdin.read()\n"  # until all are here
            "with Records(path) as records:\n"
            "    for _ in range(50): records.asked(name, ask())\n"
            "    records.history('shared')\n"
            "    try:\n"
            "        for _ in range(50): records.asked('shared', ask())\n"
            "        print('won')\n"
            "    except StoreError as error: print(error)\n"
        )
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        started = [
            subprocess.Popen(
                [sys.executable, "-c", script, name, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=paths,
            )
            for name in "abc"
        ]
        for process in started:
            assert process.stdin
            process.stdin.close()
        said = []
        for process in started:
            with process:
                assert process.stdout
                said.append(process.stdout.read())
        assert [process.returncode for process in started] == [0, 0, 0]
        assert all(words == "won\n" or "Another process is writing study 'shared'" in words for words in said)
        with Records(path) as records:
            assert [len(records.history(name)) for name in "abc"] == [50, 50, 50]
            assert len(records.history("shared")) >= 50 * said.count("won\n")

    def test_waiting_for_a_lock_ends(self, path, monkeypatch):
        monkeypatch.setattr("amla.storage.sqlite.BUSY_SECONDS", 0.05)
        with Records(path) as records:
            holder = plain(path)
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(
                StoreError, match=r"Could not write that trial 0 of study 'x' was asked: another process"
            ):
                records.asked("x", ask())
            holder.close()
            records.asked("x", ask())
            assert len(records.history("x")) == 1


class TestPowerFailures:
    """The disk has got some blocks of the write-ahead log and not others, whenever nothing flushed it."""

    @pytest.mark.parametrize("seed", range(20))
    def test_what_one_takes_is_the_end_of_the_log(self, path, tmp_path, seed):
        chance = Random(seed)
        with Records(path, durable=False) as records:
            for place in range(20):
                records.asked("x", ask(budget=place))
                records.told("x", place, Measurement({"accuracy": place / 20}))
            whole = records.history("x")
            left = tmp_path / "left"
            left.mkdir()
            (left / path.name).write_bytes(path.read_bytes())
            log = bytearray(path.with_name(f"{path.name}-wal").read_bytes())
        blocks = range(1, len(log) // 4096)
        for block in chance.sample(blocks, chance.randint(1, 3)):
            log[block * 4096 : (block + 1) * 4096] = bytes(4096)
        (left / f"{path.name}-wal").write_bytes(log)
        with Records(left / path.name) as records:
            history = records.history("x")
            assert len(history) < 20
            assert list(history.done) == list(whole.done[: len(history.done)])
            assert len(history) - len(history.done) in (0, 1)
            if history.pending:
                records.told("x", len(history) - 1, whole[len(history) - 1].measurement)
            for place in range(len(history), 20):
                records.asked("x", ask(budget=place))
                records.told("x", place, whole[place].measurement)
            assert records.history("x") == whole

    def test_none_takes_an_event_of_a_trial_that_took_time(self, path):
        with Records(path) as records:
            assert all(self.flushed(records, Measurement({}, seconds=1)) for _ in range(2 * BRIEF_TRIALS))

    def test_none_takes_an_event_of_a_trial_whose_weights_are_stored(self, path):
        with Records(path) as records:
            assert all(self.flushed(records, Measurement({}), keep=True) for _ in range(2 * BRIEF_TRIALS))

    def test_one_may_take_the_newest_of_many_brief_trials(self, path):
        brief, failed, long = Measurement({}), Failure("infeasible", ""), Measurement({}, seconds=1)
        with Records(path) as records:
            flushed = [self.flushed(records, failed if place % 2 else brief) for place in range(BRIEF_TRIALS + 1)]
            assert flushed == [*[True] * (BRIEF_TRIALS - 1), False, False]
            assert self.flushed(records, long)
            assert self.flushed(records, brief)
        with Records(path) as records:
            assert self.flushed(records, brief)

    def test_those_who_do_not_care_flush_nothing(self, path):
        with Records(path, durable=False) as records:
            assert not any(self.flushed(records, Measurement({}, seconds=1), keep=True) for _ in range(3))

    def flushed(self, records: Records, outcome: Outcome, keep: bool = False) -> bool:
        """Have a trial asked and told; return whether both events are on the disk."""
        place = records._state("x").asked
        records.asked("x", Proposal(NETWORK, 10, keep=keep))
        records.told("x", place, outcome)
        assert records._writer
        return records._writer.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # a flush is one of all before


class TestReaders:
    def test_one_sees_what_is_written_while_it_looks(self, path):
        with Records(path) as records, Records(path, read_only=True) as reader:
            for count in range(1, 10):
                records.asked("x", ask())
                assert len(reader.history("x")) == count
            records.close()
            assert len(reader.history("x")) == 9
            records.asked("x", ask())
            assert len(reader.history("x")) == 10

    def test_one_of_a_study_at_rest_leaves_no_trace(self, path):
        with Records(path) as records:
            records.asked("x", ask())
        before = {entry.name: entry.stat().st_mtime_ns for entry in path.parent.iterdir()}
        with Records(path, read_only=True) as reader:
            assert len(reader.history("x")) == 1
            assert {entry.name for entry in path.parent.iterdir()} == {path.name}
        assert {entry.name: entry.stat().st_mtime_ns for entry in path.parent.iterdir()} == before

    def test_one_cannot_write(self, path):
        Records(path).close()
        with Records(path, read_only=True) as reader, pytest.raises((OSError, StoreError)):
            reader.asked("x", ask())

    def test_one_reads_what_a_killed_writer_left(self, path):
        script = "import os, sys; from test_records import *; Records(Path(sys.argv[1])).asked('x', ask()); os._exit(9)"
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        assert subprocess.run([sys.executable, "-c", script, path], env=paths, check=False).returncode == 9
        assert path.with_name(f"{path.name}-wal").exists()
        with Records(path, read_only=True) as reader:
            assert len(reader.history("x")) == 1

    def test_there_must_be_something_to_read(self, path):
        with pytest.raises(FileNotFoundError, match="There are no records"):
            Records(path, read_only=True)
        path.touch()  # a writer that has not got further yet
        with Records(path, read_only=True) as reader:
            assert reader.studies() == []
            assert len(reader.history("x")) == 0


class TestDamage:
    def test_a_file_of_something_else(self, path):
        path.write_text("accuracy,loss\n" * 100)
        for read_only in (False, True):
            with pytest.raises(
                StoreError, match=r"events\.sqlite' is damaged, or is no SQLite database.* Name another"
            ):
                Records(path, read_only=read_only)
        assert path.read_text().startswith("accuracy")

    def test_a_database_of_another_program(self, path):
        other = plain(path)
        other.execute("CREATE TABLE event (x)")
        other.close()
        before = path.read_bytes()
        for read_only in (False, True):
            with pytest.raises(StoreError, match="another program"):
                Records(path, read_only=read_only)
        assert path.read_bytes() == before

    def test_a_newer_schema(self, path):
        Records(path).close()
        newer = plain(path)
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
        newer.close()
        for read_only in (False, True):
            with pytest.raises(StoreError, match=rf"newer amla \(version {VERSION + 1} .* Update amla"):
                Records(path, read_only=read_only)

    def test_the_header_tells_whose_it_is(self, path):
        Records(path).close()
        mine = plain(path)
        assert mine.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        mine.close()

    def test_a_torn_file(self, path):
        with Records(path) as records:
            for _ in range(200):
                records.asked("x", ask())
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(StoreError, match="damaged"), Records(path, read_only=True) as reader:
            reader.history("x")

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE event SET body = '{}' WHERE sequence = 1",
            "UPDATE event SET trial = 7 WHERE sequence = 1",
            "DELETE FROM event WHERE sequence = 0",
            "DELETE FROM event WHERE sequence = 1",
        ],
    )
    def test_an_altered_event(self, path, damage):
        with Records(path) as records:
            for _ in range(3):
                records.asked("x", ask())
            records.told("x", 1, Measurement({}))
            vandal = plain(path)
            vandal.execute(damage)
            vandal.close()
            with pytest.raises(
                StoreError, match=r"of study 'x' in '.*events\.sqlite' .* is damaged: (?s:.*) Put a copy"
            ):
                records.history("x")


def test_the_command_line_starts_without_sql():
    script = "import sys, amla.cli, amla.storage.errors; sys.exit('sqlalchemy' in sys.modules)"
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=paths, check=False).returncode == 0
