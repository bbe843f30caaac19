"""A search whose trials run in worker processes: end to end, and when one of them or all are killed."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from terminal import TINY, Here, apart, end, lines, started, wait_for

from amla.storage.files import Files
from amla.study.arrangement import recorded
from amla.study.folder import read

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

RANDOM = ("--algorithm", "random", "--workers", "2", "--set", "algorithm.trials=3", *TINY[4:])
SHORT = ("--set", "algorithm.steps=3", *RANDOM)
SLOW = ("--set", "algorithm.steps=100", *RANDOM)
LONG = ("--set", "algorithm.steps=100000", *RANDOM)


def workers_of(parent: int) -> list[int]:
    """Return the ids of the processes that a process has started."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            status = (place / "stat").read_text() if place.name.isdigit() else ""
        except OSError:  # it has just ended
            continue
        if status and int(status.rpartition(")")[2].split()[1]) == parent:
            found.append(int(place.name))
    return sorted(found)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_it_works_from_end_to_end(tmp_path: Path, archive: Path):
    ended = apart(tmp_path, "search", str(archive), *SHORT)
    assert (ended.code, ended.err) == (0, "")
    assert ended.accuracy
    run = read(tmp_path / "runs" / "shapes")
    assert [len(run.search.done), len(run.final.done)] == [3, 2]
    assert {path.name for path in (run.folder / "logs").iterdir()} == {"worker-1.log", "worker-2.log"}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core leaves no choice")
def test_how_many_there_are_is_measured_once(tmp_path: Path, archive: Path, here: Here):
    auto = ("search", str(archive), "--workers", "auto", *(word for word in SHORT if word not in ("--workers", "2")))
    first = here(*auto)
    assert (first.code, first.err) == (0, "")
    assert re.search(r"^timing a training step, .*: (\d × 1, )+1 × 1$", first.out, re.MULTILINE)
    assert re.search(r"^(searching with \d workers × 1 thread|training with 1 thread): \d", first.out, re.MULTILINE)
    arranged = recorded(Files(tmp_path / "runs" / "shapes"))
    assert arranged
    assert all(timing.steps for timing in arranged.timings)
    assert not list((tmp_path / "runs" / "shapes").rglob("timing*"))
    second = here(*auto, "--run", "again")
    assert "timing" not in second.out
    again = recorded(Files(tmp_path / "again"))
    assert again
    assert (again.search, again.final, again.timings) == (arranged.search, arranged.final, arranged.timings)


def test_a_worker_that_somebody_kills_costs_no_trial(tmp_path: Path, archive: Path):
    run = tmp_path / "runs" / "shapes"
    process = started(tmp_path, "search", str(archive), *SLOW)
    try:
        wait_for(lambda: all((run / "curves" / "search" / f"{trial}.jsonl").exists() for trial in (0, 1)), process)
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=100)
    finally:
        end(process)
    assert (process.returncode, err) == (0, "")
    assert "failed" not in out
    history = read(run).search
    assert (len(history.failed), len(history.done)) == (0, 3)
    assert [line.step for line in read(run).curves()["search/0"]] == list(range(10, 101, 10))  # none twice


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_command(number: signal.Signals, tmp_path: Path, archive: Path):
    run = tmp_path / "runs" / "shapes"
    process = started(tmp_path, "search", str(archive), *LONG)
    try:
        wait_for(lambda: lines(run) > 3, process)
        workers = workers_of(process.pid)
        assert len(workers) == 2
        process.send_signal(number)
        _, err = process.communicate(timeout=100)
    finally:
        end(process)
    wait_for(lambda: not any(map(is_alive, workers)))
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert err == "\namla: cut off. Start the same command again to go on.\n"
    assert read(run).search.pending == 2
    first = json.loads((run / "curves" / "search" / "0.jsonl").read_text().splitlines()[0])
    assert first["trial"] == 0
