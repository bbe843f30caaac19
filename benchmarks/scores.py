"""Which scores of branches agree between seeds? The first network of a search, trained with several seeds.

Every seed begins with other weights, sees the data in another order, and trains without pruning. At some steps all
scores are read, over the steps since the reading before. Between two seeds a score should rank the branches of a stage
alike; of what is only noise, the ranks do not correlate, and as much of the lowest third is the same as by chance.

Prints one JSON object on its last line: for every score at the last reading, means over pairs of seeds and stages

    ..._rank      Spearman's correlation of the ranks of a stage's branches; chance is 0
    ..._overlap   the share of the lowest third that both seeds have; `chance_overlap` is what chance would give
    ..._spread    the standard deviation of the overlap's mean between seeds, by leaving out one seed at a time
    ..._drop      Spearman's correlation with `drop_one` of the same seed: the loss without a branch, not retrained
    ..._at_N      the share of the lowest third that a seed has in common with itself after N steps
    ..._kinds     the share of the lower half of kinds that both seeds have, by their mean rank in all cells; chance is
                  `chance_kinds`, and `..._kinds_spread` as above

and before it a table of all readings and stages. Readings are kept in --folder, from where another call goes on. The
network is the paper's, of --width channels, trained plainly; with --preset that of `amla search` for photographs, of
--macs multiply-accumulates, with the same recipe.

    python benchmarks/scores.py [--quick] [--data cifar10] [--seeds 4] [--steps 100 200 400] [--width 24] [--folder F]
                                [--preset [--macs 2000000] [--stride 2]]
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import torch
from arms import space_of

from amla.backends.torch.backend import TorchBackend
from amla.spaces.envelope import Envelope, envelope
from amla.study.presets import preset
from amla.study.study import Data
from amla.tasks.dataset import Dataset, split
from amla.tasks.load import load
from amla.tasks.recipe import Augment, Constant, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.trial import Fit

OF_BRANCHES = ("msss", "msss_sum", "variance_sum", "taylor", "taylor_signed", "fisher", "scale", "drop_one", "random")
OF_SKIPS = ("scale", "norm", "taylor", "random")
SHARE = 1 / 3  # that is pruned of a stage

Readings = dict[str, dict[str, float]]  # of a score, or of a score of skips: "skip/..."


def usual(options: argparse.Namespace, dataset: Dataset) -> tuple[Envelope, Recipe]:
    """Return the space and the recipe that are looked at."""
    if options.preset:
        return space_of(dataset, options.macs, options.stride), preset(dataset, Data(options.data)).recipe
    photos = dataset.shape[0] == 3
    augment = Augment(flip=photos, shift=dataset.shape[1] // 8)
    recipe = Recipe(options.batch, Sgd(0.05), Constant(warm_up=0.01), augment=augment)
    cells = (3, 3, 3)
    space = envelope(
        dataset.shape, len(dataset.classes), width=options.width, cells=cells, max_cells=cells, skips="add", dropout=0.0
    )
    return space, recipe


def read(options: argparse.Namespace, seed: int) -> Iterator[tuple[int, Readings]]:
    """Yield the readings of one seed at each of the steps."""
    steps = options.steps
    dataset = load(options.data, data_dir=Path(where) if (where := os.environ.get("AMLA_DATA")) else None)
    parts = split(dataset, validation=0.1, seed=0)
    space, recipe = usual(options, dataset)
    network = space.space.close(space.initial())
    cells = [cell for stage in space.stages for cell in stage.cells if cell.branches in network]
    branches = tuple(branch for cell in cells for branch in network[cell.branches].inputs)
    skips = tuple(skip for cell in cells if cell.skips for skip in network[cell.skips].inputs[1:])
    learner = TorchBackend("cpu").build(network, Fit(), Task(dataset, parts, recipe), seed)
    for step in steps:
        watched = {name: branches + (skips if name in OF_SKIPS else ()) for name in OF_BRANCHES}
        watched |= {"norm": skips} if skips else {}
        learner.watch(watched)
        learner.fit(step - learner.steps, max(steps), ignored)
        found = {name: dict(table) for name, table in learner.statistics().items()}
        readings = {name: {b: found[name][b] for b in branches} for name in OF_BRANCHES}
        yield step, readings | {f"skip/{name}": {s: found[name][s] for s in skips} for name in OF_SKIPS if skips}


def ignored(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Take no notice of a line of a learning curve."""


