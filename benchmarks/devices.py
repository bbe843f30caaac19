"""One network on several devices against one: how far apart what they train is, and how long a step takes.

    python benchmarks/devices.py --devices 2 --channels 16

trains three convolutions with what follows them for some steps, first on one device, then on several, with the same
batches of made-up images. On GPUs, `--device cuda`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from amla.backends.protocol import Member
from amla.backends.torch.backend import TorchBackend
from amla.execution.crew import CrewExecutor
from amla.execution.work import Evaluate, Work
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.recipe import Augment, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.progress import Report
from amla.trials.trial import Fit, Measurement, Outcome, Proposal, Trial

CLASSES = 10
NORMALISATION: dict[str, tuple[ops.Op, ...]] = {
    "none": (),
    "of layers": (ops.LayerNorm(),),
    "of batches": (ops.BatchNorm(),),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--pixels", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1, help="of each process, the single one too")
    given = parser.parse_args()

    def work(number: int, meeting: Path) -> Work:
        member = {"number": number, "of": given.devices, "meeting": str(meeting)}
        return Work("devices:evaluator", json.dumps({**vars(given), "member": member}))

    print("normalisation  loss, at most apart  weight, relative  ms/step on 1  on", given.devices)
    with (
        TemporaryDirectory() as folder,
        CrewExecutor(work, size=given.devices, meetings=Path(folder) / "crew", threads=given.threads) as crew,
    ):
        for number, name in enumerate(NORMALISATION):
            crew.submit(Trial(number, Proposal(network(name, given.channels, given.pixels), given.steps)))
            ((_, outcome),) = crew.wait()
            if not isinstance(outcome, Measurement):
                raise SystemExit(outcome.message)
            m = outcome.metrics
            print(f"{name:13}  {m['loss']:19.1e}  {m['weight']:16.1e}  {m['alone']:12.2f}  {m['together']:.2f}")


def network(normalisation: str, channels: int, pixels: int) -> Architecture:
    """Return three convolutions, each with a normalisation and an activation after it."""
    nodes = [Node("image", ops.Input((3, pixels, pixels)))]
    for number in range(3):
        for op in (ops.Conv(channels, (3, 3)), *NORMALISATION[normalisation], ops.Activation("relu")):
            nodes.append(Node(f"{op.kind}{number}", op, (nodes[-1].id,)))
    nodes.append(Node("pool", ops.GlobalPool(), (nodes[-1].id,)))
    return Architecture((*nodes, Node("logits", ops.Classify(CLASSES), ("pool",))))


def evaluator(config: str) -> Evaluate:
    """Return what trains a trial's network, in one of the processes."""
    given = json.loads(config)
    of = given["member"]

    def evaluate(trial: Trial, report: Report) -> Outcome:
        task = made_up(given["pixels"], given["batch"])
        member = Member(of["number"], of["of"], f"{of['meeting']}/{trial.id}")
        losses, weights, together = trained(TorchBackend(given["device"], given["threads"], member), task, trial)
        if member.number:
            return Measurement({})
        other_losses, other_weights, alone = trained(TorchBackend(given["device"], given["threads"]), task, trial)
        apart = [np.abs(weights[name] - other).max() / np.abs(other).max() for name, other in other_weights.items()]
        metrics = {
            "loss": max(abs(one - other) for one, other in zip(losses, other_losses, strict=True)),
            "weight": float(max(apart)),
            "alone": 1e3 * median(alone),
            "together": 1e3 * median(together),
        }
        return Measurement(metrics)

    return evaluate


def trained(
    backend: TorchBackend, task: Task, trial: Trial
) -> tuple[Sequence[float], dict[str, np.ndarray], Sequence[float]]:
    """Return the loss of every step, the weights after the last one, and the seconds of every step."""
    learner = backend.build(trial.proposal.architecture, Fit(), task, trial.proposal.seed)
    losses: list[float] = []
    seconds: list[float] = []
    for _ in range(trial.proposal.budget):
        began = perf_counter()
        learner.fit(1, trial.proposal.budget, lambda step, loss, accuracy, rate: losses.append(loss))
        seconds.append(perf_counter() - began)
    return losses, dict(learner.snapshot().weights), seconds


def made_up(pixels: int, batch: int) -> Task:
    """Return images of noise in which the brightness of one channel says a little of the class."""
    rng = np.random.default_rng(0)
    labels = np.arange(20 * batch, dtype=np.int64) % CLASSES
    inputs = rng.integers(0, 120, (len(labels), pixels, pixels, 3), dtype=np.uint8)
    inputs[..., 0] += (labels * 10).astype(np.uint8).reshape(-1, 1, 1)
    data = Dataset("noise", "0" * 8, tuple(map(str, range(CLASSES))), Examples(inputs, labels), None, None)
    return Task(data, split(data), Recipe(batch, Sgd(0.05), augment=Augment(flip=True, shift=1, cutout=2)))


if __name__ == "__main__":
    main()
