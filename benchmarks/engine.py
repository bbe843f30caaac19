"""How fast amla trains on one CPU core, against the same networks written by hand in PyTorch, and against the core.

Prints one JSON object on its last line. Of the EnvelopeNet that the search of 2018 began with, at batches of 50 and
256, and of a plain 3x3 network, at a batch of 250 (networks.py):

    ..._speedup        images per CPU second of amla's whole training step (augmentation, forward pass, loss, backward
                       pass, optimiser) over those of the hand-written module's step on a batch that is prepared
    ..._peak_fraction  FLOP/s of amla's step (6 x multiply-accumulates x images) over those of torch.mm of 1024^3
    memory_ratio       peak memory of amla's step over that of the hand-written module's, at a batch of 50: the most
                       resident memory above what was resident before the first steps of a fresh process
    probe_ratio        CPU seconds of a step with four probes on every step over those without

The two are processes of their own, which take turns: each is as its users have it. Numbers are medians of ratios of
neighbouring runs with one thread, in an order that alternates: 9 pairs of 3 steps, at the large batches 3 and 5 of 1;
with --quick, 2, 1 and 1 of 1, the large EnvelopeNet without a step to warm up.

    python benchmarks/engine.py [--quick]
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from networks import CLASSES, PAIRS, SHAPE
from torch.nn import functional

from amla.backends.torch.backend import TorchBackend
from amla.spec.costs import costs, training_flops
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.recipe import Augment, Constant, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.trial import Fit

PROBES = ("msss", "variance", "mean", "scale")
RATE, DECAY = 0.02, 5e-4
STEPS = 10**6  # of the schedule
BATCHES = {"envelopenet_b50": ("construction", 50), "envelopenet_b256": ("construction", 256), "plain": ("plain", 250)}

Run = Callable[[int], None]  # trains for so many steps


def by_hand(network: str, batch: int, compiled: bool = False) -> Run:
    """Return what trains the hand-written module, on one batch that is on hand."""
    module = PAIRS[network][1]().train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decayed = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, RATE, 0.9, nesterov=True, fused=True)
    images = torch.randn(batch, *SHAPE).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % CLASSES
    compute: Callable[[torch.Tensor], torch.Tensor] = torch.compile(module) if compiled else module

    def run(steps: int) -> None:
        for _ in range(steps):
            loss = functional.cross_entropy(compute(images), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return run


def by_amla(network: str, batch: int, probes: tuple[str, ...] = ()) -> Run:
    """Return what trains amla's network, on images that it augments."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1000, *SHAPE[1:], SHAPE[0]), dtype=np.uint8)
    examples = Examples(images, np.arange(1000) % CLASSES)
    data = Dataset("noise", "noise", tuple(map(str, range(CLASSES))), examples, None, None)
    recipe = Recipe(batch, Sgd(RATE), Constant(), weight_decay=DECAY, augment=Augment(flip=True, shift=4))
    learner = TorchBackend("cpu").build(PAIRS[network][0](), Fit(), Task(data, split(data), recipe), 0)
    learner.watch(dict.fromkeys(probes, ()))
    return lambda steps: learner.fit(steps, STEPS, lambda step, loss, accuracy, rate: None)


def with_probes(network: str, batch: int) -> Run:
    return by_amla(network, batch, PROBES)


KINDS: dict[str, Callable[[str, int], Run]] = {"hand": by_hand, "amla": by_amla, "probes": with_probes}


def work() -> None:
    """Do what the lines of the standard input ask for, and answer each with a line: CPU seconds, bytes."""
    torch.set_num_threads(1)
    runs: dict[tuple[str, str], Run] = {}
    for line in sys.stdin:
        kind, of, steps = line.split()
        if (kind, of) not in runs:
            runs[kind, of] = KINDS[kind](*BATCHES[of])
        resident = _restart_peak()
        began = process_time()
        runs[kind, of](int(steps))
        print(process_time() - began, _status("VmHWM") - resident, flush=True)


class Worker:
    """A process that trains."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, "--work"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603

    def begin(self, kind: str, of: str, steps: int) -> None:
        """Let it run some steps."""
        assert self.process.stdin
        self.process.stdin.write(f"{kind} {of} {steps}\n")
        self.process.stdin.flush()

    def end(self) -> tuple[float, float]:
        """Return the CPU seconds that they took, and the bytes that became resident at most."""
        assert self.process.stdout
        seconds, peak = map(float, self.process.stdout.readline().split())
        return seconds, peak

    def seconds(self, kind: str, of: str, steps: int) -> float:
        """Return the CPU seconds of a step."""
        self.begin(kind, of, steps)
        return self.end()[0] / steps


# Steps to warm up, pairs, and steps of each.
FULL = {"envelopenet_b50": (3, 9, 3), "envelopenet_b256": (1, 3, 1), "plain": (1, 5, 1)}
QUICK = {"envelopenet_b50": (1, 2, 1), "envelopenet_b256": (0, 1, 1), "plain": (1, 1, 1)}


def measured(quick: bool) -> dict[str, float]:
    workers = {"hand": Worker(), "amla": Worker()}
    workers["probes"] = workers["amla"]
    found: dict[str, float] = {}
    peak: list[float] = []
    for of, (warm, pairs, steps) in (QUICK if quick else FULL).items():
        kinds = ("hand", "amla", "probes") if of == "envelopenet_b50" else ("hand", "amla")
        for kind in ("hand", "amla"):  # side by side: this is not timed
            workers[kind].begin(kind, of, warm)
        memory = {kind: workers[kind].end()[1] for kind in ("hand", "amla")}
        if "probes" in kinds:
            found["memory_ratio"] = memory["amla"] / memory["hand"]
            workers["probes"].seconds("probes", of, warm)
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for pair in range(pairs):
            peak.append(_gemm())
            for kind in kinds[:: 1 if pair % 2 else -1]:
                seconds[kind].append(workers[kind].seconds(kind, of, steps))
        found[f"{of}_speedup"] = _ratio(seconds["hand"], seconds["amla"])
        network, batch = BATCHES[of]
        flops = training_flops(costs(PAIRS[network][0]()).macs, batch)
        found[f"{of}_peak_fraction"] = flops / median(seconds["amla"]) / median(peak)
        if "probes" in kinds:
            found["probe_ratio"] = _ratio(seconds["probes"], seconds["amla"])
        print(of, {kind: f"{median(s):.3f} s a step" for kind, s in seconds.items()}, f"{pairs} pairs of {steps}")
    print(f"torch.mm: {median(peak) / 1e9:.1f} GFLOP a CPU second")
    return found


def _ratio(one: list[float], other: list[float]) -> float:
    return median(a / b for a, b in zip(one, other, strict=True))


def _gemm() -> float:
    """Return FLOPs per CPU second of a matrix product."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    seconds = []
    for _ in range(5):
        began = process_time()
        torch.mm(a, b)
        seconds.append(process_time() - began)
    return float(2 * 1024**3 / median(seconds))


def _restart_peak() -> float:
    """Let the peak of resident memory begin with what is resident now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> float:
    """Return a number of /proc/self/status, in bytes."""
    found = re.search(rf"^{name}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return 1024.0 * int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pairs: under 50 s")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work()
        return
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    names = (
        "envelopenet_b50_speedup", "envelopenet_b256_speedup", "envelopenet_b256_peak_fraction", "plain_speedup",
        "plain_peak_fraction", "memory_ratio", "probe_ratio",
    )  # fmt: skip
    found = measured(options.quick)
    print(json.dumps({name: round(found[name], 4) for name in names}))


if __name__ == "__main__":
    main()
