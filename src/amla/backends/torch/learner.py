"""A network in training with PyTorch: optimiser, schedule, averaged weights, scores and snapshots."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from amla.backends.initial import initial
from amla.backends.protocol import Beat
from amla.backends.torch.ablation import losses_without
from amla.backends.torch.crew import Alone, Crew, Forward
from amla.backends.torch.curve import Lines
from amla.backends.torch.data import Batches, reduced
from amla.backends.torch.dropping import Dropping
from amla.backends.torch.faults import memory_faults
from amla.backends.torch.growing import inherit, remember, settle
from amla.backends.torch.losses import Loss
from amla.backends.torch.network import Network, laid_out, read_arrays, write_arrays
from amla.backends.torch.norms import set_norms, setting
from amla.backends.torch.optimisers import Mover
from amla.backends.torch.precision import faster
from amla.backends.torch.scoring import SCORING_BATCH, scored
from amla.backends.torch.watching import Watch
from amla.backends.whitening import whitened
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import at_scale, costs, training_flops
from amla.spec.supernet import supernet
from amla.tasks.recipe import Augment, rate
from amla.tasks.task import Task
from amla.trials.inheritance import Inheritance
from amla.trials.snapshot import Snapshot, ungrouped
from amla.trials.trial import Cost, SamplePaths, Table

SAMPLED = SamplePaths().kind


class TorchLearner:
    """Trains the weights of a closed architecture (the method `fit`), alone or in a crew."""

    def __init__(
        self, architecture: Architecture, task: Task, seed: int, device: torch.device, crew: Alone | Crew
    ) -> None:
        self.architecture, self.task, self.seed, self.device = architecture, task, seed, device
        self._crew = crew
        self.steps, self._horizon = 0, 1
        self._network = Network(architecture, crew.rewrites)
        drawn = initial(architecture, seed, task.recipe.start)
        frozen = whitened(architecture, task, drawn) if task.recipe.whiten else {}
        write_arrays(self._network.tensors(), {**drawn, **frozen})
        laid_out(self._network, device, task.shape)
        self._tensors = self._network.tensors()
        for name in frozen:
            self._tensors[name].requires_grad_(False)
        self._weights = {name: w for name, w in self._network.parameters_by_name().items() if w.requires_grad}
        self._mover = Mover(task.recipe, architecture, self._weights)
        self._average = {name: t.detach().clone() for name, t in self._tensors.items()} if task.recipe.ema else {}
        self._dropping = Dropping(self._network.layers, device, crew.place)
        self._batches: Batches | None = None
        self._loss = Loss(task, device)
        self.watch({})

    def watch(self, probes: Mapping[str, tuple[NodeId, ...]]) -> None:
        """Begin a leg: watch what `probes` name, from nothing."""
        self._watch = Watch(self._network, self.architecture, probes, self.seed, self._crew.mean)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on exactly if the snapshot is of this architecture and method; else inherit, as `Inheritance` says.

        From an open architecture it inherits what that has along its path.
        """
        if snapshot.architecture != self.architecture:
            self._inherit(snapshot)
            return
        write_arrays(self._tensors, snapshot.weights)
        if snapshot.method != "fit" or not snapshot.resume:
            write_arrays(self._average, snapshot.weights)
            return
        self.steps = snapshot.steps
        groups = ungrouped(snapshot.resume)
        write_arrays(self._average, snapshot.weights)
        write_arrays(self._tensors, groups.pop("raw", {}))
        if seen := groups.pop("seen", {}):
            self._watch.restore(seen)
        self._mover.warm({name: int(since) for name, since in groups.pop("young", {}).items()})
        for name, arrays in groups.items():
            for weight, array in arrays.items():
                self._mover.remember(self._weights[weight], name, array)

    def fit(self, steps: int, horizon: int, beat: Beat) -> None:
        """Train for `steps` of a schedule `horizon` long. Raises Diverged, OutOfMemory."""
        self._horizon = horizon
        self._network.train()
        with memory_faults(), self._crew.training(self._network, self.steps) as network:
            self._fit(network, steps, horizon, beat)

    def statistics(self) -> Mapping[str, Table]:
        """Return the readings of the probes since the leg began."""
        with memory_faults():
            return self._watch.statistics(self._losses_without)

    def score(self) -> Table:
        """Return accuracy, loss and number of examples of the held-out part; of the test part, each class's too."""
        held_out = self.task.held_out
        if held_out is None:
            return {}
        batches = Batches(held_out, self.task.moments, SCORING_BATCH, self.device)
        with memory_faults(), self._averaged():
            self._network.eval()
            return scored(self._network, batches, self.task)

    def cost(self, steps: int) -> Cost:
        """Return what the last `steps` of training took, counted from the network."""
        batch = min(self.task.recipe.batch, len(self.task.fitting.labels))
        scales = Counter(self._scale(step, self._horizon) for step in range(self.steps - steps, self.steps))
        counted = {scale: costs(at_scale(self.architecture, scale)).training_macs for scale in scales}
        return Cost(
            self.device.type, sum(training_flops(counted[scale], times * batch) for scale, times in scales.items())
        )

    def snapshot(self) -> Snapshot:
        """Return the weights that are scored, and all that is needed to go on exactly."""
        resume = {
            f"{key}/{name}": array
            for name, weight in self._weights.items()
            for key, array in read_arrays(self._mover.state(weight)).items()
        }
        resume |= {f"young/{name}": np.asarray(since) for name, since in self._mover.young.items()}
        resume |= {f"seen/{name}": array for name, array in self._watch.arrays().items()}
        if self._average:
            resume |= {f"raw/{name}": array for name, array in read_arrays(self._tensors).items()}
        weights = read_arrays(self._average or self._tensors)
        return Snapshot(self.architecture, "fit", self.steps, weights, resume)

    def _inherit(self, snapshot: Snapshot) -> None:
        """Take over what a learner of another architecture has learned; steps, of the whole lineage, go on."""
        parent = supernet(snapshot.architecture)
        inheritance = Inheritance(parent, self.architecture)
        resume, self.steps = ungrouped(snapshot.resume), snapshot.steps
        inherit(inheritance, snapshot.weights, resume, self._tensors, self._average)
        remember(inheritance, resume, self._weights, self._mover, self.steps)
        if snapshot.method == SAMPLED:  # whose statistics are of all paths alike
            with memory_faults(), faster(self.task.recipe, self.device):
                batches = setting(self._training_batches(), self.seed)
                set_norms(self._network, batches, partial(self._network.without, None))
            _copy({name: self._tensors[name] for name in self._average}, self._average)
        if not inheritance.settled:
            return
        inputs, _ = self._training_batches().training(self.seed, self.steps, Augment())
        with memory_faults(), faster(self.task.recipe, self.device):
            settle(self._network, inheritance.settled, inputs)
            if self._average:
                with self._averaged():
                    settle(self._network, inheritance.settled, inputs)
                    _copy({name: self._tensors[name] for name in self._average}, self._average)

    def _losses_without(self, nodes: tuple[NodeId, ...]) -> Mapping[NodeId | None, float]:
        held_out = self.task.held_out
        if held_out is None:
            return {None: 0.0}
        with self._averaged(), faster(self.task.recipe, self.device):
            return losses_without(self._network, nodes, held_out, self.task.moments, self.device)

    def _fit(self, network: Forward, steps: int, horizon: int, beat: Beat) -> None:
        recipe, batches, crew = self.task.recipe, self._training_batches(), self._crew
        lines = Lines(beat, crew.mean)
        for step in range(self.steps, self.steps + steps):
            inputs, labels = crew.share(*batches.training(self.seed, step, recipe.augment))
            inputs = reduced(inputs, self._scale(step, horizon))
            self._dropping.begin(self.seed, step, horizon)
            with faster(self.task.recipe, self.device):
                logits = network(inputs)
            logits = logits.float()
            loss = self._loss(logits, labels)
            total = self._with_heads(loss, labels)
            self._watch.look()
            total.backward()  # type: ignore[no-untyped-call]
            self._watch.feel()
            factor = rate(recipe.schedule, step, horizon)
            self._mover.move(factor, step)
            self.steps = step + 1
            self._remember()
            lines.add(self.steps, loss, logits, labels, recipe.optimiser.rate * factor)
        lines.flush()

    def _with_heads(self, loss: Tensor, labels: Tensor) -> Tensor:
        """Add the losses of auxiliary heads, each by its weight."""
        for head, weight in self.architecture.heads.items():
            loss = loss + weight * self._loss(self._network.heads[head].float(), labels)
        return loss

    def _scale(self, step: int, horizon: int) -> float:
        """Return by how much the images of a step are made smaller in each axis."""
        small = self.task.recipe.small
        return small.scale if small and step < small.until * horizon else 1

    def _remember(self) -> None:
        """Move the averaged weights."""
        if self._average and self.task.recipe.ema:
            # the average of few steps is of those steps: decay rises to its value as t / (9 + t)
            decay = min(self.task.recipe.ema, self.steps / (9 + self.steps))
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


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, tensor in source.items():
        target[name].copy_(tensor)
