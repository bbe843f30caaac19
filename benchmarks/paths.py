"""How long a training step of a network of DARTS takes with drop path, and without.

Both train the same network in turns, two steps a round, at the full rate; the ratio is the median over rounds.
"""

import argparse
from statistics import median, quantiles
from time import process_time

import numpy as np

from amla.backends.protocol import Learner
from amla.backends.torch.backend import TorchBackend
from amla.spaces.darts import darts
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task
from amla.trials.trial import Fit

STEPS = 2  # of a round
RATE = 0.2  # Liu, Simonyan and Yang 2019, appendix A.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("width", 16), ("cells", 5), ("batch", 32), ("size", 32), ("rounds", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    rng, shape = np.random.default_rng(0), (3, given.size, given.size)
    inputs = rng.integers(0, 256, (4 * given.batch, *shape[1:], 3), dtype=np.uint8)
    examples = Examples(inputs, np.arange(len(inputs), dtype=np.int64) % 10)
    data = Dataset("random", "0", tuple("0123456789"), examples, None, None)
    task = Task(data, split(data), Recipe(given.batch))
    learners = []
    for rate in (0.0, RATE):
        space = darts(shape, 10, width=given.width, cells=given.cells, drop_path=rate)
        learners.append(TorchBackend("cpu").build(space.sample(np.random.default_rng(0)), Fit(), task, 0))
    rounds = [[seconds(learner) for learner in learners] for _ in range(given.rounds + 1)][1:]
    ratios = [dropping / plain for plain, dropping in rounds]
    low, _, high = quantiles(ratios, n=4)
    plain, dropping = (1e3 * median(column) for column in zip(*rounds, strict=True))
    print(f"{plain:.1f} ms without, {dropping:.1f} ms with, ratio {median(ratios):.3f} ({low:.3f} to {high:.3f})")


def seconds(learner: Learner) -> float:
    """Return the processor time of a step whose schedule is over."""
    began = process_time()
    learner.fit(STEPS, 1, lambda step, loss, accuracy, rate: None)
    return (process_time() - began) / STEPS


if __name__ == "__main__":
    main()
