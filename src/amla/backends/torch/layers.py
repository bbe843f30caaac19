"""Every op as a PyTorch module, whose parameters and buffers are called by their canonical roles."""

from collections.abc import Callable
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.torch.dropping import SeededDropout, SeededDropPath
from amla.spec import ops
from amla.spec.costs import buffers, weights
from amla.spec.ops import Size

_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
_MAX_POOLS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU,
    "silu": nn.SiLU, "hardswish": nn.Hardswish, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh,
}  # fmt: skip
_MEAN_POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


@singledispatch
def layer(op: object, source: Size) -> nn.Module:
    """Return the module that computes `op` on inputs of shape (batch, *source), its weights not yet set."""
    raise NotImplementedError(f"The PyTorch backend cannot compute {op!r}.")


class Weighted(nn.Module):
    """A module with the weights and buffers of an op, by role; a role that the op lacks is None."""

    def __init__(self, op: object, source: Size, roles: tuple[str, ...]) -> None:
        super().__init__()
        has = weights(op, source)
        for role in roles:
            shape = has.get(role)
            self.register_parameter(role, None if shape is None else nn.Parameter(torch.empty(shape)))
        for role, shape in buffers(op, source).items():
            self.register_buffer(role, torch.empty(shape))


class Convolution(Weighted):
    """A convolution, depthwise or not, padded to keep the size (divided by the stride)."""

    kernel: Tensor
    bias: Tensor | None

    def __init__(self, op: ops.Conv | ops.Depthwise, source: Size) -> None:
        super().__init__(op, source, ("kernel", "bias"))
        self.convolve = _CONVOLUTIONS[len(op.kernel) - 1]
        self.stride, self.dilation = op.stride, op.dilation
        self.groups = op.groups if isinstance(op, ops.Conv) else source[0]
        self.padding, self.far = _padding(op, source)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, channels, *spatial)."""
        if self.far:
            x = F.pad(x, self.far)
        return self.convolve(x, self.kernel, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Linear(Weighted):
    """A linear layer."""

    kernel: Tensor
    bias: Tensor | None

    def __init__(self, op: ops.Dense | ops.Classify, source: Size) -> None:
        super().__init__(op, source, ("kernel", "bias"))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, features) to (batch, units)."""
        return F.linear(x, self.kernel, self.bias)


