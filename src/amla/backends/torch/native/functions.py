"""The kernels as differentiable PyTorch functions; `fits` says which tensors they take, PyTorch does the others.

Results do not depend on the number of threads. No gradients of gradients.
"""

import hashlib
from collections.abc import Sequence
from ctypes import byref, c_long, c_void_p
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from amla.backends.torch.native import structs
from amla.backends.torch.native.convolutions import convolves, depthwise, is_thin, thin
from amla.backends.torch.native.structs import Branch, Cell, Dropout, Response, address, call, fits

__all__ = [
    "Drop", "Norm", "convolves", "depthwise", "dropped", "fits", "is_thin", "normalised", "responded", "responds",
    "thin",
]  # fmt: skip


@dataclass(frozen=True)
class Norm:
    """The batch normalisation of one tensor, whose running `mean` and `variance` training moves by `momentum`."""

    mean: Tensor
    variance: Tensor
    scale: Tensor | None = None
    shift: Tensor | None = None
    epsilon: float = 1e-5
    momentum: float = 0.1


@dataclass(frozen=True)
class Drop:
    """Dropout that keeps with probability `keep`; what it keeps is a function of `seed` and an element's place.

    The place of the first element is `first`.
    """

    keep: float
    seed: int
    first: int = 0

    def told(self) -> Dropout:
        """Return what the kernels are told."""
        words = hashlib.blake2b(str(self.seed).encode(), digest_size=8).digest()
        key, second = int.from_bytes(words[:4], "little"), int.from_bytes(words[4:], "little")
        threshold = min(round(self.keep * 2**31), 2**31 - 1)
        return Dropout(self.keep < 1, key, second, threshold, 1 / self.keep, self.first % 2**32)


def normalised(
    xs: Sequence[Tensor], norms: Sequence[Norm], *, training: bool, relu: bool = True, drop: Drop | None = None
) -> tuple[Tensor, Tensor]:
    """Normalise each x, concatenate along channels, and apply ReLU and dropout.

    Also returns, as doubles (2, channels), the sums over batch and positions of what dropout is given, and of its
    square. Raises ValueError where training has but one row to normalise by.
    """
    rows = xs[0].numel() // xs[0].shape[1]
    if training and rows < 2:
        raise ValueError(f"Training normalises by two rows or more, but got {rows}: a batch of {xs[0].shape[0]}.")
    told = _Told(tuple(norms), training, relu, drop or Drop(1, 0))
    scales, shifts = [norm.scale for norm in norms], [norm.shift for norm in norms]
    out, moments = _Normalised.apply(told, *xs, *scales, *shifts)  # type: ignore[no-untyped-call]
    return out, moments


def dropped(x: Tensor, drop: Drop) -> Tensor:
    """Zero and enlarge: exactly what `normalised` would do to the same place with the same seed."""
    out: Tensor = _Dropped.apply(x, drop)  # type: ignore[no-untyped-call]
    return out


def responds(x: Tensor, beta: float) -> bool:
    """Whether `responded` takes these: of powers it knows 0.5, 0.75 and 1."""
    return fits(x) and beta in (0.5, 0.75, 1)


def responded(x: Tensor, *, radius: int, alpha: float, beta: float, bias: float) -> Tensor:
    """Return x / (bias + alpha * sum of x^2 over `radius` channels on either side and itself) ^ beta."""
    told = Response(x.shape[1], radius, round(4 * beta), bias, alpha, 2 * alpha * beta)
    out: Tensor = _Responded.apply(x, told)  # type: ignore[no-untyped-call]
    return out


