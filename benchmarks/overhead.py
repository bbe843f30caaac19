"""What keeping account of a trial costs: asked-and-told trials a second, against Optuna and Ray Tune.

A trial of amla goes through the driver's own loop, which holds the lease of its study: asked (one of 500 networks of
about 30 nodes, with a seed of its own), written, evaluated by a function that does nothing, told (4 metrics, 6
statistics, a cost), written. Each is a committed transaction of an SQLite file and survives the death of the process.
These trials are brief and store no weights, so amla does not flush the disk for each event; `flushed_per_s` is what it
does in a study whose trials store weights, where every event is flushed. Optuna and Ray have an easier trial: one
number between 0 and 1 to choose, one to report. Optuna flushes its SQLite and journal files at every step. Ray starts a
process for each trial unless told to use them again (`ray_reused`).

Prints one JSON object on its last line; what is not installed (`pip install 'amla[bench]'`) is null there.

- `durable_trials_per_s`, `cpu_trials_per_s`: medians over blocks of 1,000 trials of the longest run but the first, by
  the clock and by CPU seconds; `mean_trials_per_s`: all of that run, with every pause, by the clock.
- `last_over_first`, `last_over_first_wall`: CPU seconds, and seconds, of a thousand trials at its end over a thousand
  at the beginning of a search, after a warm-up; medians of five pairs that take turns, as the machine changes.
- `bytes_per_trial`: how much memory the process took from its first tenth to where the pairs begin. The networks were
  drawn beforehand and are shared, so they are not in it.
- `..._ratio`: medians over rounds in which amla and the others take turns, by the clock; `..._cpu_ratio`: by CPU
  seconds of this process. `..._per_s`: medians over the rounds. `..._n`: trials behind each.

    python benchmarks/overhead.py [--quick]
"""

import argparse
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
from other_tools import Pace, Pacing, in_journal, in_memory, in_sqlite, installed, optuna_study, ray_tune

from amla.execution.inline import InlineExecutor
from amla.spaces.envelope import BRANCHES, envelope
from amla.spec.architecture import Architecture
from amla.storage.records import Records
from amla.study.run import Limit, run
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Cost, Measurement, Proposal, Trial

BLOCK = 1_000  # trials
PAIRS = 5  # of a block at the end of the longest run and a short one
NETWORKS, LEAST, MOST = 500, 25, 35  # how many different ones, of how many nodes
STATISTICS = tuple(f"stage0/cell0/{branch}" for branch in BRANCHES)


@cache
def networks() -> tuple[Architecture, ...]:
    space = envelope((3, 32, 32), 10, width=16, cells=(1, 1), max_cells=(2, 2)).space
    rng, found = np.random.default_rng(0), dict[Architecture, None]()
    while len(found) < NETWORKS:
        network = space.sample(rng)
        if LEAST <= len(network) <= MOST:
            found[network] = None
    return tuple(found)


@dataclass(frozen=True)
class InTurn:
    """Asks for one network after another."""

    keep: bool

    def ask(self, history: History) -> Proposal:
        place = len(history)
        return Proposal(networks()[place % NETWORKS], 100, seed=place, keep=self.keep)

    def recommend(self, history: History) -> None:
        return None


Mark = tuple[float, float, int]  # seconds by the clock, CPU seconds, bytes of memory
WALL, CPU, BYTES = 0, 1, 2


def mark() -> Mark:
    return perf_counter(), process_time(), resident()


