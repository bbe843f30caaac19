"""How batch normalisation behaves outside ordinary training: anew by the batch, or set for one network among many."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from amla.backends.torch.data import Batches
from amla.backends.torch.layers import BatchNormalisation
from amla.tasks.recipe import Augment

SETTING = 512  # training examples that statistics are set by


def norms_of(network: nn.Module) -> list[BatchNormalisation]:
    """Return the batch normalisations of a network."""
    return [module for module in network.modules() if isinstance(module, BatchNormalisation)]


@contextmanager
def remembering(network: nn.Module, momentum: float) -> Iterator[None]:
    """Let batch normalisation move its statistics by `momentum` a batch; 0: leave them as they are."""
    norms = norms_of(network)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = momentum
    try:
        yield
    finally:
        for norm, before in zip(norms, momenta, strict=True):
            norm.momentum = before


@contextmanager
def normalising_anew(network: nn.Module, momentum: float = 0.0) -> Iterator[None]:
    """Let batch normalisation go by the batch, and its statistics move to it by `momentum`; dropout is off."""
    training = network.training
    network.eval()
    for norm in norms_of(network):
        norm.train()
    try:
        with remembering(network, momentum):
            yield
    finally:
        network.train(training)


@torch.no_grad()
def set_norms(network: nn.Module, batches: Iterable[Tensor], compute: Callable[[Tensor], Tensor]) -> None:
    """Set the statistics of batch normalisation to their means over `batches`; leave the network scoring.

    A network among many that share weights has statistics of its own (Guo et al. 2020, section 3.1; Yu and Huang 2019).
    """
    for number, inputs in enumerate(batches):
        with normalising_anew(network, 1 / (number + 1)):  # the first replaces what was there
            compute(inputs)
    network.eval()


def setting(fitting: Batches, seed: int) -> Iterator[Tensor]:
    """Yield the batches of training examples by which batch normalisation is set: the first ones, unchanged."""
    for step in range(max(1, min(SETTING, len(fitting)) // fitting.batch)):
        yield fitting.training(seed, step, Augment())[0]
