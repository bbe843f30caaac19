"""Is what a search finds as good as what the search of 2018 found? Both networks at equal cost, by the same recipe.

The search of 2018 took 50,000 steps; its result was released, as config.nac.final.json: 18 layers of branches, learned
skips. Here its channels are scaled until it has as many multiply-accumulates as --macs, and it is trained as the
network that the default search finds: by the recipe of final trainings, for as many steps, with the same seeds. So the
search of 2018 need not be repeated, which would take hours for each seed.

Prints one JSON object on its last line: `found`, `network_2018`, the mean accuracies on the validation part over seeds;
`difference`, the mean of found less 2018 in points, and `at_least`, its one-sided 95 % bound (Student's t over pairs);
`macs` and `parameters` of both.

Trainings are kept in --folder as they end, and another call goes on from there: what arms.py has searched there, too.

    python benchmarks/against_2018.py [--quick] [--seeds 5] [--macs 24000000] [--steps 400] [--folder F]
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory

from arms import TRIED, Bench, recipe_of, space_of, task_of
from scipy.stats import t

from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.legacy.config import Config, StemConv, read_config
from amla.spec.legacy.file import load
from amla.spec.legacy.network import build
from amla.spec.macro import Layer, Macro
from amla.spec.ops import Size
from amla.tasks.dataset import Dataset

CONFIGS = Path(__file__).parents[1] / "tests/agreement/reference_configs.json.gz"
RECORD = "config.nac.final.json"
ARM = f"taylor_signed{TRIED}"
SEARCH_MACS, SEARCH_STEPS = 12_000_000, 90  # as the preset for photographs searches


def of_2018(dataset: Dataset, macs: int) -> Architecture:
    """Return the network that was found in 2018, as wide as `macs` allow."""
    config, _ = read_config(load(CONFIGS, RECORD))
    low, high = 1, config.width
    while low < high:
        width = (low + high + 1) // 2
        if costs(scaled(config, width, dataset.shape, len(dataset.classes))).macs <= macs:
            low = width
        else:
            high = width - 1
    return scaled(config, low, dataset.shape, len(dataset.classes))


def scaled(config: Config, width: int, shape: Size, classes: int) -> Architecture:
    """Return the network of a configuration with so many channels in its stem, and all others in proportion."""
    assert isinstance(config.body, Macro)
    share = width / config.width
    items = tuple(
        replace(item, outputs=max(len(item.filters), round(item.outputs * share))) if isinstance(item, Layer) else item
        for item in config.body.items
    )
    stem = tuple(
        tuple(
            replace(block, outputs=round(block.outputs * share)) if isinstance(block, StemConv) else block
            for block in layer
        )
        for layer in config.stem
    )
    return build(replace(config, stem=stem, body=Macro(items)), shape, classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="digits, two seeds, few steps: half a minute")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--macs", type=int, default=24_000_000)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--folder", type=Path, help="where trainings are kept")
    options = parser.parse_args()
    data, searching, steps = "cifar10", SEARCH_MACS, SEARCH_STEPS
    if options.quick:
        data, searching, steps = "digits", 200_000, 10
        options.seeds, options.macs, options.steps = 2, 1_000_000, 30
    task = task_of(data)
    rival = of_2018(task.dataset, options.macs)
    space, final = space_of(task.dataset, searching), space_of(task.dataset, options.macs)
    found, theirs, sizes = list[float](), list[float](), list[int]()
    with TemporaryDirectory() as passing:
        folder = (options.folder or Path(passing)) / f"{data}-{searching}-{steps}-1"
        phase = f"final-{options.macs}-1-{options.steps}"
        bench = Bench(task, folder, recipe_of(task.dataset), final, options.steps, phase)
        for seed in range(options.seeds):
            _, network = bench.search(ARM, seed, space, steps)
            sizes.append(costs(network).parameters)
            found.append(bench.train(ARM, network, seed))
            theirs.append(bench.train("2018", rival, seed))
            print(f"seed {seed}: found {found[-1]:.4f}, 2018 {theirs[-1]:.4f}", flush=True)
    gains = [100 * (ours - other) for ours, other in zip(found, theirs, strict=True)]
    error = stdev(gains) / len(gains) ** 0.5
    figures = {
        "found": round(mean(found), 4),
        "network_2018": round(mean(theirs), 4),
        "difference": round(mean(gains), 2),
        "at_least": round(mean(gains) - float(t.ppf(0.95, len(gains) - 1)) * error, 2),
        "seeds": options.seeds,
        "macs": [costs(network).macs, costs(rival).macs],
        "parameters": [round(mean(sizes)), costs(rival).parameters],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
