"""What can be watched inside a network while it trains.

A backend collects for every node what probes of its kind read (`Of`); a probe is a pure function of that, written once
for all libraries. What is read of an output, a gate or a scale costs training next to nothing; the loss without a node
is one pass over some held-out examples for each.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId


class ProbeError(ValueError):
    """A probe that does not exist, or cannot watch what it should."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Of a node's output h: for every channel, the mean of h and of h squared.

    They are over all examples and positions of the training batches of a leg.
    """

    mean: NDArray[np.float64]
    square: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """The variance of every channel."""
        return np.maximum(self.square - self.mean**2, 0)


@dataclass(frozen=True)
class Gate:
    """Of a gate that a node's output h passes, which is 1 and stays so: g, the derivative of the loss by it.

    That is the sum of h dL/dh over a batch: to first order what the loss would lose with the node (Molchanov et al.
    2019, there of filters). Means over the steps of a leg of g, of its size, and of its square.
    """

    mean: float
    size: float
    square: float


Of = Literal["output", "gate", "scale", "loss", "nothing"]


@dataclass(frozen=True)
class Probe:
    """A number about a node.

    `read` is given, by what the probe is `of`: an output's `Moments`; a `Gate`; the learned scales (channels) of the
    node or of the normalisation that its output comes from; by how much the loss on held-out examples rises if the
    output is 0 and all that follows is normalised anew; a number from 0 to 1 that only seed and node decide. With
    `per_mac` the reading is divided by the million multiply-accumulates an image that would go with the node.
    """

    name: str
    of: Of
    read: Callable[[Any], float]
    about: str
    per_mac: bool = False


PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        Probe("msss", "output", lambda h: float(h.square.mean()), "mean square of the output, mean over channels"),
        Probe("msss_sum", "output", lambda h: float(h.square.sum()), "mean square of the output, sum over channels"),
        Probe("norm", "output", lambda h: float(h.square.sum()) ** 0.5, "norm of the output, root of `msss_sum`"),
        Probe("variance", "output", lambda h: float(h.variance.mean()), "variance of the output, mean over channels"),
        Probe("variance_sum", "output", lambda h: float(h.variance.sum()), "variance of the output, sum over channels"),
        Probe("mean", "output", lambda h: float(h.mean.mean()), "mean of the output, mean over channels"),
        Probe("mean_sum", "output", lambda h: float(h.mean.sum()), "mean of the output, sum over channels"),
        Probe("taylor", "gate", lambda gate: gate.size, "size of the loss's derivative by a gate on the output"),
        Probe("taylor_signed", "gate", lambda gate: -gate.mean, "how much a gate on the output lowers the loss"),
        Probe("fisher", "gate", lambda gate: gate.square, "square of the loss's derivative by a gate on the output"),
        Probe("scale", "scale", lambda s: float(np.abs(s).mean()), "size of a learned scale, mean over channels"),
        Probe("scale_signed", "scale", lambda s: float(s.mean()), "a learned scale with its sign, mean over channels"),
        Probe("drop_one", "loss", float, "rise of the loss on held-out examples without the node"),
        Probe("random", "nothing", float, "nothing: a number at random, to compare others with"),
    )
}

PER_MAC = "_per_mac"


def probe(name: str) -> Probe:
    """Return the probe called `name`; with "_per_mac" after it, by what the node costs. Raises ProbeError."""
    found = PROBES.get(name.removesuffix(PER_MAC))
    if found is None:
        raise ProbeError(
            f"There is no probe {name!r}; there are {', '.join(PROBES)}, each also with {PER_MAC!r} after."
        )
    if name == found.name:
        return found
    return replace(found, name=name, about=f"{found.about}, by million multiply-accumulates", per_mac=True)


def watched(found: Probe, architecture: Architecture, nodes: tuple[NodeId, ...]) -> tuple[NodeId, ...]:
    """Return the nodes that a probe watches: `nodes`, or if there are none all it is made for.

    That is Scale nodes for probes of scales, else the inputs of concatenations (branches). Raises ProbeError for a node
    without a scale.
    """
    if found.of == "scale":
        if strange := [node for node in nodes if scaling(architecture, node) is None]:
            raise ProbeError(f"Probe {found.name!r} reads learned scales, but {strange[0]!r} has none.")
        return nodes or tuple(node.id for node in architecture if isinstance(node.op, ops.Scale))
    merges = (node for node in architecture if isinstance(node.op, ops.Merge | ops.Pick) and node.op.how == "concat")
    return nodes or tuple(dict.fromkeys(source for merge in merges for source in merge.inputs))


def scaling(architecture: Architecture, node_id: NodeId) -> NodeId | None:
    """Return the node whose learned scales an output comes from: itself, or what an activation alone reads; or None."""
    node = architecture[node_id]
    if isinstance(node.op, ops.Activation) and len(architecture.readers[node.inputs[0]]) == 1:
        node = architecture[node.inputs[0]]
    scaled = isinstance(node.op, ops.Scale) or (isinstance(node.op, ops.BatchNorm) and node.op.scale)
    return node.id if scaled else None


def chance(seed: int, node_id: NodeId) -> float:
    """Return a number from 0 to 1 that only the seed and the node decide."""
    return int.from_bytes(blake2b(f"{seed}/{node_id}".encode(), digest_size=6).digest()) / 2**48
