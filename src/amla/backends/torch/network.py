"""An architecture as a PyTorch module: one module a node, run in order."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amla.backends.torch.layers import SeededDropout, layer
from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import shapes
from amla.trials.snapshot import Arrays, weight_name


class Network(nn.Module):
    """The modules of a closed architecture, and the order to run them in.

    `forward` maps a batch to the logits. What `seen` names is kept for reading after a forward pass.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        found = shapes(architecture)
        place = {node.id: number for number, node in enumerate(architecture)}
        self.layers = nn.ModuleList(
            layer(node.op, found[node.inputs[0]] if node.inputs else ()) for node in architecture
        )
        self.channels = {node_id: shape[0] for node_id, shape in found.items()}
        self._nodes = tuple(place)
        self._sources = tuple(tuple(place[source] for source in node.inputs) for node in architecture)
        self._last_read = [max((place[r] for r in architecture.readers[n]), default=-1) for n in place]
        self._program: list[tuple[nn.Module, tuple[int, ...], int, tuple[int, ...]]] = []
        self.seen: dict[NodeId, Tensor] = {}
        self._overwritable = _overwritable(architecture)
        self.watch(())

    def watch(self, nodes: Iterable[NodeId]) -> None:
        """Keep the outputs of `nodes` from now on, and free all others as early as can be."""
        watched = set(nodes)
        self.seen = {}
        for module, sources in zip(self.layers, self._sources, strict=True):
            if isinstance(module, nn.ReLU):
                module.inplace = self._nodes[sources[0]] in self._overwritable - watched
        self._kept = [number for number, node_id in enumerate(self._nodes) if node_id in watched]
        dead: dict[int, list[int]] = {}
        for number, last in enumerate(self._last_read[:-1]):
            if self._nodes[number] not in watched:
                dead.setdefault(last, []).append(number)
        self._program = [
            (module, sources, number, tuple(dead.get(number, ())))
            for number, (module, sources) in enumerate(zip(self.layers, self._sources, strict=True))
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last node."""
        values: list[Tensor | None] = [None] * len(self._nodes)
        for module, sources, target, dead in self._program:
            match sources:
                case (only,):
                    values[target] = module(values[only])
                case ():
                    values[target] = module(x)
                case several:
                    values[target] = module(*(values[source] for source in several))
            for number in dead:
                values[number] = None
        if self._kept:
            self.seen = {self._nodes[number]: _tensor(values[number]) for number in self._kept}
        return _tensor(values[-1])

    def lend(self, generator: torch.Generator) -> None:
        """Let `generator` be where dropout takes its random numbers from."""
        for module in self.layers:
            if isinstance(module, SeededDropout):
                module.generator = generator

    def tensors(self) -> dict[str, Tensor]:
        """Return all weights and buffers by canonical name; changing them changes the network."""
        return {
            weight_name(node_id, role): tensor
            for node_id, module in zip(self._nodes, self.layers, strict=True)
            for role, tensor in module.state_dict(keep_vars=True).items()
        }

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """Return the trained weights by canonical name."""
        return {name: tensor for name, tensor in self.tensors().items() if isinstance(tensor, nn.Parameter)}


def read_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[np.generic]]:
    """Return copies of `tensors` as contiguous arrays."""
    return {name: tensor.detach().cpu().contiguous().numpy().copy() for name, tensor in tensors.items()}


@torch.no_grad()
def write_arrays(tensors: Mapping[str, Tensor], arrays: Arrays) -> None:
    """Copy every array into the tensor of its name, where there is one of its shape."""
    for name, array in arrays.items():
        if name in tensors and tuple(tensors[name].shape) == array.shape:
            tensors[name].copy_(torch.from_numpy(np.array(array)))


def _tensor(value: Tensor | None) -> Tensor:
    assert value is not None  # noqa: S101 - the program frees nothing before its last reader
    return value


def _overwritable(architecture: Architecture) -> set[NodeId]:
    """Return the nodes whose output nothing needs once its one reader has it, not even the gradient."""
    return {
        node.id
        for node in architecture
        if isinstance(node.op, ops.BatchNorm | ops.Conv | ops.Depthwise) and len(architecture.readers[node.id]) == 1
    }
