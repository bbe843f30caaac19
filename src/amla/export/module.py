"""The plain source of a network as a PyTorch module with its weights: what ONNX and programs are made from."""

from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from amla.export.source import Facts, renamed, source
from amla.spec.architecture import Architecture
from amla.trials.snapshot import Arrays


def module(architecture: Architecture, weights: Arrays, facts: Facts) -> nn.Module:
    """Return the network that the exported source describes, with its weights, ready to be used.

    The source is what `amla.export.source` has just written: names in it are made of letters, digits and underscores,
    and all else are numbers, so nothing of a specification runs as code.
    """
    found = ModuleType("network")
    exec(compile(source(architecture, facts), "network.py", "exec"), found.__dict__)  # noqa: S102
    network: nn.Module = found.Network()
    tensors = {name: torch.from_numpy(array.copy()) for name, array in renamed(architecture, weights).items()}
    network.load_state_dict(tensors)
    return network.eval()


def example(architecture: Architecture, batch: int = 2) -> torch.Tensor:
    """Return made-up inputs of the shape that a network reads, (batch, channels, ...)."""
    shape = architecture.shape
    return torch.randn((batch, *shape), generator=torch.Generator().manual_seed(0))


def save_program(network: nn.Module, inputs: torch.Tensor, path: Path) -> None:
    """Write the network as a program of PyTorch (`torch.export`) for any number of inputs in a batch."""
    batch = torch.export.Dim("batch", min=1)
    torch.export.save(torch.export.export(network, (inputs,), dynamic_shapes=({0: batch},)), str(path))
