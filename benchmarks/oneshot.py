"""What do one-shot methods choose on the cells of NAS-Bench-201, and how good is that in the published table?

Each arm searches the relaxed cell space on a part of CIFAR-10, at the size of a CPU: images of --extent pixels, --width
channels, --cells cells a stage, --steps steps of 64 images in all, for each arm the same. What it recommends is looked
up in the table: its test accuracy after 200 epochs, and the share of the 15,625 networks that are worse. Chance is a
share of one half on average. The rate of pick weights, --rate, is high, since steps are few.

    darts, darts2        DARTS, of the first and second order
    darts-               with an auxiliary skip that fades (Chu et al. 2021)
    perturb              selected by perturbation, pick weights fixed (Wang et al. 2021)
    darts-perturb        selected by perturbation from where DARTS stopped
    enas, random         one path a step; a policy that learns; random search with weight sharing

Prints a line for each arm and seed, and one JSON object on the last: for each arm the mean share that is worse
("share_ARM"), the least of all seeds ("least_ARM"), the mean test accuracy ("test_ARM") and the mean number of skips
among the six edges ("skips_ARM"). Everything is kept in --folder, from where another call goes on.

    python benchmarks/oneshot.py [--quick] [--seeds 3] [--first 0] [--arms darts darts-] [--steps 400] [--folder F]

AMLA_DATA names the folder of data and tables.
"""

import argparse
import json
import os
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from amla.algorithms.darts import Darts
from amla.algorithms.enas import Enas
from amla.algorithms.protocol import Algorithm
from amla.algorithms.sharing import RandomSharing
from amla.backends.torch.backend import TorchBackend
from amla.evaluation.tables import Table, nasbench201_table
from amla.evaluation.train import Training
from amla.execution.inline import InlineExecutor
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.space import Space
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.run import Limit, run
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.load import load
from amla.tasks.recipe import Augment, Cosine, Recipe, Sgd
from amla.tasks.task import Task

TUNED = 1 / 20  # of the steps: after each of the first five of six decisions by perturbation


def algorithm(arm: str, space: Space, options: argparse.Namespace, seed: int) -> Algorithm:
    """Return the search of an arm; all take the same number of steps."""
    steps, rate = options.steps, options.rate
    tuning = max(1, int(steps * TUNED))
    perturbed = steps - tuning * (len(space.genes) - 1)
    arms: Mapping[str, Callable[[], Algorithm]] = {
        "darts": lambda: Darts(space, steps, rate=rate, seed=seed),
        "darts2": lambda: Darts(space, steps, rate=rate, order="second", seed=seed),
        "darts-": lambda: Darts(space, steps, rate=rate, skip=1.0, seed=seed),
        "perturb": lambda: Darts(space, perturbed, rate=0.0, select="perturbation", tuning=tuning, seed=seed),
        "darts-perturb": lambda: Darts(space, perturbed, rate=rate, select="perturbation", tuning=tuning, seed=seed),
        "enas": lambda: Enas(space, steps, examples=options.scored, seed=seed),
        "random": lambda: RandomSharing(space, steps, examples=options.scored, seed=seed),
    }
    return arms[arm]()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("darts", "darts-", "perturb", "darts-perturb", "random", "enas", "darts2")
    parser.add_argument("--arms", nargs="+", default=names, choices=names)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--cells", type=int, default=1)
    parser.add_argument("--extent", type=int, default=16)
    parser.add_argument("--scored", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="two steps a leg: only whether everything runs")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.steps, options.width, options.extent, options.scored = 1, 60, 4, 8, 100
    data_dir = Path(os.environ["AMLA_DATA"])
    dataset = some(load("cifar10", data_dir=data_dir, size=(options.extent, options.extent)))
    recipe = Recipe(64, Sgd(0.05), Cosine(final=0.01), augment=Augment(flip=True, shift=options.extent // 8))
    task = Task(dataset, split(dataset, validation=0.1, seed=0), recipe)
    table = nasbench201_table(data_dir)
    with TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        print(json.dumps(summary(options, task, table, folder)))


def some(dataset: Dataset) -> Dataset:
    """Return the data with the first 20,000 training examples alone."""
    few = Examples(dataset.train.inputs[:20_000], dataset.train.labels[:20_000])
    return Dataset(dataset.name, dataset.fingerprint, dataset.classes, few, None, dataset.test)


def summary(options: argparse.Namespace, task: Task, table: Table, folder: Path) -> dict[str, float]:
    """Run all that is not done yet, and return what came of each arm."""
    tested = sorted(entry.tested for entry in table.entries.values())
    found: dict[str, float] = {}
    for arm in options.arms:
        shares, tests, skips = [], [], []
        for seed in range(options.first, options.first + options.seeds):
            kept, seconds = searched(options, arm, seed, task, folder)
            whole = tuple(f"stage0/cell0/{edge}/{operation}" for edge, operation in kept.items())
            accuracy = table.entries[whole].tested
            shares.append(bisect_left(tested, accuracy) / len(tested))
            tests.append(accuracy)
            skips.append(sum(operation == "skip" for operation in kept.values()))
            line = " ".join(f"{edge}:{operation}" for edge, operation in kept.items())
            print(
                f"{arm} {seed}: {line}; test {accuracy:.4f}, better than {shares[-1]:.3f}; {seconds:.0f} s", flush=True
            )
        found |= {f"share_{arm}": mean(shares), f"least_{arm}": min(shares)}
        found |= {f"test_{arm}": mean(tests), f"skips_{arm}": mean(skips)}
    return found


def searched(
    options: argparse.Namespace, arm: str, seed: int, task: Task, folder: Path
) -> tuple[Mapping[str, str], float]:
    """Return what the cell that an arm recommends has on each edge, and the seconds of all legs."""
    space = nasbench201(task.shape, task.classes, width=options.width, cells=options.cells)
    search = algorithm(arm, space, options, seed)
    sizes = (options.steps, options.rate, options.width, options.cells, options.extent, options.scored)
    place = folder / "-".join(map(str, (arm, seed, *sizes)))  # so that no run goes on from one of other sizes
    place.mkdir(parents=True, exist_ok=True)
    with Records(place / "events.sqlite") as records:
        training = Training("search", TorchBackend("cpu", 1), task, Files(place))
        history = run("search", search, InlineExecutor(training), records, Limit())
    recommended = search.recommend(history)
    assert recommended is not None, history.failed
    kept = space.read(recommended)
    edges = {gene: kept[gene][0] if gene in kept else f"{gene}/none" for gene in space.genes}
    return {gene.rsplit("/", 1)[1]: source.rsplit("/", 1)[1] for gene, source in edges.items()}, history.seconds


if __name__ == "__main__":
    main()
