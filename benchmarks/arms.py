"""Does NAC find better networks than chance? Searches that differ only in what branches are pruned by, at equal cost.

Every arm is a search of the same space, in which all networks have as many multiply-accumulates as --macs allows, with
as many networks of as many training steps: NAC with each of several scores, NAC that prunes at random or the strongest,
and random networks. What each arm recommends by validation is trained anew, by the recipe of final trainings and with
a seed that all arms share. Besides,
there are networks that nobody searched for: `matched`, a random one from the same space with as many
multiply-accumulates and about as many parameters as what the first arm found, and `plain`, one 3x3 convolution a cell.

Prints one JSON object on its last line: for each arm the mean over seeds of that accuracy (`..._final`), of the best
seen in the search (`..._search`) and of the last construction (`..._last`); `..._over_random` is the mean difference in
`final` to NAC that prunes at random, `..._over_matched` to the random networks of equal size, and `..._p` how often a
difference as large or larger comes about if signs are drawn by coins (one-sided).

Each search is kept in --folder as it goes, and another call goes on from there.

    python benchmarks/arms.py [--quick] [--data cifar10] [--seeds 5] [--first 0] [--macs 2000000] [--steps 150]
                              [--stride 2]
                              [--final-macs M] [--final-stride S] [--final-steps N]
                              [--arms taylor fisher msss ...] [--no-controls] [--folder F]
"""

import argparse
import json
import os
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
from search_cost import images

from amla.algorithms.fixed import Fixed
from amla.algorithms.nac import Nac
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.runoff import RunOff
from amla.backends.torch.backend import TorchBackend
from amla.evaluation.train import Training
from amla.execution.inline import InlineExecutor
from amla.spaces.envelope import Envelope
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.presets import PHOTO, preset
from amla.study.run import Limit, run
from amla.study.settings.searches import NacSettings
from amla.study.spaces import envelope_of, of_envelopes
from amla.study.study import Data
from amla.tasks.dataset import Dataset, split
from amla.tasks.load import load
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task
from amla.trials.history import History

NULL, NETWORKS = "random", "networks"  # prunes at random; random networks
MATCHED, PLAIN = "matched", "plain"
DRAWS, APART = 300, 0.05  # of random networks until one has as many parameters, to this share
# After a score: prunes the strongest; prunes half of a stage at once; prunes kinds of branches from all cells; does so
# as the preset for photographs, which tries candidates and ends with a run-off. After `networks`: as many of them as
# that trains, with a run-off.
WORST, HALF, ALIKE, TRIED = "-worst", "-half", "-alike", "-tried"
ARMS = ("taylor", "taylor-worst", "taylor_per_mac", "fisher", "msss", "scale", "drop_one", NULL, NETWORKS)
ITERATIONS, LONGER = 4, 2
FRESH = 1000  # seed of the training of what is recommended, besides the arm's


def task_of(data: str) -> Task:
    """Return the task of a search of some data, with the recipe of presets; they are looked for in AMLA_DATA."""
    dataset = load(data, data_dir=Path(where) if (where := os.environ.get("AMLA_DATA")) else None)
    return Task(dataset, split(dataset), preset(dataset, Data(data)).recipe)


def recipe_of(dataset: Dataset) -> Recipe:
    """Return the recipe of the final training of presets."""
    study = preset(dataset, Data(dataset.name))
    return study.final.recipe or study.recipe


def space_of(dataset: Dataset, macs: int, stride: int = 1, cells: int | None = None) -> Envelope:
    """Return the space of photographs of presets, or for small images one like it with two stages.

    Its networks have so many `cells` in every stage, or as few or many as those of presets.
    """
    usual = of_envelopes(preset(images(), Data("noise")).space)
    stages = len(usual.cells) if min(dataset.shape[1:]) >= PHOTO else 2
    given = None if cells is None else (cells,) * stages
    settings = replace(
        usual, macs=macs, stem_stride=stride, growth=usual.growth[:stages], cells=given or usual.cells[:stages],
        max_cells=given or usual.max_cells[:stages],
    )  # fmt: skip
    return envelope_of(settings, dataset.shape, len(dataset.classes))


def algorithm_of(arm: str, space: Envelope, steps: int, seed: int) -> Algorithm:
    usual = preset(images(), Data("noise"))
    nac, run_off, score = usual.algorithm, usual.run_off, arm.partition("-")[0]
    assert isinstance(nac, NacSettings)
    assert run_off
    if arm.endswith(TRIED):
        trials = 1 + nac.iterations * nac.candidates
        search = RandomSearch(space.space, steps, trials, seed) if score == NETWORKS else Nac(
            space, steps, nac.iterations, score, share=nac.share, growing_only=False, alike=True,
            candidates=nac.candidates, seed=seed,
        )  # fmt: skip
        return RunOff(search, run_off.networks, run_off.times * steps, seed + 1)
    if arm == NETWORKS:
        return RandomSearch(space.space, steps, 1 + ITERATIONS, seed)
    return Nac(
        space, steps, ITERATIONS, score, share=1 / 2 if arm.endswith(HALF) else 1 / 3, growing_only=False,
        alike=arm.endswith(ALIKE), worst=arm.endswith(WORST), seed=seed,
    )  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """What all searches have in common: the task, where it is kept, and how what is found is trained."""

    task: Task
    folder: Path
    recipe: Recipe
    final: Envelope
    final_steps: int
    phase: str  # name of the final trainings

    def search(self, arm: str, seed: int, space: Envelope, steps: int) -> tuple[list[float], Architecture]:
        """Return the accuracies of the networks that an arm has tried, and the one it recommends."""
        algorithm = algorithm_of(arm, space, steps, seed)
        history = self._run("search", f"{arm}-{seed}", algorithm)
        found = algorithm.recommend(history)
        assert found is not None, f"{arm} found nothing with seed {seed}"
        return accuracies(history), self.final.space.close(space.space.read(found))

    def train(self, name: str, network: Architecture, seed: int) -> float:
        """Return the accuracy of a network that is trained anew."""
        fixed = Fixed((network,), self.final_steps, (FRESH + seed,), keep=False)
        return accuracies(self._run(self.phase, f"{name}-{seed}", fixed))[-1]

    def _run(self, phase: str, name: str, algorithm: Algorithm) -> History:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with Records(folder / "events.sqlite") as records:
            task = self.task if phase == "search" else self.task.with_recipe(self.recipe)
            evaluate = Training(phase, TorchBackend("cpu", 1), task, Files(folder))
            return run(phase, algorithm, InlineExecutor(evaluate), records, Limit())