class BatchNormalisation(Weighted):
    """Batch normalisation; scale and shift where the op has them.

    While training, `shared` is what normalises if the batch is one process's share of it.
    """

    scale: Tensor | None
    shift: Tensor | None
    mean: Tensor
    variance: Tensor

    def __init__(self, op: ops.BatchNorm, source: Size) -> None:
        super().__init__(op, source, ("scale", "shift"))
        self.epsilon, self.momentum = op.epsilon, op.momentum
        self.shared: Callable[[BatchNormalisation, Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the batch while training, else by what was remembered."""
        if self.training and self.shared is not None:
            return self.shared(self, x)
        return F.batch_norm(
            x, self.mean, self.variance, self.scale, self.shift, self.training, self.momentum, self.epsilon
        )


class LayerNormalisation(Weighted):
    """Normalisation of each example over channels and positions."""

    scale: Tensor
    shift: Tensor

    def __init__(self, op: ops.LayerNorm, source: Size) -> None:
        super().__init__(op, source, ("scale", "shift"))
        self.epsilon = op.epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, then scale and shift every channel: a group norm with one group."""
        if x.ndim > 3 and not x.requires_grad:
            # with channels last in memory, PyTorch 2.13 dies of a gradient of the scale without one of x
            return F.group_norm(x.flatten(2), 1, self.scale, self.shift, self.epsilon).reshape(x.shape)
        return F.group_norm(x, 1, self.scale, self.shift, self.epsilon)


class ResponseNormalisation(nn.Module):
    """Local response normalisation across channels."""

    band: Tensor

    def __init__(self, op: ops.ResponseNorm, source: Size) -> None:
        super().__init__()
        self.alpha, self.beta, self.offset = op.alpha, op.beta, op.bias
        place = torch.arange(source[0])
        band = ((place[:, None] - place[None, :]).abs() <= op.radius).float()
        self.register_buffer("band", band.reshape(*band.shape, *(1 for _ in source[1:])), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Divide by a power of the squares summed over neighbouring channels, which a banded 1x1 convolution sums."""
        squares = x * x
        window = _CONVOLUTIONS[x.ndim - 3](squares, self.band) if x.ndim > 2 else F.linear(squares, self.band)
        return x * (self.offset + self.alpha * window).pow(-self.beta)


class Pooling(nn.Module):
    """The maximum or mean of every window, in which padding takes no part."""

    def __init__(self, op: ops.Pool, source: Size) -> None:
        super().__init__()
        self.op, self.rank = op, len(op.kernel)
        self.padding, self.far = _padding(op, source)
        self.simple = not self.far and set(op.dilation) == {1}

    def forward(self, x: Tensor) -> Tensor:
        """Pool (batch, channels, *spatial)."""
        if self.op.reduce == "max":
            x = F.pad(x, self.far, value=float("-inf")) if self.far else x
            return _MAX_POOLS[self.rank - 1](x, self.op.kernel, self.op.stride, self.padding, self.op.dilation)
        if self.simple:
            return _MEAN_POOLS[self.rank - 1](x, self.op.kernel, self.op.stride, self.padding, False, False)
        return self._sum(x) / self._sum(x.new_ones((1, 1, *x.shape[2:])))

    def _sum(self, x: Tensor) -> Tensor:
        x = F.pad(x, self.far) if self.far else x
        ones = x.new_ones((x.shape[1], 1, *self.op.kernel))
        convolve = _CONVOLUTIONS[self.rank - 1]
        return convolve(x, ones, None, self.op.stride, self.padding, self.op.dilation, x.shape[1])


class GlobalPooling(nn.Module):
    """The maximum or mean over all positions."""

    def __init__(self, op: ops.GlobalPool) -> None:
        super().__init__()
        self.reduce = op.reduce

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, *spatial) to (batch, channels)."""
        axes = tuple(range(2, x.ndim))
        if not axes:
            return x
        return x.mean(axes) if self.reduce == "mean" else x.amax(axes)


class Scaling(Weighted):
    """The input times a learned number."""

    scale: Tensor

    def __init__(self, op: ops.Scale, source: Size) -> None:
        super().__init__(op, source, ("scale",))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return x * self.scale


class Merging(nn.Module):
    """The sum or the concatenation of several inputs."""

    def __init__(self, op: ops.Merge) -> None:
        super().__init__()
        self.concat = op.how == "concat"

    def forward(self, *inputs: Tensor) -> Tensor:
        """Merge tensors of (batch, channels, *spatial)."""
        if len(inputs) == 1:
            return inputs[0]
        if self.concat:
            return torch.cat(inputs, 1)
        total = inputs[0] + inputs[1]
        for x in inputs[2:]:
            total = total + x
        return total


class Zeros(nn.Module):
    """Zeros in the shape of the input."""

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros, through which no gradient flows."""
        return torch.zeros_like(x)


layer.register(ops.Conv | ops.Depthwise, Convolution)
layer.register(ops.Dense | ops.Classify, Linear)
layer.register(ops.BatchNorm, BatchNormalisation)
layer.register(ops.LayerNorm, LayerNormalisation)
layer.register(ops.Scale, Scaling)
layer.register(ops.ResponseNorm, ResponseNormalisation)
layer.register(ops.Pool, Pooling)
layer.register(ops.GlobalPool, lambda op, source: GlobalPooling(op))
layer.register(ops.Flatten, lambda op, source: nn.Flatten())
layer.register(ops.Activation, lambda op, source: _ACTIVATIONS[op.function]())
layer.register(ops.Dropout, lambda op, source: SeededDropout(op))
layer.register(ops.DropPath, lambda op, source: SeededDropPath(op))
layer.register(ops.Merge, lambda op, source: Merging(op))
layer.register(ops.Zero, lambda op, source: Zeros())
layer.register(ops.Input | ops.Identity, lambda op, source: nn.Identity())


def _padding(op: ops.Conv | ops.Depthwise | ops.Pool, source: Size) -> tuple[Size, list[int]]:
    """Return the padding of both ends, and what F.pad must add first where an axis needs one more at the far end.

    An odd total needs it only if the last window would not fit otherwise.
    """
    if op.padding == "valid":
        return (0,) * len(op.kernel), []
    total = [(k - 1) * d for k, d in zip(op.kernel, op.dilation, strict=True)]
    more = [
        t % 2 if (extent - 1) % stride == 0 else 0
        for t, extent, stride in zip(total, source[1:], op.stride, strict=True)
    ]
    return tuple(t // 2 for t in total), [pair for extra in reversed(more) for pair in (0, extra)] if any(more) else []
