"""Each operation as a line of plain PyTorch: what makes its module, or what computes it where it has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from amla.spec import ops
from amla.spec.ops import Size

_ACTIVATIONS = {
    "relu": "nn.ReLU()", "relu6": "nn.ReLU6()", "leaky_relu": "nn.LeakyReLU()", "gelu": "nn.GELU()",
    "silu": "nn.SiLU()", "hardswish": "nn.Hardswish()", "sigmoid": "nn.Sigmoid()", "tanh": "nn.Tanh()",
}  # fmt: skip
_LINEAR = {"kernel": "weight", "bias": "bias"}
_NORM = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


@dataclass(frozen=True)
class Line:
    """How an operation is written: `module` makes it, None where `call` computes it from the inputs by itself.

    In `call`, {0} and so on stand for the inputs, {all} for all of them, and {layer} for the module. `roles` are what
    PyTorch calls its weights. `needs` names what of `amla.export.parts` the file must have.
    """

    module: str | None
    call: str = "{layer}({0})"
    roles: dict[str, str] | None = None
    needs: tuple[str, ...] = ()


@singledispatch
def line(op: object, source: Size, inputs: int) -> Line:
    """Return how `op` is written for `inputs` inputs of shape `source`."""
    raise NotImplementedError(f"There is no plain PyTorch for {op!r}.")


@line.register
def _(op: ops.Conv, source: Size, inputs: int) -> Line:
    rest: dict[str, object] = {"groups": op.groups} if op.groups != 1 else {}
    return _convolution(op, source, source[0], op.channels or 0, rest)


@line.register
def _(op: ops.Depthwise, source: Size, inputs: int) -> Line:
    return _convolution(op, source, source[0], source[0] * op.multiplier, {"groups": source[0]})


@line.register(ops.Dense)
@line.register(ops.Classify)
def _(op: ops.Dense | ops.Classify, source: Size, inputs: int) -> Line:
    units = op.units if isinstance(op, ops.Dense) else op.classes
    return Line(_call("nn.Linear", source[0], units, **({} if op.bias else {"bias": False})), roles=_LINEAR)


@line.register
def _(op: ops.BatchNorm, source: Size, inputs: int) -> Line:
    rank = max(1, len(source) - 1)
    settings: dict[str, object] = {"eps": op.epsilon, "momentum": op.momentum}
    if op.scale != op.shift:  # PyTorch has both or none
        affine = {"scale": op.scale, "shift": op.shift}
        return Line(_call("HalfAffineNorm", source[0], **affine, **settings), roles=_NORM, needs=("HalfAffineNorm",))
    affine = {} if op.scale else {"affine": False}
    return Line(_call(f"nn.BatchNorm{rank}d", source[0], **settings, **affine), roles=_NORM)


@line.register
def _(op: ops.LayerNorm, source: Size, inputs: int) -> Line:
    return Line(_call("nn.GroupNorm", 1, source[0], eps=op.epsilon), roles={"scale": "weight", "shift": "bias"})


@line.register
def _(op: ops.ResponseNorm, source: Size, inputs: int) -> Line:
    settings = {"radius": op.radius, "alpha": op.alpha, "beta": op.beta, "bias": op.bias}
    return Line(_call("ResponseNorm", source[0], **settings), needs=("ResponseNorm",))


@line.register
def _(op: ops.Pool, source: Size, inputs: int) -> Line:
    near, far = padding(op, source)
    rank = len(op.kernel)
    settings: dict[str, object] = {"kernel_size": _same(op.kernel), "stride": _same(op.stride)}
    if op.reduce == "max":
        settings |= {"padding": _same(near)} if any(near) else {}
        settings |= {"dilation": _same(op.dilation)} if set(op.dilation) != {1} else {}
        pad = f"F.pad({{0}}, {far}, value=float('-inf'))" if far else "{0}"
        return Line(_call(f"nn.MaxPool{rank}d", **settings), f"{{layer}}({pad})")
    if not far and set(op.dilation) == {1}:
        settings |= {"padding": _same(near), "count_include_pad": False} if any(near) else {}
        return Line(_call(f"nn.AvgPool{rank}d", **settings))
    whole = {"kernel": op.kernel, "stride": op.stride, "dilation": op.dilation, "near": near, "far": tuple(far)}
    return Line(_call("MeanPool", source[0], **whole), needs=("MeanPool",))


@line.register
def _(op: ops.GlobalPool, source: Size, inputs: int) -> Line:
    axes = tuple(range(2, len(source) + 1))
    if not axes:
        return Line(None, "{0}")
    return Line(None, f"{{0}}.{'mean' if op.reduce == 'mean' else 'amax'}({axes})")


@line.register
def _(op: ops.Flatten, source: Size, inputs: int) -> Line:
    return Line(None, "{0}.flatten(1)")


@line.register
def _(op: ops.Activation, source: Size, inputs: int) -> Line:
    return Line(_ACTIVATIONS[op.function])


@line.register
def _(op: ops.Scale, source: Size, inputs: int) -> Line:
    return Line("nn.Parameter(torch.ones(()))", "{0} * {layer}", {"scale": ""})


@line.register
def _(op: ops.Dropout, source: Size, inputs: int) -> Line:
    return Line(_call("nn.Dropout", op.rate))


@line.register
def _(op: ops.DropPath, source: Size, inputs: int) -> Line:
    return Line(_call("DropPath", op.rate), needs=("DropPath",))


@line.register
def _(op: ops.Merge, source: Size, inputs: int) -> Line:
    if inputs == 1:
        return Line(None, "{0}")
    return Line(None, "torch.cat(({all}), 1)" if op.how == "concat" else " + ".join(f"{{{n}}}" for n in range(inputs)))


@line.register
def _(op: ops.Zero, source: Size, inputs: int) -> Line:
    return Line(None, "torch.zeros_like({0})")


@line.register(ops.Identity)
@line.register(ops.Input)
def _(op: ops.Identity | ops.Input, source: Size, inputs: int) -> Line:
    return Line(None, "{0}")


def padding(op: ops.Conv | ops.Depthwise | ops.Pool, source: Size) -> tuple[Size, list[int]]:
    """Return the padding of both ends along each axis, and what `F.pad` adds besides at the far ends, if anything.

    By the rule of `amla.spec.windows`: an odd one goes to the far end, and is needed only if the last window reads it.
    """
    if op.padding == "valid":
        return (0,) * len(op.kernel), []
    total = [(kernel - 1) * dilation for kernel, dilation in zip(op.kernel, op.dilation, strict=True)]
    more = [
        missing % 2 if (extent - 1) % stride == 0 else 0
        for missing, extent, stride in zip(total, source[1:], op.stride, strict=True)
    ]
    far = [pair for extra in reversed(more) for pair in (0, extra)] if any(more) else []
    return tuple(missing // 2 for missing in total), far


def _convolution(
    op: ops.Conv | ops.Depthwise, source: Size, channels: int, outputs: int, settings: dict[str, object]
) -> Line:
    near, far = padding(op, source)
    plain: dict[str, object] = {}
    plain |= {"stride": _same(op.stride)} if set(op.stride) != {1} else {}
    plain |= {"padding": _same(near)} if any(near) else {}
    plain |= {"dilation": _same(op.dilation)} if set(op.dilation) != {1} else {}
    plain |= settings | ({} if op.bias else {"bias": False})
    module = _call(f"nn.Conv{len(op.kernel)}d", channels, outputs, _same(op.kernel), **plain)
    return Line(module, f"{{layer}}(F.pad({{0}}, {far}))" if far else "{layer}({0})", _LINEAR)


def _same(numbers: Sequence[int]) -> int | Size:
    """Return one number for all axes where they are equal."""
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def _call(name: str, *arguments: object, **settings: object) -> str:
    return f"{name}({', '.join([*map(repr, arguments), *(f'{key}={value!r}' for key, value in settings.items())])})"
