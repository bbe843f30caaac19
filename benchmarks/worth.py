"""What is a branch worth, and does any score know it? Networks trained without some branches, at equal cost.

The worth of a branch is what it adds to the accuracy of a network of a given number of multiply-accumulates that is
trained from scratch: whatever is left out makes room for the others. All networks have two cells a stage. It is
measured as in a factorial experiment: --networks networks keep each branch by chance (two of three, as NAC's first
pruning does), and a linear model of all branches is fitted to their validation accuracies. That takes far fewer
trainings than leaving out one branch at a time. Scores are read while the whole EnvelopeNet trains, with --seeds seeds.

Prints one JSON object on its last line: for every score Kendall's tau between a seed's readings and the worth of the
branches of a stage (mean over seeds and stages), `..._p` how often shuffled readings reach that, and `..._seeds` the
tau between two seeds' readings; `reliability`: the correlation between the worths that each half of the networks shows,
by which no score can do better; `spread`: the standard deviation of worth in points; `accuracy` of networks.

Trainings are kept in --folder, from where another call goes on.

    python benchmarks/worth.py [--quick] [--data cifar10] [--networks 150] [--seeds 4] [--macs 2000000] [--steps 150]
                               [--stride 2] [--folder F]
"""

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import torch
from arms import space_of, task_of
from numpy.typing import NDArray

from amla.backends.torch.backend import TorchBackend
from amla.spaces.envelope import Envelope
from amla.spec.architecture import Architecture, NodeId
from amla.tasks.task import Task
from amla.trials.trial import Fit

SCORES = (
    "msss", "msss_sum", "variance_sum", "taylor", "taylor_per_mac", "taylor_signed", "fisher", "fisher_per_mac",
    "scale", "drop_one", "drop_one_per_mac", "random",
)  # fmt: skip
KEPT = 2 / 3  # of the branches, by chance
RIDGE = 1.0  # pulls worths to 0 that the networks say little about
SHUFFLES = 2000
FIRST = 10_000  # seed of the networks


def drawn(space: Envelope, seed: int) -> Architecture:
    """Return the EnvelopeNet without some of its branches."""
    rng = np.random.default_rng(FIRST + seed)
    decisions = dict(space.initial())
    for stage in space.stages:
        for cell in stage.cells:
            branches = decisions[cell.branches]
            left = tuple(branch for branch in branches if rng.random() < KEPT)
            decisions[cell.branches] = left or (branches[rng.integers(len(branches))],)
    return space.space.close(decisions)


def trained(
    network: Architecture, task: Task, steps: int, seed: int, probes: Mapping[str, tuple[NodeId, ...]]
) -> dict[str, object]:
    """Return the validation accuracy of a network, and its readings."""
    learner = TorchBackend("cpu", 1).build(network, Fit(), task, seed)
    learner.watch(probes)
    learner.fit(steps, steps, lambda *line: None)
    readings = {name: dict(table) for name, table in learner.statistics().items()}
    return {"accuracy": learner.score()["accuracy"], "readings": readings}


