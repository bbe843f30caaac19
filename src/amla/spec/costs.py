"""What a network costs: shapes, weights, multiply-accumulates and memory, exactly, without any library.

A multiply-accumulate (MAC) is counted for convolutions and linear layers, padding included, as is usual; everything
else counts none. A training step is taken as three forward passes (one for each of the two gradients).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, singledispatch
from itertools import islice
from math import prod

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import Size
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
    parameters, macs = used(trunk)
    training = (parameters, macs) if trunk is architecture else _work(steps)
    return Costs(
        parameters=parameters,
        macs=macs,
        peak_memory=peak_memory(trunk),
        training_parameters=training[0],
        training_macs=training[1],
        training_memory=BYTES * sum(elements for _, _, _, elements in steps.values()),
    )


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


Step = tuple[Size, int, int, int]  # the shape of an output, its parameters, multiply-accumulates and elements


def _steps(architecture: Architecture) -> dict[NodeId, Step]:
    """Return what every node makes and costs, from what is known of the same operations elsewhere. Raises SpecError."""
    found: dict[NodeId, Step] = {}
    try:
        for node in architecture:
            found[node.id] = _step(node.op, *[found[source][0] for source in node.inputs])
    except SpecError:
        shapes(architecture)  # which says where
        raise
    return found


@lru_cache(maxsize=REMEMBERED)
def _step(op: object, *sources: Size) -> Step:
    source, target = sources[0] if sources else (), _bounded(shape(op, *sources))
    return target, sum(map(prod, weights(op, source).values())), macs(op, source, target), prod(target)


def _work(steps: Mapping[NodeId, Step]) -> tuple[int, int]:
    return sum([step[1] for step in steps.values()]), sum([step[2] for step in steps.values()])


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


@singledispatch
def shape(op: object, *sources: Size) -> Size:
    """Return the shape of what `op` makes of inputs of shapes `sources`."""
    return sources[0]


@shape.register
def _(op: ops.Input) -> Size:
    return op.shape


@shape.register
def _(op: ops.Conv, source: Size) -> Size:
    if op.channels is None:
        raise SpecError("a conv whose channels are a share of a Pick has no shape before the Pick is decided.")
    if source[0] % op.groups:
        raise SpecError(f"{op.groups} groups do not divide {source[0]} channels.")
    return (op.channels, *_windows(op, source))


@shape.register
def _(op: ops.Depthwise, source: Size) -> Size:
    return (source[0] * op.multiplier, *_windows(op, source))


@shape.register
def _(op: ops.Pool, source: Size) -> Size:
    return (source[0], *_windows(op, source))


@shape.register
def _(op: ops.GlobalPool, source: Size) -> Size:
    return source[:1]


@shape.register
def _(op: ops.Flatten, source: Size) -> Size:
    return (prod(source),)


@shape.register
def _(op: ops.Dense, source: Size) -> Size:
    _flat(source)
    return (op.units,)


@shape.register
def _(op: ops.Classify, source: Size) -> Size:
    _flat(source)
    return (op.classes,)


@shape.register
def _(op: ops.Merge, *sources: Size) -> Size:
    if op.how == "add":
        if len(set(sources)) > 1:
            raise SpecError("only inputs of one shape can be added.")
        return sources[0]
    if len({source[1:] for source in sources}) > 1:
        raise SpecError("only inputs of one spatial size can be concatenated.")
    return (sum(source[0] for source in sources), *sources[0][1:])


@shape.register
def _(op: ops.Pick, *sources: Size) -> Size:
    raise SpecError("a Pick has no shape before it is decided; close the architecture first.")


@singledispatch
def weights(op: object, source: Size) -> dict[str, Size]:
    """Return the shapes of the trained weights of `op` on an input of shape `source`, by role, in canonical layout."""
    return {}


@weights.register
def _(op: ops.Conv, source: Size) -> dict[str, Size]:
    channels = op.channels or 0
    return {"kernel": (channels, source[0] // op.groups, *op.kernel)} | ({"bias": (channels,)} if op.bias else {})


@weights.register
def _(op: ops.Depthwise, source: Size) -> dict[str, Size]:
    channels = source[0] * op.multiplier
    return {"kernel": (channels, 1, *op.kernel)} | ({"bias": (channels,)} if op.bias else {})


@weights.register
def _(op: ops.Dense, source: Size) -> dict[str, Size]:
    return {"kernel": (op.units, source[0])} | ({"bias": (op.units,)} if op.bias else {})


@weights.register
def _(op: ops.Classify, source: Size) -> dict[str, Size]:
    return {"kernel": (op.classes, source[0])} | ({"bias": (op.classes,)} if op.bias else {})


@weights.register
def _(op: ops.BatchNorm, source: Size) -> dict[str, Size]:
    return ({"scale": source[:1]} if op.scale else {}) | ({"shift": source[:1]} if op.shift else {})


@weights.register
def _(op: ops.LayerNorm, source: Size) -> dict[str, Size]:
    return {"scale": source[:1], "shift": source[:1]}


@weights.register
def _(op: ops.Scale, source: Size) -> dict[str, Size]:
    return {"scale": ()}


def buffers(op: object, source: Size) -> dict[str, Size]:
    """Return the shapes of what `op` remembers without training it, by role."""
    return {"mean": source[:1], "variance": source[:1]} if isinstance(op, ops.BatchNorm) else {}


def macs(op: object, source: Size, target: Size) -> int:
    """Return the multiply-accumulates of `op` from an input of shape `source` to an output of shape `target`."""
    kernel = weights(op, source).get("kernel")
    return 0 if kernel is None else prod(kernel[1:]) * prod(target)


def training_flops(macs: int, examples: int) -> int:
    """Return the floating-point operations of training on `examples`: two a MAC, three passes."""
    return 6 * macs * examples


def _source(node: Node, found: Shapes) -> Size:
    return found[node.inputs[0]] if node.inputs else ()


def _windows(op: ops.Conv | ops.Depthwise | ops.Pool, source: Size) -> Size:
    if len(source) - 1 != len(op.kernel):
        raise SpecError(f"a kernel {op.kernel} cannot slide over an input with {len(source) - 1} spatial axes.")
    if op.padding == "same":
        return tuple(-(-extent // stride) for extent, stride in zip(source[1:], op.stride, strict=True))
    spans = tuple(d * (k - 1) + 1 for k, d in zip(op.kernel, op.dilation, strict=True))
    if any(span > extent for span, extent in zip(spans, source[1:], strict=True)):
        raise SpecError(f"a window that spans {spans} does not fit into {source[1:]} without padding.")
    return tuple((n - span) // s + 1 for n, span, s in zip(source[1:], spans, op.stride, strict=True))


def _flat(source: Size) -> None:
    if len(source) != 1:
        raise SpecError("a linear layer reads (features,); put a global_pool or a flatten before it.")


def _peak(architecture: Architecture, steps: Mapping[NodeId, Step]) -> int:
    """Return the most elements alive at once, nodes computed in order, each freed after its last reader."""
    last = {source: node.id for node in architecture for source in node.inputs}
    alive = peak = 0
    for node in architecture:
        alive += steps[node.id][3]
        peak = max(peak, alive)
        alive -= sum([steps[source][3] for source in set(node.inputs) if last[source] == node.id])
    return peak
