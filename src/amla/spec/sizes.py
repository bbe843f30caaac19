"""The sizes of one operation: of its output, of its weights, of what it remembers; and its multiply-accumulates."""

from functools import singledispatch
from math import prod

from amla.spec import ops
from amla.spec.ops import Size
from amla.spec.values import SpecError


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
