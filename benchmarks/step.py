"""What building from a spec costs: a training step against the same network written by hand, and with probes on.

Prints one JSON object on its last line: `step_ratio`, CPU seconds of a step of the spec-built EnvelopeNet over those
of the hand-written `nn.Module`; `probe_ratio`, with four probes on every step over without. Both are medians of the
ratios of paired runs, in an order that alternates.

    python benchmarks/step.py [--quick]
"""

import argparse
import json
from collections.abc import Callable
from statistics import median
from time import process_time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from amla.backends.torch.backend import TorchBackend
from amla.spaces.envelope import BRANCHES, envelope
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.recipe import Constant, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.trial import Fit

WIDTH, BATCH, SHAPE, CLASSES = 32, 50, (3, 32, 32), 10
PROBES = ("msss", "variance", "mean", "scale")


def block(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class Branch(nn.Sequential):
    def __init__(self, name: str, inputs: int, outputs: int) -> None:
        kernel = int(name[0])
        if name.endswith("sep"):
            depthwise = nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=False)
            super().__init__(depthwise, *block(inputs, outputs, 1))
        else:
            super().__init__(*block(inputs, outputs, kernel))


class Cell(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        share, remainder = divmod(width, len(BRANCHES))
        self.branches = nn.ModuleList(
            Branch(name, width, share + (place < remainder)) for place, name in enumerate(BRANCHES)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Stage(nn.Module):
    """Two cells, the second of which also reads the stage's input, scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Cell(width), Cell(width)
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x) + x * self.scale)
        return out


class ByHand(nn.Module):
    """The EnvelopeNet 32/2-2/6 as anybody would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*block(SHAPE[0], WIDTH, 3))
        self.stage0, self.stage1 = Stage(WIDTH), Stage(2 * WIDTH)
        self.pool, self.widen = nn.MaxPool2d(2), nn.Sequential(*block(WIDTH, WIDTH, 3, 2))
        self.head = nn.Linear(2 * WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage0(self.stem(x))
        x = self.stage1(torch.cat([self.pool(x), self.widen(x)], 1))
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


def task() -> Task:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (1000, *SHAPE[1:], SHAPE[0]), dtype=np.uint8)
    examples = Examples(inputs, np.arange(1000) % CLASSES)
    data = Dataset("noise", "noise", tuple(map(str, range(CLASSES))), examples, None, None)
    return Task(data, split(data), Recipe(BATCH, Sgd(0.05), Constant()))


def by_hand(task: Task) -> Callable[[int], None]:
    """Return what trains the hand-written network for some steps, on the same kind of batches."""
    network = ByHand().train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, 0.05, 0.9, nesterov=True, fused=True)
    inputs, labels = torch.from_numpy(task.fitting.inputs), torch.from_numpy(task.fitting.labels)

    def train(steps: int) -> None:
        for _ in range(steps):
            index = torch.randint(0, len(labels), (BATCH,))
            x = inputs[index].float().sub_(127.0).mul_(1 / 64).permute(0, 3, 1, 2)
            loss = functional.cross_entropy(network(x), labels[index])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            loss.item()

    return train


def network() -> Architecture:
    space = envelope(SHAPE, CLASSES, width=WIDTH, cells=(2, 2), max_cells=(2, 2), head_dropout=0.0)
    return space.space.close(space.initial())


def spec_parameters() -> int:
    return costs(network()).parameters


def by_spec(task: Task, probes: tuple[str, ...]) -> Callable[[int], None]:
    learner = TorchBackend("cpu").build(network(), Fit(), task, 0)
    learner.watch(dict.fromkeys(probes, ()))
    return lambda steps: learner.fit(steps, 1_000_000, lambda step, loss, accuracy, rate: None)


def ratio(one: Callable[[int], None], other: Callable[[int], None], pairs: int, steps: int) -> float:
    """Return the median of the CPU seconds of `one` over those of `other`, run in turn."""
    for run in (one, other):
        run(2)
    ratios = []
    for pair in range(pairs):
        seconds = {}
        for run in (one, other) if pair % 2 else (other, one):
            began = process_time()
            run(steps)
            seconds[run] = process_time() - began
        ratios.append(seconds[one] / seconds[other])
    return median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs: under 50 s")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs, steps = (7, 3) if options.quick else (41, 10)
    found = task()
    by_hand_parameters = sum(p.numel() for p in ByHand().parameters())
    assert by_hand_parameters == spec_parameters(), "the two networks are not the same"
    plain, probed = by_spec(found, ()), by_spec(found, PROBES)
    step_ratio = ratio(plain, by_hand(found), pairs, steps)
    probe_ratio = ratio(probed, plain, pairs, steps)
    print(f"{pairs} pairs of {steps} steps, batch {BATCH}, {options.threads} thread(s), medians of ratios")
    print(json.dumps({"step_ratio": round(step_ratio, 4), "probe_ratio": round(probe_ratio, 4), "pairs": pairs}))


if __name__ == "__main__":
    main()
