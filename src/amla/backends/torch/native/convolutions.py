"""Convolutions as differentiable PyTorch functions: depthwise, and to few channels.

Each asks for itself whether the kernels take what it is given, and leaves it to PyTorch if not.
"""

from collections.abc import Sequence
from ctypes import byref, c_int, c_void_p
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.torch.native import structs
from amla.backends.torch.native.structs import Images, address, addresses, call, fits

SIZES = (3, 5, 7)  # of depthwise convolutions
NARROWEST = 8  # channels of them: those of a vector
THIN_SIZES = (1, 3, 5)
LEAST_INPUTS = 32  # of thin convolutions: two vectors
VECTOR = 16  # outputs that PyTorch computes at once: as many as fill whole vectors are best left to it


def convolves(x: Tensor, kernels: Sequence[Tensor]) -> bool:
    """Whether the kernels take these: images of eight channels or more, and weights (channels, 1, k, k) they know."""
    return (
        x.ndim == 4
        and x.shape[1] >= NARROWEST
        and fits(x)
        and all(w.shape[-1] in SIZES and w.shape == (x.shape[1], 1, w.shape[-1], w.shape[-1]) for w in kernels)
        and all(w.dtype == x.dtype and w.device == x.device for w in kernels)
    )


def depthwise(x: Tensor, *kernels: Tensor) -> tuple[Tensor, ...]:
    """Convolve every channel of x by itself, with each of the (odd) kernels: padded to keep the size, stride 1.

    Several at once read x from memory once, and sum its gradient as they compute it. What `convolves` says no to is
    left to PyTorch.
    """
    if not convolves(x, kernels):
        return tuple(F.conv2d(x, kernel, padding=kernel.shape[-1] // 2, groups=x.shape[1]) for kernel in kernels)
    outputs: tuple[Tensor, ...] = _Depthwise.apply(x, *kernels)  # type: ignore[no-untyped-call]
    return outputs


def is_thin(x: Tensor, kernel: Tensor) -> bool:
    """Whether `thin` is faster than PyTorch: an eighth or more of the outputs that PyTorch computes would be idle."""
    outputs, inputs, size = len(kernel), x.shape[1], kernel.shape[-1]
    idle = -outputs % VECTOR
    return (
        x.ndim == 4
        and size in THIN_SIZES
        and kernel.shape == (outputs, inputs, size, size)
        and outputs >= 4
        and inputs >= LEAST_INPUTS
        and x.shape[-1] >= 4
        and idle * 8 >= outputs + idle
        and fits(x)
        and kernel.dtype == x.dtype
        and kernel.device == x.device
    )


def thin(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolve with one odd kernel (outputs, inputs, k, k): padded to keep the size, stride 1.

    What `is_thin` says no to is left to PyTorch; so is the gradient of x.
    """
    if not is_thin(x, kernel):
        return F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
    out: Tensor = _Thin.apply(x, kernel)  # type: ignore[no-untyped-call]
    return out


class _Depthwise(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *kernels: Tensor) -> tuple[Tensor, ...]:
        kernels = tuple(kernel.contiguous() for kernel in kernels)
        ctx.save_for_backward(x, *kernels)
        ctx.set_materialize_grads(False)
        outputs = tuple(torch.empty_like(x) for _ in kernels)
        call("depthwise", *_about(x, kernels), addresses(kernels), addresses(outputs))
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, *kernels = ctx.saved_tensors
        wants_dx, *wanted = ctx.needs_input_grad
        given = {place: structs.by_pixel(g) for place, g in enumerate(gradients) if g is not None}
        dx = torch.empty_like(x) if wants_dx and given else None
        dws = [torch.empty_like(w) if place in given and wanted[place] else None for place, w in enumerate(kernels)]
        if given:
            read = [kernels[place] for place in given]
            of = addresses(dws[place] for place in given)
            call("depthwise_back", *_about(x, read), addresses(read), addresses(given.values()), _pointer(dx), of)
        return dx, *dws


class _Thin(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor) -> Tensor:
        kernel = kernel.contiguous()
        ctx.save_for_backward(x, kernel)
        if kernel.shape[-1] == 1:
            return F.conv2d(x, kernel)  # as fast: memory is the limit
        out = structs.new_by_pixel(x, len(kernel))
        call("thin", *_about_thin(x, kernel), _pointer(kernel), _pointer(out))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, kernel = ctx.saved_tensors
        wants_dx, wants_dw = ctx.needs_input_grad
        gradient, dx, dw = structs.by_pixel(gradient), None, None
        if wants_dx:
            sides, ones = [kernel.shape[-1] // 2] * 2, [1, 1]
            mask = [True, False, False]
            back = torch.ops.aten.convolution_backward
            dx, _, _ = back(gradient, x, kernel, None, ones, sides, ones, False, [0, 0], 1, mask)
        if wants_dw:
            dw = torch.empty_like(kernel)
            call("thin_weights", *_about_thin(x, kernel), _pointer(gradient), _pointer(dw))
        return dx, dw


def _about(x: Tensor, kernels: Sequence[Tensor]) -> tuple[object, ...]:
    """Return what the kernels are told first: the images, and the sizes of the kernels."""
    sizes = (c_int * len(kernels))(*(kernel.shape[-1] for kernel in kernels))
    return _images(x), c_int(len(kernels)), sizes, _pointer(x)


def _about_thin(x: Tensor, kernel: Tensor) -> tuple[object, ...]:
    return _images(x), c_int(len(kernel)), c_int(kernel.shape[-1]), _pointer(x)


def _images(x: Tensor) -> object:
    batch, channels, height, width = x.shape
    return byref(Images(batch, height, width, channels))


def _pointer(tensor: Tensor | None) -> c_void_p:
    return c_void_p(address(tensor))
