"""How much memory may be used: the least of what the machine, control groups and limits of the process allow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amla.tasks import memory


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of control groups in which nothing is limited yet."""
    monkeypatch.setattr(memory, "_PLACES", (tmp_path,))
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("5:cpu:/elsewhere\n0::/slice/job\n")
    (tmp_path / "slice" / "job").mkdir(parents=True)
    return tmp_path


def test_without_limits_it_is_that_of_the_machine(groups: Path):
    (groups / "slice" / "memory.max").write_text("max\n")
    assert memory.memory() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("place", ["slice/job/memory.max", "slice/memory.max", "memory.limit_in_bytes"])
def test_a_control_group_or_one_above_it_limits_it(groups: Path, place: str):
    (groups / place).write_text("50000000\n")
    assert memory.memory() == 50_000_000


def test_groups_of_other_processes_do_not(groups: Path):
    (groups / "elsewhere").mkdir()
    (groups / "elsewhere" / "memory.max").write_text("1000\n")
    assert memory.memory() != 1000


def test_a_limit_of_the_process_limits_it():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (900_000_000, 900_000_000)); "
        "from amla.tasks.memory import memory; print(memory())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ended.stdout) <= 900_000_000
