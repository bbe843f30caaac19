"""What a pass through an operation takes: floating-point operations, and bytes that must move. Counted, not measured.

A multiplication, an addition, a comparison and an element-wise function are one operation each. Bytes are those of a
processor without a cache big enough for a tensor: what is read or written crosses once for every sweep that the
mathematics needs. Batch normalisation reads its input twice, as it must know the mean before it can subtract it. Views
(a flatten, the gradient of a concatenation) move nothing. What stays in a cache can be faster than these bytes allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import BYTES, macs, shapes, weights
from amla.spec.ops import Op, Size
from amla.spec.values import value


@value
class Work:
    """Floating-point operations, and bytes between memory and processor, in single precision."""

    flops: int
    bytes: int


@dataclass(frozen=True)
class _Sweeps:
    """What an element-wise operation does to each element: operations, and how often tensors are read or written."""

    flops: int = 0
    times: int = 0
    backward_flops: int = 0
    backward_times: int = 0


_NORM = _Sweeps(5, 3, 8, 5)  # moments, then normalise; two sums over the gradient, then the gradient
_SWEEPS: dict[type, _Sweeps] = {
    ops.BatchNorm: _NORM,
    ops.LayerNorm: _NORM,
    ops.ResponseNorm: _Sweeps(6, 2, 12, 3),  # the window's sum slides: two operations, however wide
    ops.Activation: _Sweeps(1, 2, 1, 3),
    ops.Scale: _Sweeps(1, 2, 3, 3),
    ops.Dropout: _Sweeps(1, 2, 1, 2),  # what is dropped can be drawn again from its seed
    ops.DropPath: _Sweeps(1, 2, 1, 2),  # a factor for each example
    ops.Zero: _Sweeps(0, 1),
}


def forward(op: Op, sources: Sequence[Size], target: Size, batch: int) -> Work:
    """Return what computing `op` on a batch of inputs of shapes `sources` takes while training."""
    inputs, outputs = batch * sum(map(prod, sources)), batch * prod(target)
    match op:
        case ops.Conv() | ops.Depthwise() | ops.Dense() | ops.Classify():
            found = weights(op, sources[0])
            flops = 2 * batch * macs(op, sources[0], target) + (outputs if "bias" in found else 0)
            return _work(flops, inputs + outputs + sum(map(prod, found.values())))
        case ops.Pool(kernel=kernel, reduce=reduce):
            return _work(prod(kernel) * outputs, inputs + _remembered(reduce) * outputs)
        case ops.GlobalPool(reduce=reduce):
            return _work(inputs, inputs + _remembered(reduce) * outputs)
        case ops.Merge(how=how) if len(sources) > 1:
            return _work((len(sources) - 1) * outputs if how == "add" else 0, inputs + outputs)
        case _:
            sweeps = _SWEEPS.get(type(op), _Sweeps())
            return _work(sweeps.flops * outputs, sweeps.times * outputs)


def backward(op: Op, sources: Sequence[Size], target: Size, batch: int, *, inner: bool = True) -> Work:
    """Return what the gradients of `op` take: of its weights and, if it is `inner`, of its inputs.

    An operation is inner if anything before it is trained: nobody needs the gradient of an image.
    """
    inputs, outputs = batch * sum(map(prod, sources)), batch * prod(target)
    if not inner and not weights(op, sources[0] if sources else ()):
        return Work(0, 0)
    match op:
        case ops.Conv() | ops.Depthwise() | ops.Dense() | ops.Classify():
            found = weights(op, sources[0])
            products = 1 + inner  # of the gradient with the input, and with the kernel
            flops = products * 2 * batch * macs(op, sources[0], target) + (outputs if "bias" in found else 0)
            return _work(flops, products * (inputs + outputs + sum(map(prod, found.values()))))
        case ops.Pool(kernel=kernel, reduce=reduce):
            flops = outputs * (prod(kernel) if reduce == "mean" else 1)
            return _work(flops, inputs + _remembered(reduce) * outputs)
        case ops.GlobalPool(reduce=reduce):
            return _work(inputs if reduce == "mean" else outputs, inputs + _remembered(reduce) * outputs)
        case _:
            sweeps = _SWEEPS.get(type(op), _Sweeps())
            return _work(sweeps.backward_flops * outputs, max(0, sweeps.backward_times - (not inner)) * outputs)


def inner(architecture: Architecture) -> frozenset[NodeId]:
    """Return the nodes whose inputs need a gradient: those behind anything that is trained."""
    found = shapes(architecture)
    trained: set[NodeId] = set()  # whose output depends on weights
    needing: set[NodeId] = set()
    for node in architecture:
        if any(source in trained for source in node.inputs):
            needing.add(node.id)
        if node.id in needing or weights(node.op, found[node.inputs[0]] if node.inputs else ()):
            trained.add(node.id)
    return frozenset(needing)


def _work(flops: int, elements: int) -> Work:
    return Work(flops, BYTES * elements)


def _remembered(reduce: str) -> int:
    """Return how many numbers a pool moves for each output: a maximum remembers where it was."""
    return 2 if reduce == "max" else 1
