"""An architecture as a PyTorch module: one module a node, run step by step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amla.backends.torch.fusing.passes import takes
from amla.backends.torch.fusing.program import Graph, Rewrite, Step, last_readings, program
from amla.backends.torch.fusing.rewrites import REWRITES
from amla.backends.torch.layers import layer
from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import shapes
from amla.trials.snapshot import Arrays, weight_name

# By the number of axes of an example. Channels last makes convolutions on a CPU two to four times faster.
MEMORY_FORMATS = {3: torch.channels_last, 4: torch.channels_last_3d}


class Network(nn.Module):
    """The modules of a closed architecture, and the steps to run them in: fused ones where the kernels take the batch.

    `forward` maps a batch to the logits, and while training leaves those of auxiliary heads in `heads`. What `watch`
    names is kept in `seen` for reading after a forward pass. Of what it says to measure, `moments` has the means
    (2, channels) of the output and of its square, or else `seen` has it.
    """

    def __init__(self, architecture: Architecture, rewrites: tuple[Rewrite, ...] = REWRITES) -> None:
        super().__init__()
        found = shapes(architecture)
        self.layers = nn.ModuleList(
            layer(node.op, found[node.inputs[0]] if node.inputs else ()) for node in architecture
        )
        self.channels = {node_id: shape[0] for node_id, shape in found.items()}
        self.seen: dict[NodeId, Tensor] = {}
        self.moments: dict[NodeId, Tensor] = {}
        self.heads: dict[NodeId, Tensor] = {}
        self._largest = max(prod(shape) for shape in found.values())
        self._nodes = architecture.nodes
        self._overwritable = _overwritable(architecture)
        graph = Graph(architecture, dict(zip((node.id for node in self._nodes), self.layers, strict=True)), found)
        self._steps = program(graph), program(graph, rewrites)
        self._heads, self._trunk = tuple(architecture.heads), frozenset(node.id for node in architecture.trunk)
        self.watch(())

    def watch(self, nodes: Iterable[NodeId], measured: Iterable[NodeId] = (), whole: bool = False) -> None:
        """Keep the outputs of `nodes` from now on, and measure others; free all the rest as early as can be.

        With `whole`, what is kept is part of the computation, so that gradients reach it: then nothing is fused.
        """
        kept, told = frozenset(nodes), frozenset(measured)
        self.seen, self.moments = {}, {}
        for node, module in zip(self._nodes, self.layers, strict=True):
            if isinstance(module, nn.ReLU):
                module.inplace = node.inputs[0] in self._overwritable - kept - told
        self._looked_at, self._whole = kept | told, whole
        self._plain, self._fused = (_turns(steps, kept, told, frozenset(self._heads)) for steps in self._steps)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last node."""
        return self._run(self._fused if not self._whole and takes(x, largest=self._largest) else self._plain, x)

    def without(self, node_id: NodeId | None, x: Tensor) -> Tensor:
        """Return the output of the last node if that of `node_id` is 0."""
        return self._run(self._plain, x, node_id)

    def _run(self, turns: Sequence[tuple[Step, "_Turn"]], x: Tensor, absent: NodeId | None = None) -> Tensor:
        values: dict[NodeId, Tensor] = {}
        self.seen, self.moments = {}, {}
        for step, turn in turns:
            if not self.training and self._trunk.isdisjoint(step.writes):
                continue  # what serves auxiliary heads alone
            inputs = [values[source] for source in step.reads] or [x]
            found = step.compute(*inputs)
            if isinstance(found, Tensor):
                values[step.writes[0]] = found if step.writes[0] != absent else torch.zeros_like(found)
            else:
                values.update(zip(step.writes, found, strict=False))
                if turn.told and step.tell:
                    means = step.tell(found[-1])
                    self.moments |= {node_id: means[:, channels] for node_id, channels in turn.told}
            if turn.shown and step.show:
                shown = step.show(*inputs)
                self.seen |= {node_id: shown[node_id] for node_id in turn.shown}
            for node_id in turn.dead:
                values.pop(node_id, None)
        self.seen |= {node_id: h for node_id, h in values.items() if node_id in self._looked_at}
        self.heads = {node_id: values[node_id] for node_id in self._heads} if self.training else {}
        return values[self._nodes[-1].id]

    def modules_by_node(self) -> dict[NodeId, nn.Module]:
        """Return the module of every node."""
        return {node.id: module for node, module in zip(self._nodes, self.layers, strict=True)}

    def tensors(self) -> dict[str, Tensor]:
        """Return all weights and buffers by canonical name; changing them changes the network."""
        return {
            weight_name(node.id, role): tensor
            for node, module in zip(self._nodes, self.layers, strict=True)
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


def laid_out(network: nn.Module, device: torch.device, shape: ops.Size) -> None:
    """Bring a network to a device, its weights in the order in memory that suits examples of this shape."""
    network.to(device)
    if memory_format := MEMORY_FORMATS.get(len(shape)):
        network.to(memory_format=memory_format)  # type: ignore[call-overload]


@dataclass(frozen=True)
class _Turn:
    """What is told of by a step; what it leaves out and must show; and what nothing needs after it."""

    told: tuple[tuple[NodeId, slice], ...]
    shown: tuple[NodeId, ...]
    dead: tuple[NodeId, ...]


def _turns(
    steps: Sequence[Step], kept: frozenset[NodeId], measured: frozenset[NodeId], heads: frozenset[NodeId]
) -> list[tuple[Step, _Turn]]:
    turns = []
    needed = {*kept, *measured, *heads, *steps[-1].writes}
    for step, last in zip(steps, last_readings(steps), strict=True):
        told = tuple((node_id, channels) for node_id, channels in step.tells.items() if node_id in measured)
        hidden = step.covers.difference(step.writes)
        shown = hidden & kept | (hidden & measured).difference(step.tells)
        turns.append((step, _Turn(told, tuple(shown), tuple(node_id for node_id in last if node_id not in needed))))
    return turns


def _overwritable(architecture: Architecture) -> set[NodeId]:
    """Return the nodes whose output nothing needs once its one reader has it, not even the gradient."""
    return {
        node.id
        for node in architecture
        if isinstance(node.op, ops.BatchNorm | ops.Conv | ops.Depthwise) and len(architecture.readers[node.id]) == 1
    }
