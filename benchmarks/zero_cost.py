"""How well do zero-cost scores rank the networks of NAS-Bench-201, or of NAS-Bench-Macro, on CIFAR-10?

Random networks are scored before any training, on real images, and set against the test accuracy that the published
table has for them (NAS-Bench-201: after 200 epochs). Parameters and multiply-accumulates are the baseline that a score
must beat. A network of which a score cannot be had (nothing of the image reaches its output, as a rule) ranks last.

Prints a line for each score, and one JSON object on the last: for each Spearman's correlation ("spearman_SCORE"),
Kendall's tau with its 95 % interval ("tau_", "low_", "high_"), the mean seconds a network ("seconds_"), of how many it
cannot be had ("failed_"), and what a search by it comes to ("search_"): a third of the networks are drawn, a thousand
times; of the five that the score likes best, the one with the best validation accuracy after the shortest training that
the table knows is chosen; the mean of its test accuracy. "search_random" is of any five. Scores are kept in --folder,
from where another call goes on.

    python benchmarks/zero_cost.py [--quick] [--networks 200] [--seed 0] [--examples 64] [--extent 32] [--cells 5]
                                   [--table nasbench_macro] [--folder F]

AMLA_DATA names the folder of data and tables. --extent is the size that images are brought to, --cells how many cells
of NAS-Bench-201 a stage has; the published ones are 32 and 5.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import TypeAdapter
from scipy.stats import spearmanr

from amla.backends.torch.backend import TorchBackend
from amla.evaluation.tables import Entry, Table, nasbench201_table, nasbench_macro_table
from amla.evaluation.train import Training
from amla.evidence.agreement import agreement
from amla.scores import COMBINED, COUNTED, SCORES, parts, ranking
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.space import Space
from amla.spec.decisions import Decisions
from amla.storage.files import Files
from amla.tasks.dataset import split
from amla.tasks.load import load
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task
from amla.trials.progress import silent
from amla.trials.trial import Measurement, Outcome, Proposal, Trial, Untrained

ASKED = (("synflow",), ("naswot",), ("jacob_cov",), ("zen",), ("expressivity", "progressivity", "trainability"))
TOP = 10
TRAINED, DRAWS = 5, 1000  # of a search by a score, and how often one is drawn

_outcome: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 networks on small images: half a minute")
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--extent", type=int, default=32)
    parser.add_argument("--table", choices=("nasbench201", "nasbench_macro"), default="nasbench201")
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.table == "nasbench_macro" and options.extent != 32:
        parser.error("--table nasbench_macro takes images of 32 pixels, as published")
    if options.quick:
        options.networks, options.examples = 40, 32
        if options.table == "nasbench201":
            options.extent, options.cells = 16, 1
    data_dir = Path(os.environ["AMLA_DATA"])
    dataset = load("cifar10", data_dir=data_dir, size=(options.extent, options.extent))
    task = Task(dataset, split(dataset, validation=0.1, seed=0), Recipe())
    with TemporaryDirectory() as passing:
        table = nasbench201_table(data_dir) if options.table == "nasbench201" else nasbench_macro_table(data_dir)
        print(json.dumps(summary(options, task, table, options.folder or Path(passing))))


def summary(options: argparse.Namespace, task: Task, table: Table, folder: Path) -> dict[str, float]:
    """Score all networks that are not scored yet, print how well each score ranks them, and return it."""
    space = table.space
    if options.table == "nasbench201":
        space = nasbench201(task.shape, task.classes, cells=options.cells)
    rng = np.random.default_rng((options.seed, options.networks))
    cells = [table.space.draw(rng) for _ in range(options.networks)]
    entries = [table.entries[tuple(cell[gene][0] for gene in table.space.genes)] for cell in cells]
    tested = [entry.tested for entry in entries]
    counted = {name: [float(getattr(entry, name)) for entry in entries] for name in COUNTED}
    measured = {asked: scored(options, asked, space, cells, task, folder) for asked in ASKED}
    rows: list[dict[str, float]] = [dict(zip(counted, row, strict=True)) for row in zip(*counted.values(), strict=True)]
    for outcomes in measured.values():
        for row, outcome in zip(rows, outcomes, strict=True):
            row |= outcome.metrics if isinstance(outcome, Measurement) else {}
    found = {"search_random": searched(rng.random(len(rows)).tolist(), entries)}
    print(f"{'random':14s} search {found['search_random']:.2%}")
    for name in (*SCORES, *COMBINED):
        ranks = ranking(rows, (name,))
        found |= {f"search_{name}": searched(ranks, entries)}
        agreed = agreement(ranks, tested, TOP)
        found |= {f"spearman_{name}": float(spearmanr(ranks, tested).statistic)}
        found |= {f"tau_{name}": agreed.tau, f"low_{name}": agreed.low, f"high_{name}": agreed.high}
        found |= {f"failed_{name}": float(ranks.count(-np.inf))}
        line = f"{name:14s} Spearman {found[f'spearman_{name}']:.3f}  tau {agreed.tau:.3f} "
        line += f"({agreed.low:.3f} to {agreed.high:.3f})  {agreed.precision:.0%} of the best {TOP}"
        line += f"  search {found[f'search_{name}']:.2%}"
        if asked := next((asked for asked in ASKED if set(asked) & set(parts((name,)))), None):
            found |= {f"seconds_{name}": mean(outcome.seconds for outcome in measured[asked])}
            line += f"  {found[f'seconds_{name}']:.2f} s, {found[f'failed_{name}']:.0f} not to be had"
        print(line)
    return {name: round(number, 4) for name, number in found.items()} | {"n": options.networks}


def scored(
    options: argparse.Namespace,
    asked: tuple[str, ...],
    space: Space,
    cells: Sequence[Decisions],
    task: Task,
    folder: Path,
) -> list[Outcome]:
    """Return what some scores of each cell come to, read from the folder as far as they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = (options.networks, options.seed, options.examples, options.extent, options.table, options.cells)
    kept = folder / f"{'-'.join(map(str, (asked[0], *sizes)))}.jsonl"
    found = [_outcome.validate_json(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    training = Training("scores", TorchBackend("cpu", 1), task, Files(folder))
    with kept.open("a") as lines:
        for place in range(len(found), len(cells)):
            network = space.close(cells[place])
            method = Untrained(asked, options.examples)
            ask = Proposal(network, 0, method, seed=options.seed, keep=False)
            found.append(training(Trial(place, ask), silent))
            lines.write(_outcome.dump_json(found[-1]).decode() + "\n")
            lines.flush()
    return found


def searched(worth: Sequence[float], entries: Sequence[Entry]) -> float:
    """Return what a search comes to that trains the best few by a score for as short as the table knows."""
    rng, scores = np.random.default_rng(0), np.array(worth)
    short = min(entries[0].searched)
    seen, tested = (np.array(of) for of in zip(*((e.searched[short][0], e.tested) for e in entries), strict=True))
    found = []
    for _ in range(DRAWS):
        drawn = rng.choice(len(scores), len(scores) // 3, replace=False)
        trained = drawn[np.argsort(-scores[drawn], kind="stable")[:TRAINED]]
        found.append(tested[trained[np.argmax(seen[trained])]])
    return float(np.mean(found))


if __name__ == "__main__":
    main()
