"""Which kinds of branches are worth keeping, and does any score know it? Every choice of kinds is trained.

In the search of photographs all cells keep the same kinds of branches, so what a score has to know is small: which of
the kinds. All choices of them are trained from scratch, one cell a stage, all of equal multiply-accumulates: what is
left out makes room for the others. Two kinds are the same operation, so of choices with the one or the other only one
is trained. Scores are read while the whole EnvelopeNet trains, with --seeds seeds, after --steps steps, as a search
reads them; choices are trained for --longer times as many, each with --repeats seeds.

Prints one JSON object on its last line: `..._share`, of the choices of as many kinds as a score keeps, the share that
is worse than the one it keeps (ties count half; mean over seeds; chance is 0.5); `..._p`, how often that is as high if
kinds change their names by chance (all ways); `..._tau`, Kendall's rank correlation of a score of kinds (mean rank in
cells) with what a kind is worth; `worth_KIND` in points: the coefficients of a linear model of the accuracies of all
choices; `reliability`, the rank correlation of the accuracies with two seeds, where there are two; `best`, `kept`, the
accuracies of the best choice of as many kinds, and their mean. Before it, all choices in their order.

Trainings are kept in --folder, from where another call goes on.

    python benchmarks/kinds.py [--quick] [--data cifar10] [--seeds 6] [--macs 12000000] [--steps 90] [--longer 2]
                               [--repeats 1] [--stride 1] [--folder F]
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations, permutations
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import torch
from arms import space_of, task_of
from scipy.stats import kendalltau, spearmanr
from scores import ranked_kinds
from worth import SCORES, kept, trained, worth

from amla.spaces.envelope import Envelope
from amla.spec.architecture import Architecture, NodeId

Choice = frozenset[str]
TWINS = ("3x3-a", "3x3-b")  # the same operation


def kind(branch: NodeId) -> str:
    return branch.rpartition("/")[2]


def canonical(kinds: Choice) -> Choice:
    """Return the same choice, with the first of the twins where it has one of them."""
    first, second = TWINS
    return kinds - {second} | {first} if second in kinds and first not in kinds else kinds


def choices(kinds: Sequence[str], size: int | None = None) -> list[Choice]:
    """Return all choices of kinds, or those of one size; of such as are the same networks, each once."""
    sizes = range(1, len(kinds) + 1) if size is None else (size,)
    found = {canonical(frozenset(some)) for count in sizes for some in combinations(kinds, count)}
    return sorted(found, key=lambda some: (len(some), sorted(some)))


def network_of(space: Envelope, kinds: Choice) -> Architecture:
    """Return the network whose cells all have these kinds of branches."""
    decisions = dict(space.initial())
    for stage in space.stages:
        for cell in stage.cells:
            decisions[cell.branches] = tuple(b for b in decisions[cell.branches] if kind(b) in kinds)
    return space.space.close(decisions)


def shares(accuracy: Mapping[Choice, float], kinds: Sequence[str], size: int) -> dict[Choice, float]:
    """Return for every choice of a size which share of all of them is worse; that of equal ones counts half."""
    found = {frozenset(some): accuracy[canonical(frozenset(some))] for some in combinations(kinds, size)}
    return {
        some: mean((own > other) + (own == other) / 2 for rival, other in found.items() if rival != some)
        for some, own in found.items()
    }


def figures_of(
    kinds: Sequence[str], accuracy: Mapping[Choice, float], readings: Sequence[Mapping[str, Mapping[NodeId, float]]]
) -> dict[str, float]:
    """Print what each score keeps; return how good that is."""
    size = len(kinds) - len(kinds) // 2
    of_size, everything = shares(accuracy, kinds, size), list(accuracy)
    present = np.array([[float(one in some) for one in kinds] for some in everything])
    present[:, [kinds.index(twin) for twin in TWINS]] = present[:, [kinds.index(twin) for twin in TWINS]].mean(
        axis=1, keepdims=True
    )  # the model cannot tell twins from each other
    worths = worth(present, np.array([accuracy[some] for some in everything]))
    figures = {f"worth_{one}": 100 * of for one, of in zip(kinds, worths, strict=True)}
    renamed = [dict(zip(kinds, names, strict=True)) for names in permutations(kinds)]
    for score in SCORES:
        ranks = [ranked_kinds(of_seed[score]) for of_seed in readings]
        keeps = [frozenset(sorted(kinds, key=lambda one: (of[one], one))[-size:]) for of in ranks]
        share = mean(of_size[some] for some in keeps)
        by_chance = [mean(of_size[frozenset(names[one] for one in some)] for some in keeps) for names in renamed]
        figures[f"{score}_share"] = share
        figures[f"{score}_p"] = float(np.mean(np.array(by_chance) >= share - 1e-12))
        figures[f"{score}_tau"] = mean(float(kendalltau([of[one] for one in kinds], worths)[0]) for of in ranks)
        print(
            f"{score:16s} share {share:.2f} p {figures[f'{score}_p']:.3f} tau {figures[f'{score}_tau']:+.2f}  keeps",
            "; ".join(" ".join(sorted(some)) for some in keeps),
        )
    triples = [accuracy[canonical(frozenset(some))] for some in combinations(kinds, size)]
    return figures | {"kept": mean(triples), "best": max(triples)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="digits, few steps: half a minute")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--macs", type=int, default=12_000_000)
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--longer", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where trainings are kept")
    options = parser.parse_args()
    if options.quick:
        options.data, options.seeds, options.macs, options.steps, options.longer = "digits", 2, 200_000, 15, 1
    torch.set_num_threads(1)
    task = task_of(options.data)
    space = space_of(task.dataset, options.macs, options.stride)
    whole = space.space.close(space.initial())
    branches = tuple(branch for stage in space.stages for branch in whole[stage.cells[0].branches].inputs)
    kinds = sorted({kind(branch) for branch in branches})
    readings: list[dict[str, dict[NodeId, float]]] = []
    accuracy: dict[Choice, list[float]] = {}
    with TemporaryDirectory() as passing:
        folder = (options.folder or Path(passing)) / f"{options.data}-{options.macs}-{options.steps}-{options.stride}"
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(options.seeds):
            make = partial(trained, whole, task, options.steps, seed, dict.fromkeys(SCORES, branches))
            found = kept(folder / f"whole-{seed}.json", make)
            readings.append(found["readings"])  # type: ignore[arg-type]
            print(f"whole network, seed {seed}: {found['accuracy']:.4f}", flush=True)
        longer = options.longer * options.steps
        for seed in range(options.repeats):
            for some in choices(kinds):
                make = partial(trained, network_of(space, some), task, longer, seed, {})
                name = "_".join(sorted(some))
                found = kept(folder / f"{name}-{longer}-{seed}.json", make)
                accuracy.setdefault(some, []).append(float(found["accuracy"]))  # type: ignore[arg-type]
                print(f"seed {seed}, {' '.join(sorted(some))}: {found['accuracy']:.4f}", flush=True)
    for some in sorted(accuracy, key=lambda some: -mean(accuracy[some])):
        print(f"{mean(accuracy[some]):.4f}  {' '.join(sorted(some))}")
    figures = figures_of(kinds, {some: mean(of) for some, of in accuracy.items()}, readings)
    if options.repeats > 1:
        figures["reliability"] = float(spearmanr(*zip(*(of[:2] for of in accuracy.values()), strict=True))[0])
    figures |= {"choices": len(accuracy), "seeds": options.seeds, "repeats": options.repeats}
    print(json.dumps({name: round(figure, 4) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
