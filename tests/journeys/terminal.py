"""The command line as a user has it: in a process of its own, or, where that is enough, in this one."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amla.tasks.cache import folder as cache_folder

AMLA = [sys.executable, "-m", "amla"]
TINY = (
    *("--set", "algorithm.steps=3", "--set", "algorithm.iterations=1"),
    *("--set", "final.steps=5", "--set", "space.width=6"),
)
KERNELS = cache_folder(None) / "native"  # where the user's own are, before a test says otherwise
PATIENCE = 120.0  # seconds: what takes longer hangs


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def accuracy(self) -> str:
        """What it said of the test."""
        found = re.search(r"test accuracy .*\((.*)\)", self.out)
        assert found, self.out + self.err
        return found[1]


Here = Callable[..., Ended]


def environment(folder: Path) -> dict[str, str]:
    """Return what a command sees that is run in `folder`: nothing of the user's, and one thread to compute with."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(("AMLA", "COLUMNS"))}
    return {
        **own,
        "AMLA_CACHE": str(new_cache(folder)),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def new_cache(folder: Path) -> Path:
    """Return a cache in `folder` that has nothing but the compiled kernels, which take long to compile."""
    made = folder / "cache"
    made.mkdir(exist_ok=True)
    KERNELS.mkdir(parents=True, exist_ok=True)
    if not (made / "native").exists():
        (made / "native").symlink_to(KERNELS)
    return made


def apart(folder: Path, *arguments: str, command: list[str] = AMLA) -> Ended:
    """Run a command in a process of its own, to its end."""
    process = started(folder, *arguments, command=command)
    out, err = process.communicate(timeout=PATIENCE)
    return Ended(process.returncode, out, err)


def started(folder: Path, *arguments: str, command: list[str] = AMLA) -> "subprocess.Popen[str]":
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def wait_for(what: Callable[[], bool], process: "subprocess.Popen[str] | None" = None) -> None:
    """Wait until something is true, or a process that should make it so has ended."""
    until = time.monotonic() + PATIENCE
    while not what():
        if process and process.poll() is not None:
            return
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def lines(run: Path) -> int:
    """Return how many lines all curves of a run have."""
    return sum(path.read_bytes().count(b"\n") for path in sorted(run.glob("curves/*/*.jsonl")))


def end(process: "subprocess.Popen[str]") -> None:
    """Kill a process that may still run, and wait for it."""
    process.kill()
    process.communicate()
