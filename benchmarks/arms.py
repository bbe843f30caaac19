"""Does NAC find better networks than chance? Searches that differ only in what branches are pruned by, at equal cost.

Every arm is a search of the same space, in which all networks have as many multiply-accumulates as --macs allows, with
as many networks of as many training steps: NAC with each of several scores, NAC that prunes at random, and random
networks. What each arm recommends by validation is trained anew, twice as long and with a seed that all arms share.

Prints one JSON object on its last line: for each arm the mean over seeds of that accuracy (`..._final`), of the best
seen in the search (`..._search`) and of the last construction (`..._last`); `..._gain` is the mean difference in
`final` to NAC that prunes at random, and `..._p` how often a difference as large or larger comes about if signs are
drawn by coins (one-sided).

Each search is kept in --folder as it goes, and another call goes on from there.

    python benchmarks/arms.py [--quick] [--data cifar10] [--seeds 5] [--macs 2000000] [--steps 150] [--folder F]
                              [--arms taylor fisher msss ...]
"""

import argparse
import json
import os
from itertools import product
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np

from amla.algorithms.fixed import Fixed
from amla.algorithms.nac import Nac
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.backends.torch.backend import TorchBackend
from amla.evaluation.train import Training
from amla.execution.inline import InlineExecutor
from amla.spaces.envelope import Envelope, envelope
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.presets import PHOTO_BRANCHES, preset
from amla.study.run import Limit, run
from amla.study.study import Data
from amla.tasks.dataset import Dataset, split
from amla.tasks.load import load
from amla.tasks.task import Task
from amla.trials.history import History

NULL, NETWORKS = "random", "networks"  # prunes at random; random networks
ARMS = ("taylor", "taylor_per_mac", "fisher", "msss", "scale", "drop_one", NULL, NETWORKS)
ITERATIONS, LONGER = 4, 2
FRESH = 1000  # seed of the training of what is recommended, besides the arm's


def space_of(dataset: Dataset, macs: int) -> Envelope:
    """Return the space of photographs of presets, or for small images one like it with two stages."""
    large = min(dataset.shape[1:]) >= 24
    cells = (2, 2, 2) if large else (2, 2)
    return envelope(
        dataset.shape, len(dataset.classes), width=128, growth=(1, 4, 4)[: len(cells)], skeleton="pools",
        cells=cells, max_cells=cells, branches=PHOTO_BRANCHES, skips="none", head_dropout=0.0, macs=macs,
    )  # fmt: skip


def algorithm_of(arm: str, space: Envelope, steps: int, seed: int) -> Algorithm:
    if arm == NETWORKS:
        return RandomSearch(space.space, steps, 1 + ITERATIONS, seed)
    return Nac(space, steps, ITERATIONS, arm, growing_only=False, seed=seed)


def searched(arm: str, seed: int, task: Task, space: Envelope, steps: int, folder: Path) -> tuple[History, History]:
    """Return the search of an arm, and the training of what it recommends."""
    folder.mkdir(parents=True, exist_ok=True)
    algorithm = algorithm_of(arm, space, steps, seed)
    with Records(folder / "events.sqlite") as records:
        histories = []
        for phase in ("search", "final"):
            evaluate = Training(phase, TorchBackend("cpu", 1), task, Files(folder))
            histories.append(run(phase, algorithm, InlineExecutor(evaluate), records, Limit()))
            found = algorithm.recommend(histories[0])
            assert found is not None
            algorithm = Fixed((found,), LONGER * steps, (FRESH + seed,), keep=False)
    return histories[0], histories[1]


def accuracies(history: History) -> list[float]:
    return [trial.measurement.metrics["accuracy"] for trial in history.done]


def sign_flip(differences: list[float]) -> float:
    """Return how often the mean is as large or larger, over all ways to choose the signs."""
    found = np.array(differences)
    means = np.array([mean(found * signs) for signs in product((1, -1), repeat=len(found))])
    return float((means >= found.mean() - 1e-12).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="digits, two seeds, three arms: under half a minute")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--macs", type=int, default=2_000_000)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--arms", nargs="+", default=ARMS)
    parser.add_argument("--folder", type=Path, help="where searches are kept")
    options = parser.parse_args()
    if options.quick:
        options.data, options.seeds, options.macs, options.steps = "digits", 2, 200_000, 20
        options.arms = ("taylor", NULL, NETWORKS)
    where = Path(os.environ["AMLA_DATA"]) if "AMLA_DATA" in os.environ else None
    dataset = load(options.data, data_dir=where)
    task = Task(dataset, split(dataset), preset(dataset, Data(options.data)).recipe)
    space = space_of(dataset, options.macs)
    found: dict[str, list[tuple[float, float, float]]] = {arm: [] for arm in options.arms}
    with TemporaryDirectory() as passing:
        folder = (options.folder or Path(passing)) / f"{options.data}-{options.macs}-{options.steps}"
        for seed, arm in product(range(options.seeds), options.arms):
            history, final = searched(arm, seed, task, space, options.steps, folder / f"{arm}-{seed}")
            *_, last = scores = accuracies(history)
            found[arm].append((accuracies(final)[-1], max(scores), last))
            print(
                f"seed {seed} {arm:16s}", " ".join(f"{score:.4f}" for score in (*scores, found[arm][-1][0])), flush=True
            )
    figures: dict[str, float] = {"seeds": options.seeds}
    for arm, rows in found.items():
        finals, best, last_ones = (list(column) for column in zip(*rows, strict=True))
        figures |= {f"{arm}_final": mean(finals), f"{arm}_search": mean(best), f"{arm}_last": mean(last_ones)}
        if NULL in found and arm != NULL:
            gains = [ours - theirs[0] for ours, theirs in zip(finals, found[NULL], strict=True)]
            figures |= {f"{arm}_gain": mean(gains), f"{arm}_p": sign_flip(gains)}
    print(json.dumps({name: round(figure, 5) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
