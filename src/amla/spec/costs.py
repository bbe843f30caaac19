"""What a network costs: shapes, weights, multiply-accumulates and memory, exactly, without any library.

A multiply-accumulate (MAC) is counted for convolutions and linear layers, padding included, as is usual; everything
else counts none. A training step is taken as three forward passes (one for each of the two gradients).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from math import prod
from typing import NamedTuple

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import Size
from amla.spec.sizes import buffers as buffers
from amla.spec.sizes import macs as macs
from amla.spec.sizes import shape as shape
from amla.spec.sizes import weights as weights
from amla.spec.values import MANY, SpecError, value

Shapes = Mapping[NodeId, Size]
REMEMBERED = 20_000  # operations on inputs of some shapes, of which the counts are known: about 10 MB
BYTES = 4  # of a number in single precision, in which networks are counted


@value
class Costs:
    """What one example costs.

    `parameters` are trained numbers; `macs` those of a forward pass; `peak_memory` the bytes of activations alive at
    once in a forward pass (nodes in order, each freed after its last reader). In these, auxiliary heads do not count:
    they are gone when a network is used. In those of training they do: `training_memory` is the bytes of all
    activations, which a training step keeps. Single precision, batch of one.
    """

    parameters: int
    macs: int
    peak_memory: int
    training_parameters: int
    training_macs: int
    training_memory: int


def costs(architecture: Architecture) -> Costs:
    """Count `architecture`, which must be closed. Raises SpecError where shapes do not fit."""
    steps, trunk = _steps(architecture), architecture.trunk
    training = _work(steps)
    parameters, macs = training if trunk is architecture else _work({node.id: steps[node.id] for node in trunk})
    return Costs(
        parameters=parameters,
        macs=macs,
        peak_memory=BYTES * _peak(trunk, steps),
        training_parameters=training[0],
        training_macs=training[1],
        training_memory=BYTES * sum(step.elements for step in steps.values()),
    )


def macs_by_node(architecture: Architecture) -> dict[NodeId, int]:
    """Return the MACs of every node of a closed architecture."""
    found = shapes(architecture)
    return {node.id: macs(node.op, _source(node, found), found[node.id]) for node in architecture}


def used(trunk: Architecture) -> tuple[int, int]:
    """Return the parameters and the multiply-accumulates of a closed network without auxiliary heads, as `costs` does.

    Raises SpecError.
    """
    return _work(_steps(trunk))


def peak_memory(trunk: Architecture) -> int:
    """Return the peak memory of a closed network without auxiliary heads, as `costs` does. Raises SpecError."""
    return BYTES * _peak(trunk, _steps(trunk))


def macs_with(architecture: Architecture, node_id: NodeId) -> int:
    """Return the MACs that would go with a node: its own, and those of what only it reads, at any distance."""
    found, gone, count = shapes(architecture), {node_id}, 0
    for node in reversed(architecture.nodes):
        readers = architecture.readers[node.id]
        if node.id == node_id or (readers and gone.issuperset(readers)):
            gone.add(node.id)
            count += macs(node.op, _source(node, found), found[node.id])
    return count


def shapes(architecture: Architecture) -> dict[NodeId, Size]:
    """Return the shape (channels, *spatial) of every node's output. Raises SpecError where shapes do not fit."""
    found: dict[NodeId, Size] = {}
    for node in architecture:
        sources = tuple(found[source] for source in node.inputs)
        try:
            found[node.id] = _bounded(shape(node.op, *sources))
        except SpecError as error:
            read = dict(islice(zip(node.inputs, sources, strict=True), MANY))
            more = f" and {len(sources) - MANY:,} more" if len(sources) > MANY else ""
            raise SpecError(f"Node {node.id!r}, reading {read}{more}: {error}") from None
    return found


class Step(NamedTuple):
    """What an operation on inputs of some shapes makes and costs; a tuple, as many are made."""

    shape: Size
    parameters: int
    macs: int
    elements: int


def _steps(architecture: Architecture) -> dict[NodeId, Step]:
    """Return what every node makes and costs, from what is known of the same operations elsewhere. Raises SpecError."""
    found: dict[NodeId, Step] = {}
    try:
        for node in architecture:
            found[node.id] = step_of(node.op, *[found[source].shape for source in node.inputs])
    except SpecError:
        shapes(architecture)  # which says where
        raise
    return found


@lru_cache(maxsize=REMEMBERED)
def step_of(op: object, *sources: Size) -> Step:
    """Return what an operation on inputs of shapes `sources` makes and costs. Raises SpecError."""
    source, target = sources[0] if sources else (), _bounded(shape(op, *sources))
    return Step(target, sum(map(prod, weights(op, source).values())), macs(op, source, target), prod(target))


def _work(steps: Mapping[NodeId, Step]) -> tuple[int, int]:
    return sum([step.parameters for step in steps.values()]), sum([step.macs for step in steps.values()])


def _bounded(size: Size) -> Size:
    """Return a shape that can be. Concatenations double channels each time: soon no memory would hold the number."""
    if max(size, default=0) > ops.MOST:
        raise SpecError(f"its output would have an axis of more than {ops.MOST:,} elements.")
    return size


def at_scale(architecture: Architecture, scale: float) -> Architecture:
    """Return the network as it reads inputs of `scale` times the resolution in each axis, with the same weights.

    Raises SpecError where a node would need other weights, as a linear layer after a `flatten` does.
    """
    if scale == 1:
        return architecture
    other = Architecture(tuple(_at_scale(node, scale) for node in architecture))
    found, needed = shapes(architecture), shapes(other)
    for node in architecture:
        if weights(node.op, _source(node, found)) != weights(node.op, _source(node, needed)):
            raise SpecError(
                f"Node {node.id!r} reads inputs of one size only, so images cannot be smaller at first; put a "
                "global_pool in place of the flatten, or leave recipe.small out."
            )
    return other


def _at_scale(node: Node, scale: float) -> Node:
    if not isinstance(node.op, ops.Input):
        return node
    channels, *extents = node.op.shape
    return replace(node, op=ops.Input((channels, *(max(1, round(extent * scale)) for extent in extents))))


def training_flops(macs: int, examples: int) -> int:
    """Return the floating-point operations of training on `examples`: two a MAC, three passes."""
    return 6 * macs * examples


def _source(node: Node, found: Shapes) -> Size:
    return found[node.inputs[0]] if node.inputs else ()


def _peak(architecture: Architecture, steps: Mapping[NodeId, Step]) -> int:
    """Return the most elements alive at once, nodes computed in order, each freed after its last reader."""
    last = {source: node.id for node in architecture for source in node.inputs}
    alive = peak = 0
    for node in architecture:
        alive += steps[node.id].elements
        peak = max(peak, alive)
        alive -= sum([steps[source].elements for source in set(node.inputs) if last[source] == node.id])
    return peak
