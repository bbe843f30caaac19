"""Does growing without forgetting help NAC? The same search with new weights for each network, and with inherited ones.

Both arms construct as many networks and train each for as many steps, at one constant rate, so they cost about the
same. What they construct may differ: statistics are of other weights. With --same both train the same networks, those
that the arm with new weights constructs, so that only the weights they begin with differ.

Prints one JSON object on its last line: for each arm and construction the mean over seeds of the validation accuracy
(`fresh_0`, `heir_0`, ...; the first network is trained alike), `gain` and `gain_spread`, the mean and the standard
deviation over seeds of the difference after the last construction; `start_loss_ratio` is the median of the loss that an
heir begins with over that of its parent, 1 where growing and pruning changed nothing.

    python benchmarks/inherit.py [--quick] [--data cifar10] [--seeds 5] [--steps 200] [--width 24] [--stride 1]
                                 [--same]
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory

from amla.algorithms.nac import Nac
from amla.backends.protocol import Learner
from amla.backends.torch.backend import TorchBackend
from amla.evaluation.train import Training
from amla.spaces.envelope import Envelope, envelope
from amla.spec.architecture import Architecture
from amla.storage.files import Files
from amla.tasks.dataset import split
from amla.tasks.load import load
from amla.tasks.recipe import Augment, Constant, Recipe, Sgd
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.progress import silent
from amla.trials.trial import Measurement, Method, Proposal

ITERATIONS = 4


@dataclass
class Looking:
    """The PyTorch backend; its learners score themselves when they have inherited."""

    losses: list[float] = field(default_factory=list)

    def build(self, architecture: Architecture, method: Method, task: Task, seed: int) -> Learner:
        learner = TorchBackend("cpu", 1).build(architecture, method, task, seed)
        restore = learner.restore

        def seen(snapshot: object) -> None:
            restore(snapshot)  # type: ignore[arg-type]
            self.losses.append(learner.score()["loss"])

        learner.restore = seen  # type: ignore[method-assign]
        return learner


def task_of(data: str, batch: int) -> Task:
    dataset = load(data, data_dir=Path(where) if (where := os.environ.get("AMLA_DATA")) else None)
    photos = dataset.shape[0] == 3
    recipe = Recipe(batch, Sgd(0.05), Constant(), augment=Augment(flip=photos, shift=dataset.shape[1] // 8))
    return Task(dataset, split(dataset, validation=0.1, seed=0), recipe)


def space_of(task: Task, width: int, stride: int) -> Envelope:
    return envelope(
        task.shape, task.classes, width=width, stem_stride=stride, cells=(1, 1), max_cells=(1 + ITERATIONS,) * 2
    )


def search(task: Task, nac: Nac, given: Sequence[Architecture] = ()) -> tuple[History, list[float]]:
    """Return a search, and the losses that heirs began with. Networks `given` are trained in place of constructions."""
    backend, history = Looking(), History()
    with TemporaryDirectory() as folder:
        train = Training("search", backend, task, Files(folder))
        while proposal := following(given, nac, history) if given else nac.ask(history):
            history = history.asked(proposal)
            outcome = train(history.trials[-1], silent)
            assert isinstance(outcome, Measurement), outcome
            history = history.told(len(history) - 1, outcome)
    return history, backend.losses


def following(given: Sequence[Architecture], nac: Nac, history: History) -> Proposal | None:
    """Return the next of the networks given, as an heir of the last."""
    if len(history) == len(given):
        return None
    start = len(history) - 1 if len(history) else None
    horizon = len(given) * nac.steps
    return Proposal(given[len(history)], nac.steps, start=start, horizon=horizon, seed=nac.seed)


def accuracies(history: History) -> list[float]:
    return [trial.measurement.metrics["accuracy"] for trial in history.done]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="digits, 2 seeds, 60 steps, width 12: under a minute")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--stride", type=int, default=1, help="of the stem")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--same", action="store_true", help="train the same networks in both arms")
    options = parser.parse_args()
    if options.quick:
        options.data, options.seeds, options.steps, options.width = "digits", 2, 60, 12
    task = task_of(options.data, options.batch)
    space = space_of(task, options.width, options.stride)
    arms: dict[str, list[list[float]]] = {"fresh": [], "heir": []}
    ratios: list[float] = []
    for seed in range(options.seeds):
        nac = Nac(space, options.steps, ITERATIONS, seed=seed)
        fresh, _ = search(task, nac)
        given = [trial.proposal.architecture for trial in fresh.done] if options.same else ()
        heir, begun = search(task, replace(nac, inherit=True), given)
        for arm, history in (("fresh", fresh), ("heir", heir)):
            arms[arm].append(accuracies(history))
            print(f"seed {seed} {arm:5s}", "  ".join(f"{accuracy:.3f}" for accuracy in arms[arm][-1]), flush=True)
        before = [trial.measurement.metrics["loss"] for trial in heir.done]
        ratios += [after / loss for after, loss in zip(begun, before, strict=False)]
    figures = {
        f"{arm}_{place}": round(mean(of), 4)
        for arm, seeds in arms.items()
        for place, of in enumerate(zip(*seeds, strict=True))
    }
    gains = [heir[-1] - fresh[-1] for heir, fresh in zip(arms["heir"], arms["fresh"], strict=True)]
    spread = stdev(gains) if len(gains) > 1 else 0.0
    print(
        json.dumps(
            figures
            | {"gain": round(mean(gains), 4), "gain_spread": round(spread, 4)}
            | {"start_loss_ratio": round(median(ratios), 3), "seeds": options.seeds, "steps": options.steps}
        )
    )


if __name__ == "__main__":
    main()
