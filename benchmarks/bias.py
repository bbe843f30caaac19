"""What do scores of branches see: the data, or the operation? The first network of a search, trained in several ways.

A score that knows what a branch does for the task must rank branches otherwise when the labels are shuffled, so that
there is no task. And it must not depend on the constant that batch normalisation adds to the variance, which was 0.001
in 2018. The network is trained as it is in a search (`usual`), with shuffled labels (`shuffled`), and with constants of
1e-3 and 1e-7 (`large`, `small`), with several seeds each.

Prints one JSON object on its last line: for each score and way Kendall's tau of the branches of a stage between `usual`
and that way, over all pairs of different seeds and stages (`msss_shuffled`; `msss_usual` between two seeds of `usual`),
and for each score and kind of branch its mean rank in its stage, from 0, the weakest, to 1 (`msss_rank_5x5sep`). Before
it, the same in a table. Trainings are kept in --folder.

    python benchmarks/bias.py [--quick] [--data cifar10] [--seeds 3] [--macs 2000000] [--steps 150] [--stride 2]
                              [--folder F]
"""

import argparse
import json
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import torch
from arms import space_of, task_of
from numpy.typing import NDArray
from worth import kept, tau, trained

from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import BatchNorm
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.task import Task

SCORES = ("msss", "msss_sum", "variance_sum", "taylor", "taylor_per_mac", "fisher", "scale")
USUAL, SHUFFLED = "usual", "shuffled"
EPSILONS = {"large": 1e-3, "small": 1e-7}
Readings = dict[str, dict[NodeId, float]]


def with_epsilon(network: Architecture, epsilon: float) -> Architecture:
    """Return a network whose batch normalisations add another constant."""
    return Architecture(
        tuple(
            Node(node.id, replace(node.op, epsilon=epsilon), node.inputs) if isinstance(node.op, BatchNorm) else node
            for node in network
        )
    )


def shuffled(dataset: Dataset) -> Dataset:
    """Return a dataset of which the labels have nothing to do with the images."""
    labels = np.random.default_rng(0).permutation(dataset.train.labels)
    return replace(dataset, train=Examples(dataset.train.inputs, labels))


def kind(branch: NodeId) -> str:
    return branch.rpartition("/")[2].partition("-")[0]


def table(readings: Readings, score: str, stage: list[NodeId]) -> NDArray[np.float64]:
    return np.array([readings[score][branch] for branch in stage])


def figures_of(found: dict[str, list[Readings]], stages: list[list[NodeId]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    kinds = sorted({kind(branch) for stage in stages for branch in stage})
    for score in SCORES:
        for way in found:
            pairs = [
                tau(table(one, score, stage), table(other, score, stage))
                for (i, one), (j, other) in product(enumerate(found[USUAL]), enumerate(found[way]))
                for stage in stages
                if i != j
            ]
            figures[f"{score}_{way}"] = mean(pairs)
        ranks: dict[str, list[float]] = {of: [] for of in kinds}
        for readings, stage in product(found[USUAL], stages):
            order = np.argsort(np.argsort(table(readings, score, stage))) / (len(stage) - 1)
            for branch, rank in zip(stage, order, strict=True):
                ranks[kind(branch)].append(float(rank))
        figures |= {f"{score}_rank_{of}": mean(ranks[of]) for of in kinds}
        agreeing = "  ".join(f"{way} {figures[f'{score}_{way}']:+.2f}" for way in found)
        ranked = "  ".join(f"{of} {figures[f'{score}_rank_{of}']:.2f}" for of in kinds)
        print(f"{score:15s} tau: {agreeing}   mean rank: {ranked}")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="digits, two seeds: under half a minute")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--macs", type=int, default=2_000_000)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--stride", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where trainings are kept")
    options = parser.parse_args()
    if options.quick:
        options.data, options.seeds = "digits", 2
        options.macs, options.steps, options.stride = 200_000, 20, 1
    torch.set_num_threads(1)
    task = task_of(options.data)
    space = space_of(task.dataset, options.macs, options.stride, cells=2)
    whole = space.space.close(space.initial())
    stages = [[branch for cell in stage.cells for branch in whole[cell.branches].inputs] for stage in space.stages]
    senseless = shuffled(task.dataset)
    ways = {USUAL: (whole, task), SHUFFLED: (whole, Task(senseless, split(senseless), task.recipe))}
    ways |= {way: (with_epsilon(whole, epsilon), task) for way, epsilon in EPSILONS.items()}
    probes = dict.fromkeys(SCORES, tuple(branch for stage in stages for branch in stage))
    found: dict[str, list[Readings]] = {way: [] for way in ways}
    with TemporaryDirectory() as passing:
        folder = (options.folder or Path(passing)) / f"{options.data}-{options.macs}-{options.steps}-{options.stride}"
        folder.mkdir(parents=True, exist_ok=True)
        for seed, (way, (network, of)) in product(range(options.seeds), ways.items()):
            make = partial(trained, network, of, options.steps, seed, probes)
            told = kept(folder / f"{way}-{seed}.json", make)
            found[way].append(told["readings"])  # type: ignore[arg-type]
            print(f"{way}, seed {seed}: accuracy {told['accuracy']:.4f}", flush=True)
    figures = figures_of(found, stages)
    print(json.dumps({name: round(figure, 3) for name, figure in figures.items()} | {"seeds": options.seeds}))


if __name__ == "__main__":
    main()