def kept(path: Path, make: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Return what is in a file; it is made first if it is not there."""
    if not path.is_file():
        path.write_text(json.dumps(make()))
    found: dict[str, object] = json.loads(path.read_text())
    return found


def worth(present: NDArray[np.float64], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much a network is better with each branch: the coefficients of a linear model."""
    centred = present - present.mean(axis=0)
    gram = centred.T @ centred + RIDGE * np.eye(present.shape[1])
    return np.asarray(np.linalg.solve(gram, centred.T @ (accuracy - accuracy.mean())))


def tau(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Kendall's rank correlation (1938): of pairs, the share that both order alike less the share of others."""
    pairs = list(combinations(range(len(one)), 2))
    return mean(float(np.sign(one[i] - one[j]) * np.sign(other[i] - other[j])) for i, j in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="digits, few networks: half a minute")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--networks", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--macs", type=int, default=2_000_000)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--stride", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where trainings are kept")
    options = parser.parse_args()
    if options.quick:
        options.data, options.networks, options.seeds = "digits", 24, 2
        options.macs, options.steps, options.stride = 200_000, 20, 1
    torch.set_num_threads(1)
    task = task_of(options.data)
    space = space_of(task.dataset, options.macs, options.stride, cells=2)
    whole = space.space.close(space.initial())
    stages = [[branch for cell in stage.cells for branch in whole[cell.branches].inputs] for stage in space.stages]
    branches = tuple(branch for stage in stages for branch in stage)
    with TemporaryDirectory() as passing:
        folder = options.folder or Path(passing)
        folder = folder / f"{options.data}-{options.macs}-{options.steps}-{options.stride}"
        folder.mkdir(parents=True, exist_ok=True)
        readings: list[dict[str, dict[NodeId, float]]] = []
        for seed in range(options.seeds):
            probes = dict.fromkeys(SCORES, branches)
            make = partial(trained, whole, task, options.steps, seed, probes)
            found = kept(folder / f"whole-{seed}.json", make)
            readings.append(found["readings"])  # type: ignore[arg-type]
            print(f"whole network, seed {seed}: {found['accuracy']:.4f}", flush=True)
        rows, accuracies = [], []
        for number in range(options.networks):
            make = partial(trained, network := drawn(space, number), task, options.steps, number, {})
            found = kept(folder / f"part-{number}.json", make)
            rows.append([float(branch in network) for branch in branches])
            accuracies.append(float(found["accuracy"]))  # type: ignore[arg-type]
            if number % 10 == 9:
                print(f"{number + 1} networks: {mean(accuracies):.4f}", flush=True)
    report(stages, np.array(rows), np.array(accuracies), readings)


def report(
    stages: list[list[NodeId]],
    present: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    readings: list[dict[str, dict[NodeId, float]]],
) -> None:
    """Print the worth of every branch, and how well each score knows it."""
    branches = [branch for stage in stages for branch in stage]
    found = worth(present, accuracy)
    halves = [worth(present[half::2], accuracy[half::2]) for half in (0, 1)]
    of = dict(zip(branches, found, strict=True))
    for stage in stages:
        print("  ".join(f"{branch}: {100 * of[branch]:+.2f}" for branch in sorted(stage, key=lambda b: -of[b])))
    figures: dict[str, float] = {}
    rng = np.random.default_rng(0)
    for name in SCORES:
        tables = [[np.array([of_seed[name][b] for b in stage]) for stage in stages] for of_seed in readings]
        worths = [np.array([of[b] for b in stage]) for stage in stages]
        taus = mean(tau(table, true) for tables_of in tables for table, true in zip(tables_of, worths, strict=True))
        shuffled = []
        for _ in range(SHUFFLES // len(readings)):
            orders = [rng.permutation(len(stage)) for stage in stages]
            shuffled.append(
                mean(
                    tau(table, true[order])
                    for tables_of in tables
                    for table, true, order in zip(tables_of, worths, orders, strict=True)
                )
            )
        figures[name], figures[f"{name}_p"] = taus, float(np.mean(np.array(shuffled) >= taus - 1e-12))
        between = [
            tau(one[place], other[place]) for one, other in combinations(tables, 2) for place in range(len(stages))
        ]
        figures[f"{name}_seeds"] = mean(between) if between else 0.0
        by_stage = [mean(tau(tables_of[place], worths[place]) for tables_of in tables) for place in range(len(stages))]
        print(f"{name:14s} tau {taus:+.3f} (by stage {', '.join(f'{t:+.2f}' for t in by_stage)})", flush=True)
    figures["reliability"] = float(np.corrcoef(halves[0], halves[1])[0, 1])
    figures["spread"] = 100 * float(found.std())
    figures["accuracy"], figures["networks"] = float(accuracy.mean()), len(accuracy)
    print(json.dumps({name: round(figure, 4) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
