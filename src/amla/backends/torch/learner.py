"""A network in training with PyTorch: optimiser, schedule, averaged weights, scores and snapshots."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.initial import initial
from amla.backends.protocol import Beat, Diverged, OutOfMemory
from amla.backends.torch.data import DROP, Batches, mixed
from amla.backends.torch.network import Network, read_arrays, write_arrays
from amla.backends.torch.watching import Watch
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import costs, training_flops
from amla.tasks.recipe import AdamW, Sgd, rate
from amla.tasks.task import Task
from amla.trials.snapshot import Arrays, Snapshot
from amla.trials.trial import Cost, Table

SCORING_BATCH = 500
# By the number of axes of an example. Channels last makes convolutions on a CPU two to four times faster.
_MEMORY_FORMATS = {3: torch.channels_last, 4: torch.channels_last_3d}


class TorchLearner:
    """Trains the weights of a closed architecture (the method `fit`)."""

    def __init__(self, architecture: Architecture, task: Task, seed: int, device: torch.device) -> None:
        self.architecture, self.task, self.seed, self.device = architecture, task, seed, device
        self.steps = 0
        self._network = Network(architecture)
        write_arrays(self._network.tensors(), initial(architecture, seed))
        self._network.to(device)
        if memory_format := _MEMORY_FORMATS.get(len(task.shape)):
            self._network.to(memory_format=memory_format)  # type: ignore[call-overload]
        self._tensors = self._network.tensors()
        self._weights = self._network.parameters_by_name()
        self._optimiser = _optimiser(self._weights, task)
        self._average = {name: t.detach().clone() for name, t in self._tensors.items()} if task.recipe.ema else {}
        self._dropping = torch.Generator(device=device)
        self._network.lend(self._dropping)
        self._batches: Batches | None = None
        self.watch({})

    def watch(self, probes: Mapping[str, tuple[NodeId, ...]]) -> None:
        """Begin a leg: watch what `probes` name, from nothing."""
        self._watch = Watch(self._network, self.architecture, probes)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on exactly if the snapshot is of this architecture and method; else inherit weights of the same name."""
        write_arrays(self._tensors, snapshot.weights)
        if snapshot.architecture != self.architecture or snapshot.method != "fit" or not snapshot.resume:
            write_arrays(self._average, snapshot.weights)
            return
        self.steps = snapshot.steps
        groups = _ungrouped(snapshot.resume)
        write_arrays(self._average, snapshot.weights)
        write_arrays(self._tensors, groups.pop("raw", {}))
        if seen := groups.pop("seen", {}):
            self._watch.restore(seen)
        for name, arrays in groups.items():
            for weight, array in arrays.items():
                self._optimiser.state[self._weights[weight]][name] = _laid_out_as(self._weights[weight], array)

    def fit(self, steps: int, horizon: int, beat: Beat) -> None:
        """Train for `steps` of a schedule `horizon` long. Raises Diverged, OutOfMemory."""
        with _memory_faults():
            self._fit(steps, horizon, beat)

    def statistics(self) -> Mapping[str, Table]:
        """Return the readings of the probes since the leg began."""
        return self._watch.statistics()

    def score(self) -> Table:
        """Return accuracy, loss and number of examples of the held-out part; of the test part, each class's too."""
        held_out = self.task.held_out
        if held_out is None:
            return {}
        batches = Batches(held_out, self.task.moments, SCORING_BATCH, self.device)
        with _memory_faults(), self._averaged(), torch.no_grad():
            self._network.eval()
            classes = self.task.classes
            right, total, loss = torch.zeros(classes), torch.zeros(classes), 0.0
            for inputs, labels in batches.scoring(SCORING_BATCH):
                with self._precision():
                    logits = self._network(inputs).float()
                loss += F.cross_entropy(logits, labels, reduction="sum").item()
                hits = (logits.argmax(1) == labels).float()
                right += torch.bincount(labels, hits, minlength=classes).cpu()
                total += torch.bincount(labels, minlength=classes).cpu()
        metrics = {"accuracy": right.sum().item() / len(batches), "loss": loss / len(batches), "examples": len(batches)}
        if self.task.score_on == "test":
            for number in range(classes):
                metrics |= {f"right/{number}": right[number].item(), f"examples/{number}": total[number].item()}
        return {name: float(number) for name, number in metrics.items()}

    def cost(self, steps: int) -> Cost:
        """Return what `steps` of training take, counted from the network."""
        batch = min(self.task.recipe.batch, len(self.task.fitting.labels))
        return Cost(self.device.type, training_flops(costs(self.architecture).macs, steps * batch))

    def snapshot(self) -> Snapshot:
        """Return the weights that are scored, and all that is needed to go on exactly."""
        resume = {
            f"{key}/{name}": array
            for name, weight in self._weights.items()
            for key, array in read_arrays(_tensors_of(self._optimiser.state.get(weight, {}))).items()
        }
        resume |= {f"seen/{name}": array for name, array in self._watch.arrays().items()}
        if self._average:
            resume |= {f"raw/{name}": array for name, array in read_arrays(self._tensors).items()}
        weights = read_arrays(self._average or self._tensors)
        return Snapshot(self.architecture, "fit", self.steps, weights, resume)

    def _fit(self, steps: int, horizon: int, beat: Beat) -> None:
        recipe, batches = self.task.recipe, self._training_batches()
        self._network.train()
        lines = _Lines(beat)
        for step in range(self.steps, self.steps + steps):
            inputs, labels = batches.training(self.seed, step, recipe.augment)
            self._dropping.manual_seed(mixed(self.seed, DROP, step))
            with self._precision():
                logits = self._network(inputs)
            logits = logits.float()
            loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            self._watch.look()
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            factor = rate(recipe.schedule, step, horizon)
            self._update(factor)
            self.steps = step + 1
            lines.add(self.steps, loss, logits, labels, recipe.optimiser.rate * factor)
        lines.flush()

    def _update(self, factor: float) -> None:
        recipe = self.task.recipe
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(self._weights.values(), recipe.clip)
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.optimiser.rate * factor
        self._optimiser.step()
        if recipe.ema:
            # the average of few steps is of those steps: decay rises to its value as (1 + t) / (10 + t)
            decay = min(recipe.ema, (1 + self.steps) / (10 + self.steps))
            with torch.no_grad():
                torch._foreach_lerp_(list(self._average.values()), list(self._tensors.values()), 1 - decay)

    def _training_batches(self) -> Batches:
        if self._batches is None:
            self._batches = Batches(self.task.fitting, self.task.moments, self.task.recipe.batch, self.device)
        return self._batches

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the network have its averaged weights for a while."""
        if not self._average:
            yield
            return
        raw = {name: tensor.detach().clone() for name, tensor in self._tensors.items()}
        _copy(self._average, self._tensors)
        try:
            yield
        finally:
            _copy(raw, self._tensors)

    def _precision(self) -> AbstractContextManager[object]:
        faster = self.task.recipe.precision == "auto" and self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.autocast(self.device.type, torch.bfloat16) if faster else nullcontext()


class _Lines:
    """Sums losses and hits up between the lines of a learning curve; looks at their values only there."""

    def __init__(self, beat: Beat, every: int = 10) -> None:
        self._beat, self._every = beat, every
        self._losses: list[Tensor] = []
        self._hits: list[Tensor] = []
        self._last = (0, 0.0)

    def add(self, step: int, loss: Tensor, logits: Tensor, labels: Tensor, rate: float) -> None:
        """Take a step in; every tenth, write a line."""
        self._losses.append(loss.detach())
        self._hits.append((logits.detach().argmax(1) == labels).float().mean())
        self._last = (step, rate)
        if step % self._every == 0:
            self.flush()

    def flush(self) -> None:
        """Write a line about the steps since the last one. Raises Diverged."""
        if not self._losses:
            return
        loss, accuracy = torch.stack(self._losses).mean().item(), torch.stack(self._hits).mean().item()
        self._losses, self._hits = [], []
        step, rate = self._last
        if not np.isfinite(loss):
            raise Diverged(f"the training loss was {loss} at step {step}, with a learning rate of {rate:.3g}")
        self._beat(step, loss, accuracy, rate)


def _optimiser(weights: Mapping[str, torch.nn.Parameter], task: Task) -> torch.optim.Optimizer:
    recipe = task.recipe
    groups = [
        {"params": [w for name, w in weights.items() if name.endswith(".kernel")], "weight_decay": recipe.weight_decay},
        {"params": [w for name, w in weights.items() if not name.endswith(".kernel")], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    match recipe.optimiser:
        case Sgd(rate=lr, momentum=momentum, nesterov=nesterov):
            return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov and momentum > 0, fused=True)
        case AdamW(rate=lr, beta1=beta1, beta2=beta2):
            return torch.optim.AdamW(groups, lr=lr, betas=(beta1, beta2), fused=True)


def _laid_out_as(weight: Tensor, array: NDArray[np.generic]) -> Tensor:
    """Return `array` on the weight's device, and in its memory layout, which fused optimisers rely on."""
    state = torch.from_numpy(np.array(array))
    if state.shape != weight.shape:
        return state.to(weight.device)
    return torch.empty_like(weight, requires_grad=False, memory_format=torch.preserve_format).copy_(state)


def _ungrouped(resume: Arrays) -> dict[str, dict[str, NDArray[np.generic]]]:
    groups: dict[str, dict[str, NDArray[np.generic]]] = {}
    for key, array in resume.items():
        group, name = key.split("/", 1)
        groups.setdefault(group, {})[name] = array
    return groups


def _tensors_of(state: Mapping[str, object]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, tensor in source.items():
        target[name].copy_(tensor)


@contextmanager
def _memory_faults() -> Iterator[None]:
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(str(error)) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            raise OutOfMemory(str(error)) from error
        raise
