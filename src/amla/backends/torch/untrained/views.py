"""What the scores of an untrained network are made of: fresh networks, a batch of the data, and noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amla.backends.initial import initial, standard
from amla.backends.torch.data import Batches
from amla.backends.torch.network import MEMORY_FORMATS, Network, laid_out, write_arrays
from amla.spec.architecture import Architecture
from amla.spec.values import SpecError
from amla.tasks.dataset import Examples
from amla.tasks.task import Task

DATA, NOISE, SIGNS = 21, 22, 23  # what random numbers are for, besides those of `data` and of one-shot methods
DRAWN = 4  # times as many examples are drawn as are looked at, at most, as some may be the same


@dataclass(frozen=True)
class View:
    """A closed network without auxiliary heads, to be looked at with the weights of a seed."""

    architecture: Architecture
    task: Task
    seed: int
    device: torch.device
    examples: int

    def network(self, even: bool = False) -> Network:
        """Return the network with its initial weights; with `even`, those of variance 1. Nothing is trained in it."""
        draw = standard if even else initial
        return self.made(self.architecture, draw(self.architecture, self.seed))

    def made(self, architecture: Architecture, arrays: Mapping[str, NDArray[np.float32]]) -> Network:
        """Return a network with the given weights, no two of its steps fused."""
        network = Network(architecture, rewrites=())
        write_arrays(network.tensors(), arrays)
        laid_out(network, self.device, self.task.shape)
        network.requires_grad_(False)
        return network

    def batch(self) -> Tensor:
        """Return (examples, channels, *spatial): normalised training examples, all different.

        Fewer where the data have no more. Raises SpecError where they have not two.
        """
        some = distinct(self.task.fitting, self.examples, self.seed)
        if len(some.labels) < 2:
            raise SpecError("The training part has not two different examples; scores compare several.")
        batches = Batches(some, self.task.moments, len(some.labels), self.device)
        return next(batches.scoring(len(some.labels)))[0]

    def noise(self, number: int) -> Tensor:
        """Return (examples, channels, *spatial) of standard normal numbers, the `number`th such."""
        rng = np.random.default_rng((self.seed, NOISE, number))
        drawn = torch.from_numpy(rng.standard_normal((self.examples, *self.task.shape), dtype=np.float32))
        drawn = drawn.to(self.device)
        if memory_format := MEMORY_FORMATS.get(len(self.task.shape)):
            drawn = drawn.contiguous(memory_format=memory_format)
        return drawn

    def signs(self, number: int, like: Tensor) -> Tensor:
        """Return +1 and -1 at random in the shape of a tensor, the `number`th such."""
        rng = np.random.default_rng((self.seed, SIGNS, number))
        drawn = rng.integers(0, 2, tuple(like.shape), dtype=np.int8)
        return torch.from_numpy(drawn).to(like) * 2 - 1


def distinct(examples: Examples, most: int, seed: int) -> Examples:
    """Return up to `most` examples, drawn by the seed, no two of which are the same."""
    order = np.random.default_rng((seed, DATA)).permutation(len(examples.labels))[: DRAWN * most]
    _, first = np.unique(examples.inputs[order].reshape(len(order), -1), axis=0, return_index=True)
    return examples.only(order[np.sort(first)[:most]])
