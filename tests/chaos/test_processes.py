"""Processes are found by their mark, whatever becomes of their parents; killed, and kept from writing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from amla.chaos.processes import MARK, Process, marked, wait_for_end

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

PARENT = """
import subprocess, sys
wait = "import sys; sys.stdin.read()"
child = subprocess.Popen(  # without the mark
    [sys.executable, "-c", wait, "amla.execution." + "worker"], start_new_session=True, stdin=subprocess.PIPE, env={}
)
print(child.pid, flush=True)
for line in sys.stdin:
    try:
        with open(line.strip(), "w") as file:
            file.write("x")
        print("written", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


@pytest.fixture
def mark() -> str:
    return token_hex(8)


@pytest.fixture
def parent(mark: str) -> Iterator["subprocess.Popen[str]"]:
    """Yield a process with the mark that has a child without it, in a session of its own."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PARENT], env={MARK: mark}, **pipes) as process:
        yield process
        process.kill()


def test_a_family_is_found_and_told_apart(parent: "subprocess.Popen[str]", mark: str):
    assert parent.stdout
    child = int(parent.stdout.readline())
    family = marked(mark)
    assert {each.pid: each.is_worker for each in family} == {parent.pid: False, child: True}
    assert marked("another") == set()
    parent.kill()
    parent.wait()
    assert wait_for_end(family, 20) == set()  # the child's pipe has ended


def test_one_that_is_killed_lives_no_more(parent: "subprocess.Popen[str]", mark: str):
    assert parent.stdout
    child = int(parent.stdout.readline())
    family = marked(mark)
    (worker,) = (each for each in family if each.is_worker)
    assert worker.pid == child
    assert worker.kill()
    assert wait_for_end([worker], 20) == set()  # though nobody has waited for it
    assert not worker.kill()
    assert wait_for_end(family, 0.0) == {each for each in family if each != worker}
    assert wait_for_end(family, 0.0, most=1) == {each for each in family if each != worker}


def test_a_number_that_was_given_again_is_another_process():
    another = Process(os.getpid(), 0)
    assert not another.lives
    assert not another.kill()


def test_a_starved_process_can_write_to_pipes_alone(parent: "subprocess.Popen[str]", mark: str, tmp_path: Path):
    assert parent.stdin
    assert parent.stdout
    parent.stdout.readline()
    for process in marked(mark):
        process.starve()
    parent.stdin.write(f"{tmp_path / 'file'}\n")
    parent.stdin.flush()
    assert "too large" in parent.stdout.readline()
