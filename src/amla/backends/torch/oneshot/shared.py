"""The weights that all closings of an open architecture share, in training: network, optimiser, losses and scores."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amla.backends.initial import initial
from amla.backends.torch.data import Batches, reduced
from amla.backends.torch.dropping import Dropping
from amla.backends.torch.losses import Loss
from amla.backends.torch.network import laid_out, read_arrays, write_arrays
from amla.backends.torch.norms import set_norms, setting
from amla.backends.torch.oneshot.supernet import Shares, Supernet
from amla.backends.torch.optimisers import Mover
from amla.backends.torch.precision import faster
from amla.backends.torch.scoring import SCORING_BATCH, scored
from amla.backends.whitening import whitened
from amla.spec.architecture import Architecture
from amla.spec.supernet import supernet
from amla.tasks.dataset import Examples
from amla.tasks.recipe import rate
from amla.tasks.task import Task
from amla.trials.snapshot import Arrays
from amla.trials.trial import Table


class SharedWeights:
    """Trains what `shares` let through. Scored and kept are the weights themselves, whatever the recipe averages."""

    def __init__(
        self, architecture: Architecture, task: Task, seed: int, device: torch.device, affine: bool = True
    ) -> None:
        self.architecture, self.task, self.seed, self.device = architecture, task, seed, device
        whole = supernet(architecture)
        self.network = Supernet(architecture)
        drawn = initial(whole, seed, task.recipe.start)
        frozen = whitened(whole, task, drawn) if task.recipe.whiten else {}
        write_arrays(self.network.tensors(), {**drawn, **frozen})
        laid_out(self.network, device, task.shape)
        self.tensors = self.network.tensors()
        for name in (*frozen, *(() if affine else _affine(architecture, self.tensors))):
            self.tensors[name].requires_grad_(False)
        self.weights = {
            name: tensor
            for name, tensor in self.tensors.items()
            if isinstance(tensor, torch.nn.Parameter) and tensor.requires_grad
        }
        self._mover = Mover(task.recipe, whole, self.weights)
        self._mover.begin()
        self._dropping = Dropping(self.network.layers, device)
        self._setting: list[Tensor] | None = None
        self._loss = Loss(task, device)

    def batches(self, examples: Examples, size: int) -> Batches:
        """Return examples as batches of `size` on the device."""
        return Batches(examples, self.task.moments, size, self.device)

    def scale(self, step: int, horizon: int) -> float:
        """Return by how much the images of a step are made smaller in each axis."""
        small = self.task.recipe.small
        return small.scale if small and step < small.until * horizon else 1

    def loss(
        self, shares: Shares, batch: tuple[Tensor, Tensor], step: int, horizon: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss that is to fall, auxiliary heads included, that of the output alone, and the logits."""
        inputs, labels = batch
        recipe = self.task.recipe
        self._dropping.begin(self.seed, step, horizon)
        with faster(recipe, self.device):
            logits = self.network(reduced(inputs, self.scale(step, horizon)), shares).float()
        loss = total = self._loss(logits, labels)
        for head, found in self.network.heads.items():
            total = total + self.architecture.heads[head] * self._loss(found.float(), labels)
        return total, loss, logits

    def move(self, step: int, horizon: int) -> float:
        """Move the weights along their gradients, forget those, and return the learning rate."""
        factor = rate(self.task.recipe.schedule, step, horizon)
        self._mover.move(factor, step)
        return self.task.recipe.optimiser.rate * factor

    def scored(self, shares: Shares, examples: Examples) -> Table:
        """Return what the network scores, as it stands."""
        self.network.eval()
        return scored(lambda inputs: self.network(inputs, shares), self.batches(examples, SCORING_BATCH), self.task)

    def set_norms(self, shares: Shares, fitting: Batches) -> None:
        """Set batch normalisation for these shares, by training examples as they are without augmentation."""
        if self._setting is None:
            self._setting = list(setting(fitting, self.seed))
        with faster(self.task.recipe, self.device):
            set_norms(self.network, self._setting, lambda inputs: self.network(inputs, shares))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of all weights and buffers by canonical name."""
        return read_arrays(self.tensors)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what the optimiser remembers, as "<kind>/<weight>"."""
        return {
            f"{kind}/{name}": array
            for name, weight in self.weights.items()
            for kind, array in read_arrays(self._mover.state(weight)).items()
        }

    def restore(self, weights: Arrays, state: Mapping[str, Arrays]) -> None:
        """Take weights, and what was remembered of them by kind, as far as they are of the same name and shape."""
        write_arrays(self.tensors, weights)
        for kind, arrays in state.items():
            for name, array in arrays.items():
                if name in self.weights and name in weights and weights[name].shape == tuple(self.weights[name].shape):
                    self._mover.remember(self.weights[name], kind, array)


def _affine(architecture: Architecture, tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the learned scales and shifts of batch normalisation."""
    norms = {node.id for node in architecture if node.op.kind == "batch_norm"}
    return [
        name for name in tensors if name.rsplit(".", 1)[0] in norms and name.rsplit(".", 1)[1] in ("scale", "shift")
    ]
