"""What getting images ready costs: augmentation and batching, as a share of the CPU seconds of a training step.

Prints one JSON object on its last line. A step augments its images as in the baseline's recipe (a shift by two, with a
reflected border, and alternating flips), 32 x 32 x 3 bytes each, of a memory-mapped dataset of 50,000; one thread.

    us_per_image    CPU microseconds to make a float image of a batch of 250
    ..._share       of a step of the EnvelopeNet that the search of 2018 began with (batch 50), of the plain baseline
                    (batch 250), and of a network of an eighth of its width: about as small as any

Medians of steps that take turns (n is printed).

    python benchmarks/data_path.py [--quick]
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import torch
from networks import CLASSES, PAIRS, PLAIN, SHAPE, plain

from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.data import Batches
from amla.spec.architecture import Architecture
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.recipe import Augment, Constant, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.trial import Fit

IMAGES = 50_000
AUGMENT = Augment("alternate", 2, border="reflect")
NETWORKS: dict[str, tuple[Callable[[], Architecture], int]] = {
    "envelopenet": (PAIRS["construction"][0], 50),
    "plain": (plain, 250),
    "narrow": (lambda: plain(tuple(width // 8 for width in PLAIN)), 250),
}


def dataset(folder: Path) -> Dataset:
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", rng.integers(0, 256, (IMAGES, *SHAPE[1:], SHAPE[0]), dtype=np.uint8))
    images = np.load(folder / "images.npy", mmap_mode="r")
    examples = Examples(images, np.arange(IMAGES) % CLASSES)
    return Dataset("noise", "noise", tuple(map(str, range(CLASSES))), examples, None, None)


def seconds(run: Callable[[], object]) -> float:
    began = process_time()
    run()
    return process_time() - began


def share(data: Dataset, architecture: Architecture, batch: int, rounds: int) -> tuple[float, float]:
    """Return the share of a step that its images take, and their CPU seconds."""
    task = Task(data, split(data), Recipe(batch, Sgd(0.02), Constant(), augment=AUGMENT))
    learner = TorchBackend("cpu").build(architecture, Fit(), task, 0)
    batches = Batches(task.fitting, task.moments, batch, torch.device("cpu"))
    learner.fit(1, rounds + 1, ignored)
    times: list[tuple[float, float]] = []
    for step in range(rounds):
        images = seconds(partial(batches.training, 0, step, AUGMENT))
        times.append((images, seconds(partial(learner.fit, 1, rounds + 1, ignored))))
    of_images, of_steps = zip(*times, strict=True)
    return median(of_images) / median(of_steps), median(of_images)


def ignored(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Take no notice of a line of a learning curve."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 steps of each instead of 15")
    rounds = 5 if parser.parse_args().quick else 15
    torch.set_num_threads(1)
    figures: dict[str, float] = {"n": rounds}
    with TemporaryDirectory() as folder:
        data = dataset(Path(folder))
        for name, (architecture, batch) in NETWORKS.items():
            figures[f"{name}_share"], images = share(data, architecture(), batch, rounds)
            if name == "plain":
                figures["us_per_image"] = 1e6 * images / batch
    print(json.dumps({name: round(figure, 5) for name, figure in figures.items()}))


if __name__ == "__main__":
    main()
