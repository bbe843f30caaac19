"""What can be watched inside a network while it trains.

A backend collects, for every node that a probe watches, `Moments`, which cost it next to nothing; a probe is a pure
function of them, written once for all libraries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId


class ProbeError(ValueError):
    """A probe that does not exist, or cannot watch what it should."""


@dataclass(frozen=True, eq=False)
class Moments:
    """For every channel, the mean of h and of h squared.

    Of a node's output: over all examples and positions of the training batches of a leg. Of a learned scale: of the
    one number it is.
    """

    mean: NDArray[np.float64]
    square: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """The variance of every channel."""
        return np.maximum(self.square - self.mean**2, 0)


@dataclass(frozen=True)
class Probe:
    """A number about a node, read from the moments of its output or of its learned scale."""

    name: str
    of: Literal["output", "scale"]
    read: Callable[[Moments], float]
    about: str


PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        Probe("msss", "output", lambda h: float(h.square.mean()), "mean square of the output, mean over channels"),
        Probe("msss_sum", "output", lambda h: float(h.square.sum()), "mean square of the output, sum over channels"),
        Probe("variance", "output", lambda h: float(h.variance.mean()), "variance of the output, mean over channels"),
        Probe("variance_sum", "output", lambda h: float(h.variance.sum()), "variance of the output, sum over channels"),
        Probe("mean", "output", lambda h: float(h.mean.mean()), "mean of the output, mean over channels"),
        Probe("mean_sum", "output", lambda h: float(h.mean.sum()), "mean of the output, sum over channels"),
        Probe("scale", "scale", lambda scale: float(abs(scale.mean[0])), "size of a learned scale"),
    )
}


def probe(name: str) -> Probe:
    """Return the probe called `name`. Raises ProbeError, which lists them."""
    if name not in PROBES:
        raise ProbeError(f"There is no probe {name!r}; there are {', '.join(PROBES)}.")
    return PROBES[name]


def watched(found: Probe, architecture: Architecture, nodes: tuple[NodeId, ...]) -> tuple[NodeId, ...]:
    """Return the nodes that a probe watches: `nodes`, or if there are none all it is made for.

    That is the inputs of concatenations (branches) for probes of outputs, Scale nodes for probes of scales. Raises
    ProbeError for a node without a scale.
    """
    scales = tuple(node.id for node in architecture if isinstance(node.op, ops.Scale))
    if found.of == "scale":
        if strange := [node for node in nodes if node not in scales]:
            raise ProbeError(f"Probe {found.name!r} reads learned scales, but {strange[0]!r} has none.")
        return nodes or scales
    merges = (node for node in architecture if isinstance(node.op, ops.Merge | ops.Pick) and node.op.how == "concat")
    return nodes or tuple(dict.fromkeys(source for merge in merges for source in merge.inputs))
