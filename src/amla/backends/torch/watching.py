"""Reads the probes of a leg: collects the moments of watched nodes, step by step."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from amla.backends.torch.moments import moments_of
from amla.backends.torch.network import Network
from amla.probes import Moments, probe, watched
from amla.spec.architecture import Architecture, NodeId
from amla.trials.snapshot import Arrays, weight_name

STEPS = ".steps"  # no node has this name


class Watch:
    """Moments of the nodes that the probes of one leg watch.

    The inputs of a concatenation are read off its output where all of them are watched: one pass over memory a cell
    rather than one a branch.
    """

    def __init__(self, network: Network, architecture: Architecture, probes: Mapping[str, tuple[NodeId, ...]]) -> None:
        self._network = network
        self._probes = {name: watched(probe(name), architecture, nodes) for name, nodes in probes.items()}
        outputs = {i for name, nodes in self._probes.items() if probe(name).of == "output" for i in nodes}
        self._parts = _parts(architecture, outputs)
        network.watch((), measured=self._parts)
        self._sums: dict[NodeId, Tensor] = {}  # (2, channels): of h and of h squared
        self._steps = 0

    @torch.no_grad()
    def look(self) -> None:
        """Take in what the network has just computed."""
        self._steps += 1
        seen, told = self._network.seen, self._network.moments
        for node_id in self._parts:
            means = told[node_id] if node_id in told else moments_of(seen[node_id])
            if node_id in self._sums:
                self._sums[node_id] += means
            else:
                self._sums[node_id] = means.clone()

    def statistics(self) -> dict[str, dict[NodeId, float]]:
        """Return the reading of every probe at every node it watches; nothing of outputs before the first step."""
        moments = self._output_moments()
        tables: dict[str, dict[NodeId, float]] = {}
        for name, nodes in self._probes.items():
            found = probe(name)
            of = moments if found.of == "output" else self._scale_moments(nodes)
            tables[name] = {node_id: found.read(of[node_id]) for node_id in nodes if node_id in of}
        return tables

    def arrays(self) -> Arrays:
        """Return a copy of what has been collected so far, by node id."""
        return {STEPS: np.asarray(self._steps), **{i: sums.cpu().numpy().copy() for i, sums in self._sums.items()}}

    def restore(self, arrays: Arrays) -> None:
        """Go on from what `arrays` returned."""
        self._steps = int(arrays[STEPS])
        device = next(self._network.parameters()).device
        self._sums = {i: torch.from_numpy(np.array(arrays[i])).to(device) for i in self._parts if i in arrays}

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

    def _scale_moments(self, nodes: tuple[NodeId, ...]) -> dict[NodeId, Moments]:
        tensors = self._network.tensors()
        scales = {node_id: tensors[weight_name(node_id, "scale")].detach().cpu().double().numpy() for node_id in nodes}
        return {node_id: Moments(s.reshape(1), (s * s).reshape(1)) for node_id, s in scales.items()}


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