def ranks(values: Sequence[float]) -> np.ndarray:
    return np.argsort(np.argsort(np.asarray(values), kind="stable"), kind="stable").astype(float)


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def overlap(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    quota = max(1, int(len(one) * SHARE))
    lowest = [set(sorted(of, key=lambda node: of[node])[:quota]) for of in (one, other)]
    return len(lowest[0] & lowest[1]) / quota


def stages(readings: Mapping[str, float]) -> list[dict[str, float]]:
    """Return the readings of each stage that has several."""
    found: dict[str, dict[str, float]] = {}
    for node, reading in readings.items():
        found.setdefault(node.split("/")[0], {})[node] = reading
    return [of for of in found.values() if len(of) > 2]


def ranked_kinds(readings: Mapping[str, float]) -> dict[str, float]:
    """Return the mean rank of every kind of branch in its cell, the weakest first, as NAC orders kinds."""
    cells: dict[str, list[str]] = {}
    for branch in readings:
        cells.setdefault(branch.rpartition("/")[0], []).append(branch)
    places: dict[str, list[int]] = {}
    for branches in cells.values():
        for place, branch in enumerate(sorted(branches, key=lambda branch: readings[branch])):
            places.setdefault(branch.rpartition("/")[2], []).append(place)
    return {kind: mean(ranks) for kind, ranks in places.items()}


def lower_kinds(readings: Mapping[str, float]) -> set[str]:
    """Return the half of the kinds of branches that NAC prunes if cells are kept alike."""
    ranks = ranked_kinds(readings)
    ordered = sorted(ranks, key=lambda kind: (ranks[kind], kind))
    return set(ordered[: len(ordered) // 2])


def of_kinds(score: str, seeds: Sequence[Readings]) -> dict[str, float]:
    """Return how far seeds agree on the kinds that leave."""
    lower = [lower_kinds(of[score]) for of in seeds]
    pairs = list(combinations(range(len(seeds)), 2))
    shares = {(i, j): len(lower[i] & lower[j]) / len(lower[i]) for i, j in pairs}
    return {
        "kinds": round(mean(shares.values()), 3),
        "kinds_spread": round(jackknifed(shares, len(seeds)), 3),
    }


def jackknifed(of_pairs: Mapping[tuple[int, int], float], seeds: int) -> float:
    """Return the standard error of a mean over pairs of seeds, by leaving out one seed at a time; 0 for two."""
    if seeds < 3:
        return 0.0
    without = [mean(found for pair, found in of_pairs.items() if left not in pair) for left in range(seeds)]
    return float(np.sqrt((seeds - 1) / seeds * np.sum((np.array(without) - np.mean(without)) ** 2)))


def own(score: str, earlier: Readings, later: Readings) -> float:
    """Return how much of the lowest third of each stage a seed has in common with itself at another time."""
    pairs = zip(stages(earlier[score]), stages(later[score]), strict=True)
    return mean([overlap(one, other) for one, other in pairs] or [overlap(earlier[score], later[score])])


def agreement(score: str, seeds: Sequence[Readings]) -> dict[str, float]:
    """Return how far seeds agree on the branches of a stage, by a score: means over pairs and stages."""
    if not stages(seeds[0][score]):  # few skips: all stages together
        split_up = [[dict(of[score])] for of in seeds]
    else:
        split_up = [stages(of[score]) for of in seeds]
    pairs = list(combinations(range(len(seeds)), 2))
    of_pairs = {
        pair: (
            mean(
                correlation(list(a.values()), list(b.values()))
                for a, b in zip(*(split_up[i] for i in pair), strict=True)
            ),
            mean(overlap(a, b) for a, b in zip(*(split_up[i] for i in pair), strict=True)),
        )
        for pair in pairs
    }
    found = {
        "rank": mean(rank for rank, _ in of_pairs.values()),
        "overlap": mean(share for _, share in of_pairs.values()),
        "spread": jackknifed({pair: share for pair, (_, share) in of_pairs.items()}, len(seeds)),
    }
    if not score.startswith("skip/") and score != "drop_one":
        dropped = [stages(of["drop_one"]) for of in seeds]
        found["drop"] = mean(
            correlation(list(a.values()), list(b.values()))
            for ours, theirs in zip(split_up, dropped, strict=True)
            for a, b in zip(ours, theirs, strict=True)
        )
    found = {name: round(number, 3) for name, number in found.items()}
    return found if score.startswith("skip/") else found | of_kinds(score, seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="digits, 3 seeds, width 12: half a minute")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--preset", action="store_true", help="the network and recipe of amla search for photographs")
    parser.add_argument("--macs", type=int, default=2_000_000)
    parser.add_argument("--stride", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where readings are kept")
    options = parser.parse_args()
    if options.quick:
        options.data, options.seeds, options.steps, options.width = "digits", 3, [20, 40], 12
    torch.set_num_threads(1)
    with TemporaryDirectory() as passing:
        folder = options.folder or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        readings: dict[int, list[Readings]] = {}
        for seed in range(options.seeds):
            kind = (options.macs, options.stride) if options.preset else (options.width, options.batch)
            kept = folder / f"{'-'.join(map(str, (options.data, *kind, *options.steps, seed)))}.json"
            if not kept.is_file():
                kept.write_text(json.dumps(dict(read(options, seed))))
            for step, of in json.loads(kept.read_text()).items():
                readings.setdefault(int(step), []).append(of)
            print(f"seed {seed} done", flush=True)
    figures: dict[str, float] = {}
    last = readings[options.steps[-1]]
    names = [name for name in (*OF_BRANCHES, *(f"skip/{name}" for name in OF_SKIPS)) if name in last[0]]
    for step, seeds in readings.items():
        for name in names:
            found_here = agreement(name, seeds)
            print(f"step {step:5d}  {name:16s}", "  ".join(f"{k} {v:6.3f}" for k, v in found_here.items()))
            figures |= {f"{name}_{key}": number for key, number in found_here.items()}
            if seeds is not last:
                figures[f"{name}_at_{step}"] = round(mean(map(partial(own, name), seeds, last)), 3)
    first = stages(readings[options.steps[-1]][0]["random"])
    figures["chance_overlap"] = round(mean(max(1, int(len(of) * SHARE)) / len(of) for of in first), 3)
    kinds = len({branch.rpartition("/")[2] for branch in last[0]["random"]})
    figures["chance_kinds"] = round(kinds // 2 / kinds, 3)
    figures |= {"seeds": options.seeds, "step": options.steps[-1]}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
