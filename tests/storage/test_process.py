"""A process is called by what no other one is called, so that a dead one is not taken for one that lives."""

import os
import subprocess
import sys

from amla.storage import process
from amla.storage.process import UNKNOWN, identity, is_gone

SLEEPER = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_this_process_is_called_the_same_each_time_and_lives():
    mine = identity(os.getpid())
    assert mine != UNKNOWN
    assert identity(os.getpid()) == mine
    assert not is_gone(os.getpid(), mine)


def test_one_that_has_ended_is_gone_though_nobody_has_asked_how():
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as child:
        called = identity(child.pid)
        assert called not in (UNKNOWN, identity(os.getpid()))
        assert not is_gone(child.pid, called)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        assert is_gone(child.pid, called)
    assert is_gone(child.pid, called)
    assert identity(child.pid) == UNKNOWN


def test_another_one_with_the_number_of_the_dead_does_not_hide_it():
    machine, _, ticks = identity(os.getpid()).rpartition(" ")
    assert is_gone(os.getpid(), f"{machine} {int(ticks) - 1}")


def test_nothing_is_known_of_other_machines():
    for called in ("", "another-boot/pid:[4026531836] 77", "another-machine/0 Sun Nov 29 08:00:00 2026"):
        assert not is_gone(2**22 + 1, called)


def test_where_there_is_no_proc_ps_tells(monkeypatch):
    started = process._told_by_ps(os.getpid())
    assert started
    assert process._told_by_ps(os.getpid()) == started
    assert process._told_by_ps(2**22 + 1) == UNKNOWN