@dataclass
class Nothing:
    """Evaluates trials by doing nothing; every so many, looks at the clocks, before and after what is done aside."""

    every: int
    aside: Callable[[int], None] = lambda trial: None
    marks: list[tuple[Mark, Mark]] = field(default_factory=list)

    def __call__(self, trial: Trial, report: Callable[[Progress], None]) -> Measurement:
        if trial.id % self.every == 0:
            before = mark()
            self.aside(trial.id)
            self.marks.append((before, mark()))
        score = 1 / (trial.id + 2)
        metrics = {"accuracy": score, "loss": 1 - score, "parameters": 123456.0, "macs": 7890123.0}
        statistics = {"msss": {name: score / (place + 1) for place, name in enumerate(STATISTICS)}}
        return Measurement(metrics, statistics, 1e-5, Cost("cpu", 1e9 * score))

    def blocks(self, clock: int) -> list[float]:
        """Return the seconds from mark to mark, without what was done aside."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        return [ended[clock] - began[clock] for (_, began), (ended, _) in pairs]


def resident() -> int:
    """Return the bytes of memory that this process holds; 0 where the system does not say."""
    with suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def search(folder: Path, nothing: Nothing, trials: int, keep: bool = False) -> None:
    """Run a search of amla with so many trials, and one more for the last mark."""
    with (
        TemporaryDirectory(dir=folder) as new,
        Records(Path(new) / "events.sqlite") as records,
        records.lease("search"),
    ):
        run("search", InTurn(keep), InlineExecutor(nothing), records, Limit(trials=trials + 1))


def longest(folder: Path, trials: int) -> dict[str, float]:
    """Return the figures of one long search; at its end, its blocks and those of short searches take turns."""
    short: list[Pace] = []

    def aside(trial: int) -> None:
        if trials - PAIRS * BLOCK <= trial < trials:
            short.append(amla(folder, 0))

    found = Nothing(BLOCK, aside)
    search(folder, found, trials)
    wall, cpu = found.blocks(WALL), found.blocks(CPU)
    first, last = len(wall) // 10, len(wall) - PAIRS  # what is done aside takes memory, too
    grown = found.marks[last][0][BYTES] - found.marks[first][0][BYTES]
    return {
        "durable_trials_per_s": round(BLOCK / median(wall[1:])),
        "cpu_trials_per_s": round(BLOCK / median(cpu[1:])),
        "mean_trials_per_s": round(BLOCK * len(wall[1:]) / sum(wall[1:])),
        "last_over_first": ratio(cpu[-PAIRS:], [BLOCK / pace.cpu_rate for pace in short]),
        "last_over_first_wall": ratio(wall[-PAIRS:], [BLOCK / pace.wall_rate for pace in short]),
        "bytes_per_trial": round(grown / (BLOCK * (last - first))),
        "n": trials,
    }


def ratio(ones: Iterable[float], others: Iterable[float]) -> float:
    return round(median(one / other for one, other in zip(ones, others, strict=True)), 3)


def amla(folder: Path, seconds: float, keep: bool = False) -> Pace:
    """Run 2,000 trials after 1,000 of warm-up, however long it takes; of those that are flushed, 200 after 100."""
    every = BLOCK // 10 if keep else BLOCK
    nothing = Nothing(every)
    search(folder, nothing, 3 * every, keep)
    return Pace(2 * every, sum(nothing.blocks(WALL)[1:]), sum(nothing.blocks(CPU)[1:]))


def flushed(folder: Path, seconds: float) -> Pace:
    return amla(folder, seconds, keep=True)


def compared(folder: Path, seconds: float, rounds: int, others: dict[str, Pacing]) -> dict[str, Any]:
    """Return how amla and the others do in turns of some seconds."""
    pacing = {"amla": amla, **others}
    paces: dict[str, list[Pace]] = {name: [] for name in pacing}
    for number in range(rounds):
        for name in sorted(pacing, reverse=number % 2 == 1):
            paces[name].append(pacing[name](folder, seconds))
    figures: dict[str, Any] = {}
    for name in others:
        ours, theirs = paces["amla"], paces[name]
        figures[f"{name}_per_s"] = round(median(pace.wall_rate for pace in theirs), 1)
        figures[f"{name}_ratio"] = ratio((pace.wall_rate for pace in ours), (pace.wall_rate for pace in theirs))
        figures[f"{name}_cpu_ratio"] = ratio((pace.cpu_rate for pace in ours), (pace.cpu_rate for pace in theirs))
        figures[f"{name}_n"] = sum(pace.trials for pace in paces[name])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 trials instead of 100,000, and fewer turns")
    parser.add_argument("--folder", type=Path, help="on the disk to write to; else where passing files go")
    options = parser.parse_args()
    rounds, ray_rounds, ray_seconds = (2, 1, 4.0) if options.quick else (5, 3, 15.0)
    figures: dict[str, Any] = dict.fromkeys(("optuna_rdb_ratio", "ray_ratio"))
    with TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        figures |= longest(folder, 10_000 if options.quick else 100_000)
        others: dict[str, Pacing] = {"flushed": flushed}
        if installed("optuna"):
            kinds = {"optuna_memory": in_memory, "optuna_rdb": in_sqlite, "optuna_journal": in_journal}
            others |= {kind: optuna_study(storage) for kind, storage in kinds.items()}
        figures |= compared(folder, 1.0 if options.quick else 3.0, rounds, others)
        if installed("ray"):
            figures |= compared(folder, ray_seconds, ray_rounds, {"ray": ray_tune(False), "ray_reused": ray_tune(True)})
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
