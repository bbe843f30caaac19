"""What does a search cost by default, and what did one cost in 2018? Both at the same width, on images like CIFAR-10's.

The search of 2018 is the released configuration of NAC for CIFAR-10: five constructions, each trained for 10,000 steps
of 50 images (`algorithm.mode: paper`), with its first stage as wide as that of the first network here. The default
search is what `amla search` does with 50,000 images of 32 x 32, without a limit of time. What is pruned on the way is
drawn at random for both. A step of each of their networks is timed in this process, one of each search in turn.

Prints one JSON object on its last line: `flops_ratio`, the operations of training that were counted for the search of
2018 over those of the default one; `seconds_ratio`, the same of CPU seconds, as the median step of each network times
its steps; `width`; and `hours_2018`, `minutes`: those seconds, on one core.

    python benchmarks/search_cost.py [--quick] [--threads 1]
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time

import numpy as np
import torch

from amla.algorithms.protocol import Algorithm
from amla.backends.torch.backend import TorchBackend
from amla.spec.architecture import Architecture
from amla.spec.costs import costs, shapes, training_flops
from amla.spec.ops import Merge
from amla.study.presets import preset
from amla.study.resolve import algorithm_of, space_of, task_of
from amla.study.settings.searches import NacSettings, PaperSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.study import Data, Final, Study
from amla.tasks.dataset import Dataset, Examples
from amla.tasks.recipe import Augment, Constant, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.trial import Fit, Measurement


@dataclass(frozen=True)
class Leg:
    """A network of a search, and for how many steps it is trained."""

    network: Architecture
    steps: int


def images() -> Dataset:
    """Return noise of the size of CIFAR-10."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (50_000, 32, 32, 3), dtype=np.uint8)
    examples = Examples(inputs, np.arange(50_000) % 10)
    return Dataset("noise", "noise", tuple(map(str, range(10))), examples, None, None)


def of_2018(width: int) -> Study:
    """Return the released configuration of the search on CIFAR-10, at another width."""
    return Study(
        name="2018",
        data=Data("noise"),
        recipe=Recipe(
            batch=50, optimiser=Sgd(0.04), schedule=Constant(), weight_decay=6e-4, clip=5.0, ema=0.9999,
            augment=Augment(flip=True),
        ),
        space=EnvelopeSettings(width=width, cells=(2, 2, 2), max_cells=(7, 6, 2), dropout=0.2),
        algorithm=NacSettings(
            iterations=5, steps=10_000, mode="paper", paper=PaperSettings(construction=(True, True, False))
        ),
        final=Final(100_000),
    )  # fmt: skip


def legs(algorithm: Algorithm) -> list[Leg]:
    """Return what a search trains, if its statistics are drawn at random."""
    history, rng, found = History(), np.random.default_rng(0), list[Leg]()
    while proposal := algorithm.ask(history):
        found.append(Leg(proposal.architecture, proposal.budget))
        statistics = {name: {node: float(rng.random()) for node in nodes} for name, nodes in proposal.probes.items()}
        history = history.asked(proposal)
        history = history.told(len(history) - 1, Measurement({"accuracy": float(rng.random())}, statistics))
    return found


def first_width(network: Architecture) -> int:
    """Return the channels of the first stage."""
    cell = next(node.id for node in network if node.id.startswith("stage0") and isinstance(node.op, Merge))
    return shapes(network)[cell][0]


def flops(found: Sequence[Leg], batch: int) -> float:
    return float(sum(training_flops(costs(leg.network).macs, leg.steps * batch) for leg in found))


def step_seconds(network: Architecture, task: Task, repeats: int) -> float:
    """Return the median CPU seconds of a training step, after the first."""
    learner = TorchBackend("cpu").build(network, Fit(), task, 0)
    learner.fit(1, 1_000_000, ignored)
    times = []
    for _ in range(repeats):
        began = process_time()
        learner.fit(1, 1_000_000, ignored)
        times.append(process_time() - began)
    return median(times)


def ignored(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Take no notice of a line of a learning curve."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one step of each network instead of nine")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset = images()
    ours = preset(dataset, Data("noise"))
    task = task_of(ours, dataset)
    now = legs(algorithm_of(ours, space_of(ours, task), ours.algorithm.steps or 0))
    width = first_width(now[0].network)
    then_study = of_2018(width)
    then_task = task_of(then_study, dataset)
    then = legs(algorithm_of(then_study, space_of(then_study, then_task), 10_000))
    repeats = 1 if options.quick else 9
    seconds = {"then": 0.0, "now": 0.0}
    for place in range(max(len(then), len(now))):
        for name, search, of in (("then", then, then_task), ("now", now, task)):
            if place < len(search):
                leg = search[place]
                step = step_seconds(leg.network, of, repeats)
                seconds[name] += step * leg.steps
                print(
                    f"{name:5s} {place}: {costs(leg.network).macs / 1e6:6.1f} M MACs, {leg.steps:6d} steps of "
                    f"{of.recipe.batch}, {step:.3f} CPU-s a step",
                    flush=True,
                )
    ratio = flops(then, then_task.recipe.batch) / flops(now, task.recipe.batch)
    figures = {
        "flops_ratio": round(ratio, 1),
        "seconds_ratio": round(seconds["then"] / seconds["now"], 1),
        "width": width,
        "hours_2018": round(seconds["then"] / 3600, 2),
        "minutes": round(seconds["now"] / 60, 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
