"""A search that is killed at any moments, and started again each time, finds what one finds that is never killed.

Five kills by default; the environment variable AMLA_KILLS says how many.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest
from safetensors.numpy import load_file
from terminal import TINY, Ended, Here, apart, end, lines, started, wait_for

from amla.storage.errors import StoreError
from amla.storage.folder import Folder
from amla.storage.records import Records
from amla.study.resolve import FINAL, SEARCH

KILLS = int(os.environ.get("AMLA_KILLS", "5"))
OFTEN = (  # a trial leaves a checkpoint every 50 ms, where it would every 30 s
    "from functools import partial; from amla.study import resolve; from amla.cli import main; "
    "resolve.Training = partial(resolve.Training, checkpoint_seconds=0.05); main()"
)
COMMAND = [sys.executable, "-c", OFTEN]
SMALL = (
    *("--set", "algorithm.steps=60", "--set", "algorithm.iterations=2", "--set", "final.steps=120"),
    *("--set", "space.width=6", "--set", "space.cells=[1]", "--set", "space.max_cells=[3]", "--set", "recipe.batch=8"),
    *("--set", "recipe.ema=0.9", "--run", "run"),
)
ONCE = (*TINY, "--set", "algorithm.iterations=0")  # the first construction is the last: what is lost then, is missed


@dataclass(frozen=True)
class Found:
    """What a search has found."""

    network: bytes
    weights: dict[str, np.ndarray]
    test: str
    lines: list[str]


def found(folder: Path, ended: Ended) -> Found:
    assert (ended.code, ended.err) == (0, "")
    run = folder / "run"
    curves = [re.sub(r'"seconds":[^}]*', "", path.read_text()) for path in sorted(run.glob("curves/*/*.jsonl"))]
    weights = load_file(run / "weights" / "best.safetensors")
    return Found((run / "best.arch.json").read_bytes(), weights, ended.accuracy, curves)


def events(run: Path) -> int:
    """Return how many events a run has, as a reader sees them while it is being written."""
    if not (run / "events.sqlite").exists():
        return 0
    try:
        with Records(run / "events.sqlite", read_only=True) as records:
            histories = [records.history(name) for name in (SEARCH, FINAL)]
    except (OSError, StoreError):  # just being made
        return 0
    return sum(len(history) + len(history.finished) for history in histories)


def cut_off(folder: Path, archive: Path, chance: Random) -> bool:
    """Start the search and kill it, after some lines, events or time; return whether it lived so long."""
    process = started(folder, "search", str(archive), *SMALL, command=COMMAND)
    run = folder / "run"
    try:
        match chance.choice(["line", "event", "time"]):
            case "line":
                known, more = lines(run), chance.randint(1, 12)
                wait_for(lambda: lines(run) >= known + more, process)
            case "event":
                known, more = events(run), chance.randint(1, 3)
                wait_for(lambda: events(run) >= known + more, process)
            case "time":
                time.sleep(chance.uniform(1, 5))
        time.sleep(chance.uniform(0, 0.05))
    finally:
        end(process)
    return process.returncode == -signal.SIGKILL


def check_same(again: Found, reference: Found) -> None:
    assert again.network == reference.network
    assert again.weights.keys() == reference.weights.keys()
    for name, weights in again.weights.items():
        assert np.array_equal(weights, reference.weights[name]), name
    assert again.test == reference.test
    assert again.lines == reference.lines


@pytest.mark.timeout(120 + 60 * KILLS)
def test_however_often_it_is_killed_it_finds_the_same(tmp_path: Path, archive: Path):
    reference = found(tmp_path, apart(tmp_path, "search", str(archive), *SMALL, command=COMMAND))
    chance, kills, runs = Random(2018), 0, 0
    while kills < KILLS:
        runs += 1
        folder = tmp_path / f"broken{runs}"
        folder.mkdir()
        while kills < KILLS and cut_off(folder, archive, chance):
            kills += 1
        check_same(found(folder, apart(folder, "search", str(archive), *SMALL, command=COMMAND)), reference)


class Power:
    """Goes off after so many steps that last: from then on nothing is written any more."""

    def __init__(self, patched: pytest.MonkeyPatch, most: int | None) -> None:
        self.steps, self.most = 0, most
        for kind, names in ((Records, ("asked", "told")), (Folder, ("write", "append", "drop"))):
            for name in names:
                patched.setattr(kind, name, self._limited(getattr(kind, name)))

    def _limited(self, step: Callable[..., None]) -> Callable[..., None]:
        def limited(*what: object) -> None:
            if self.most is not None and self.steps >= self.most:
                raise KeyboardInterrupt
            step(*what)
            self.steps += 1

        return limited


def test_whichever_step_was_the_last_before_it_was_cut_off_it_finds_the_same(
    tmp_path: Path, archive: Path, here: Here, monkeypatch: pytest.MonkeyPatch
):
    def search(folder: Path, most: int | None) -> tuple[Ended, int]:
        folder.mkdir(exist_ok=True)
        os.chdir(folder)
        with monkeypatch.context() as patched:
            power = Power(patched, most)
            return here("search", str(archive), *ONCE, "--run", "run"), power.steps

    ended, steps = search(tmp_path / "whole", None)
    reference = found(tmp_path / "whole", ended)
    for most in range(steps):
        folder = tmp_path / f"{most}"
        assert search(folder, most)[0].code == 130
        check_same(found(folder, search(folder, None)[0]), reference)