def matched(space: Envelope, like: Architecture, seed: int) -> Architecture:
    """Return a random network of a space that has about as many parameters as another one; all have the same MACs."""
    rng, wanted = np.random.default_rng((seed, FRESH)), costs(like).parameters
    best: tuple[float, Architecture] | None = None
    for _ in range(DRAWS):
        network = space.space.sample(rng)
        apart = abs(costs(network).parameters / wanted - 1)
        if network != like and (best is None or apart < best[0]):
            best = apart, network
        if best and best[0] <= APART:
            break
    assert best is not None
    return best[1]


def plain(dataset: Dataset, macs: int, stride: int) -> Architecture:
    """Return the plain baseline as wide as may be: two cells a stage, each one 3x3 convolution."""
    space = space_of(dataset, macs, stride, cells=2)
    only = {cell.branches: (f"{cell.branches}/3x3-a",) for stage in space.stages for cell in stage.cells}
    return space.space.close({**space.initial(), **only})


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
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--macs", type=int, default=2_000_000)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--stride", type=int, default=2, help="of the stem, at which a cheap search looks at images")
    parser.add_argument("--final-macs", type=int, help="of what is trained anew; by default as in the search")
    parser.add_argument("--final-stride", type=int, help="by default as in the search")
    parser.add_argument("--final-steps", type=int, help="by default twice as many as in the search")
    parser.add_argument("--arms", nargs="+", default=ARMS)
    parser.add_argument("--no-controls", action="store_true", help="do without matched and plain")
    parser.add_argument("--folder", type=Path, help="where searches are kept")
    options = parser.parse_args()
    if options.quick:
        options.data, options.seeds, options.macs, options.steps = "digits", 2, 200_000, 20
        options.stride = 1
        options.arms = ("taylor", NULL, NETWORKS)
    task = task_of(options.data)
    dataset = task.dataset
    space = space_of(dataset, options.macs, options.stride)
    macs, stride = options.final_macs or options.macs, options.final_stride or options.stride
    steps = options.final_steps or LONGER * options.steps
    usual = (macs, stride, steps) == (options.macs, options.stride, LONGER * options.steps)
    final = space_of(dataset, macs, stride)
    controls = () if options.no_controls else (MATCHED, PLAIN)
    found: dict[str, list[tuple[float, float, float]]] = {arm: [] for arm in (*options.arms, *controls)}
    with TemporaryDirectory() as passing:
        folder = (options.folder or Path(passing)) / f"{options.data}-{options.macs}-{options.steps}-{options.stride}"
        bench = Bench(
            task, folder, recipe_of(dataset), final, steps, "final" if usual else f"final-{macs}-{stride}-{steps}"
        )
        for seed in range(options.first, options.first + options.seeds):
            networks: dict[str, Architecture] = {}
            for arm in options.arms:
                scores, networks[arm] = bench.search(arm, seed, space, options.steps)
                found[arm].append((bench.train(arm, networks[arm], seed), max(scores), scores[-1]))
                print(f"seed {seed} {arm:16s}", *(f"{score:.4f}" for score in (*scores, found[arm][-1][0])), flush=True)
            like = options.arms[0]
            for arm in controls:
                network = plain(dataset, macs, stride) if arm == PLAIN else matched(final, networks[like], seed)
                name = PLAIN if arm == PLAIN else f"{MATCHED}-{like}"
                found[arm].append((bench.train(name, network, seed), 0.0, 0.0))
                print(f"seed {seed} {arm:16s} {found[arm][-1][0]:.4f}", flush=True)
    figures: dict[str, float] = {"seeds": options.seeds}
    for arm, rows in found.items():
        finals, best, last_ones = (list(column) for column in zip(*rows, strict=True))
        figures[f"{arm}_final"] = mean(finals)
        if arm in options.arms:
            figures |= {f"{arm}_search": mean(best), f"{arm}_last": mean(last_ones)}
        for rival in (NULL, MATCHED):
            if rival in found and arm in options.arms and arm != rival:
                gains = [ours - theirs[0] for ours, theirs in zip(finals, found[rival], strict=True)]
                figures |= {f"{arm}_over_{rival}": mean(gains), f"{arm}_over_{rival}_p": sign_flip(gains)}
    print(json.dumps({name: round(figure, 5) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