@dataclass(frozen=True)
class _Told:
    norms: tuple[Norm, ...]
    training: bool
    relu: bool
    drop: Drop

    def cell(self, x: Tensor, channels: int) -> Cell:
        rows = x.numel() // x.shape[1]
        return Cell(rows, channels, len(self.norms), self.training, self.relu, self.drop.told())

    def branches(self, xs: Sequence[Tensor], table: Tensor) -> Any:
        """Return the branches' structures, their columns of `table` by name of its rows."""
        found, start, width = (Branch * len(xs))(), 0, 4 * table.shape[1]
        for branch, x, norm in zip(found, xs, self.norms, strict=True):
            branch.channels, branch.start, branch.x = x.shape[1], start, x.data_ptr()
            branch.epsilon, branch.momentum = norm.epsilon, norm.momentum
            branch.running_mean, branch.running_variance = norm.mean.data_ptr(), norm.variance.data_ptr()
            for row, name in enumerate(("mean", "inverse", "factor", "shift")):
                setattr(branch, name, table.data_ptr() + row * width + 4 * start)
            start += x.shape[1]
        return found


class _Normalised(Function):
    @staticmethod
    def forward(ctx: Any, told: _Told, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
        count = len(told.norms)
        xs = [x for x in tensors[:count] if x is not None]
        channels = sum(x.shape[1] for x in xs)
        out, table = structs.new_by_pixel(xs[0], channels), torch.empty(4, channels, dtype=torch.float32)
        moments = torch.empty(2, channels, dtype=torch.float64)
        branches = told.branches(xs, table)
        for branch, scale, shift in zip(branches, tensors[count : 2 * count], tensors[2 * count :], strict=True):
            branch.scale, branch.given_shift = address(scale), address(shift)
        cell = told.cell(xs[0], channels)
        call("normalise", byref(cell), branches, c_void_p(out.data_ptr()), c_void_p(moments.data_ptr()))
        ctx.told = told
        ctx.save_for_backward(table, *xs)
        ctx.mark_non_differentiable(moments)
        ctx.set_materialize_grads(False)
        return out, moments

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        table, *xs = ctx.saved_tensors
        count = len(xs)
        if gradient is None:
            return (None,) * (1 + 3 * count)
        gradient, told = structs.by_pixel(gradient), ctx.told
        wanted = ctx.needs_input_grad[1:]
        dxs = [torch.empty_like(x) if want else None for x, want in zip(xs, wanted[:count], strict=True)]
        made = torch.empty_like(table)  # offset, slope, and the gradients of scale and shift
        branches = told.branches(xs, table)
        for branch, dx in zip(branches, dxs, strict=True):
            branch.dx = address(dx)
            for row, name in enumerate(("offset", "slope", "dscale", "dshift")):
                setattr(branch, name, made.data_ptr() + 4 * (row * made.shape[1] + branch.start))
        cell = told.cell(xs[0], made.shape[1])
        call("normalise_back", byref(cell), branches, c_void_p(gradient.data_ptr()))
        parts = [made[row, branch.start : branch.start + branch.channels] for row in (2, 3) for branch in branches]
        of_weights = [part if want else None for part, want in zip(parts, wanted[count:], strict=True)]
        return None, *dxs, *of_weights


class _Dropped(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, drop: Drop) -> Tensor:
        ctx.drop = drop
        return _drop(x, drop)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _drop(structs.by_pixel(gradient), ctx.drop), None


def _drop(x: Tensor, drop: Drop) -> Tensor:
    out, told = torch.empty_like(x), drop.told()
    call("drop", byref(told), c_void_p(x.data_ptr()), c_void_p(out.data_ptr()), c_long(x.numel()))
    return out


class _Responded(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, told: Response) -> Tensor:
        ctx.save_for_backward(x)
        ctx.told = told
        return _respond(x, None, told)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return _respond(x, structs.by_pixel(gradient), ctx.told), None


def _respond(x: Tensor, gradient: Tensor | None, told: Response) -> Tensor:
    out = torch.empty_like(x)
    rows = c_long(x.numel() // x.shape[1])
    call("respond", byref(told), c_void_p(x.data_ptr()), c_void_p(address(gradient)), c_void_p(out.data_ptr()), rows)
    return out
