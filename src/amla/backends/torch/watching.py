"""Reads the probes of a leg: collects what they need of watched nodes, step by step."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amla.backends.torch.gates import Gates
from amla.backends.torch.moments import moments_of
from amla.backends.torch.network import Network
from amla.probes import Moments, Of, Probe, chance, probe, scaling, watched
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import macs_with
from amla.trials.snapshot import Arrays, weight_name

Losses = Callable[[tuple[NodeId, ...]], Mapping[NodeId | None, float]]
STEPS = ".steps"  # no node has this name


class Watch:
    """What the probes of one leg read. In a step, `look` comes after the forward pass and `feel` after the backward.

    What is read is of the whole batch: `mean` is that over the processes that share it.

    The inputs of a concatenation are read off its output where all of them are watched: one pass over memory a cell
    rather than one a branch.
    """

    def __init__(
        self,
        network: Network,
        architecture: Architecture,
        probes: Mapping[str, tuple[NodeId, ...]],
        seed: int,
        mean: Callable[[Tensor], Tensor],
    ) -> None:
        self._network, self._architecture, self._seed, self._mean = network, architecture, seed, mean
        self._probes = [(found, watched(found, architecture, nodes)) for found, nodes in _found(probes)]
        self._parts = _parts(architecture, set(self._nodes("output")))
        self._gates = Gates(network, architecture, self._nodes("gate"), mean)
        network.watch(self._gates.others, measured=self._parts, whole=bool(self._gates.others))
        self._sums: dict[NodeId, Tensor] = {}  # (2, channels): of h and of h squared
        self._steps = 0

    @torch.no_grad()
    def look(self) -> None:
        """Take in what the network has just computed."""
        self._steps += 1
        self._gates.before()
        seen, told = self._network.seen, self._network.moments
        for node_id in self._parts:
            means = self._mean(told[node_id] if node_id in told else moments_of(seen[node_id]))
            if node_id in self._sums:
                self._sums[node_id] += means
            else:
                self._sums[node_id] = means.clone()

    def feel(self) -> None:
        """Take in the gradients, before the weights are moved by them."""
        if self._gates.nodes:
            self._gates.after()

    def statistics(self, loss_without: Losses) -> dict[str, dict[NodeId, float]]:
        """Return the reading of every probe at every node it watches; of training, nothing before the first step.

        `loss_without` returns the loss on held-out examples without each of some nodes, and with all (None).
        """
        of: dict[Of, Mapping[NodeId, Any]] = {
            "output": self._output_moments(),
            "gate": self._gates.read(self._steps) if self._steps else {},
            "scale": {node_id: self._scales(node_id) for node_id in self._nodes("scale")},
            "loss": _rises(loss_without(nodes)) if (nodes := self._nodes("loss")) else {},
            "nothing": {node_id: chance(self._seed, node_id) for node_id in self._nodes("nothing")},
        }
        return {
            found.name: {i: self._reading(found, i, of[found.of][i]) for i in nodes if i in of[found.of]}
            for found, nodes in self._probes
        }

    def arrays(self) -> Arrays:
        """Return a copy of what has been collected so far, by node id."""
        moments = {i: sums.cpu().numpy().copy() for i, sums in self._sums.items()}
        return {STEPS: np.asarray(self._steps), **moments, **self._gates.arrays()}

    def restore(self, arrays: Arrays) -> None:
        """Go on from what `arrays` returned."""
        self._steps = int(arrays[STEPS])
        device = next(self._network.parameters()).device
        self._sums = {i: torch.from_numpy(np.array(arrays[i])).to(device) for i in self._parts if i in arrays}
        self._gates.restore(arrays)

    def _nodes(self, of: Of) -> tuple[NodeId, ...]:
        return tuple(dict.fromkeys(i for found, nodes in self._probes if found.of == of for i in nodes))

    def _reading(self, found: Probe, node_id: NodeId, of: Any) -> float:
        reading = found.read(of)
        return reading / max(macs_with(self._architecture, node_id), 1) * 1e6 if found.per_mac else reading

    def _scales(self, node_id: NodeId) -> NDArray[np.float64]:
        source = scaling(self._architecture, node_id)
        tensor = self._network.tensors()[weight_name(source or node_id, "scale")]
        return np.atleast_1d(tensor.detach().cpu().double().numpy())

    def _output_moments(self) -> dict[NodeId, Moments]:
        moments: dict[NodeId, Moments] = {}
        for node_id, sums in self._sums.items():
            means = (sums / self._steps).cpu().numpy()
            start = 0
            for part in self._parts[node_id]:
                stop = start + self._network.channels[part]
                moments[part] = Moments(means[0, start:stop], means[1, start:stop])
                start = stop
        return moments


def _found(probes: Mapping[str, tuple[NodeId, ...]]) -> list[tuple[Probe, tuple[NodeId, ...]]]:
    return [(probe(name), nodes) for name, nodes in probes.items()]


def _rises(losses: Mapping[NodeId | None, float]) -> dict[NodeId, float]:
    return {node_id: loss - losses[None] for node_id, loss in losses.items() if node_id is not None}


def _parts(architecture: Architecture, outputs: set[NodeId]) -> dict[NodeId, tuple[NodeId, ...]]:
    """Return the nodes to look at, and for each the watched nodes whose channels, in a row, make up its own."""
    parts: dict[NodeId, tuple[NodeId, ...]] = {}
    left = set(outputs)
    for node in architecture:
        concat = getattr(node.op, "how", None) == "concat"
        if concat and len(node.inputs) > 1 and left.issuperset(node.inputs):
            parts[node.id] = node.inputs
            left.difference_update(node.inputs)
    return parts | {node_id: (node_id,) for node_id in outputs if node_id in left}
