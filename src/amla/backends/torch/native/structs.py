"""What the kernels are told of tensors: the structures of kernels.c, addresses, and how memory must be laid out."""

import ctypes
from collections.abc import Iterable
from ctypes import Structure, c_float, c_int, c_long, c_uint, c_void_p

import torch
from torch import Tensor

from amla.backends.torch.native.build import library

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class Images(Structure):
    """`struct images`."""

    _fields_ = [("count", c_int), ("height", c_int), ("width", c_int), ("channels", c_int)]


class Dropout(Structure):
    """`struct dropout`."""

    _fields_ = [
        *(("on", c_int), ("key", c_uint), ("second", c_uint), ("threshold", c_uint), ("enlarge", c_float)),
        ("first", c_uint),
    ]


class Branch(Structure):
    """`struct branch`."""

    _fields_ = [
        *((name, c_int) for name in ("channels", "start")),
        *((name, c_float) for name in ("epsilon", "momentum")),
        *((name, c_void_p) for name in ("x", "scale", "given_shift", "running_mean", "running_variance", "dx")),
        *((name, c_void_p) for name in ("mean", "inverse", "factor", "shift", "offset", "slope", "dscale", "dshift")),
    ]


class Cell(Structure):
    """`struct cell`."""

    _fields_ = [
        ("rows", c_long),
        *((name, c_int) for name in ("channels", "branches", "training", "relu")),
        ("dropout", Dropout),
    ]


class Response(Structure):
    """`struct response`."""

    _fields_ = [
        *((name, c_int) for name in ("channels", "radius", "quarters")),
        *((name, c_float) for name in ("bias", "alpha", "slope")),
    ]


def fits(*tensors: Tensor) -> bool:
    """Whether the kernels can be had, and take these: float32 on the CPU, channels innermost in memory."""
    return library() is not None and all(
        t.dtype == torch.float32 and t.device.type == "cpu" and 0 < t.numel() < 2**31 and is_by_pixel(t)
        for t in tensors
    )


def reads(inputs: Tensor) -> bool:
    """Whether the kernel can be had, and takes a dataset: images of bytes, (examples, height, width, channels)."""
    fitting = inputs.dtype == torch.uint8 and inputs.device.type == "cpu" and inputs.ndim == 4
    return fitting and inputs.is_contiguous() and inputs.numel() > 0 and library() is not None


def is_by_pixel(tensor: Tensor) -> bool:
    """Whether (batch, channels, *spatial) lies in memory as (batch, *spatial, channels)."""
    if tensor.ndim == 2:
        return tensor.is_contiguous()
    found = _FORMATS.get(tensor.ndim)
    return found is not None and tensor.is_contiguous(memory_format=found)


def by_pixel(tensor: Tensor) -> Tensor:
    """Return the tensor, copied unless it lies in memory as (batch, *spatial, channels)."""
    return tensor.contiguous(memory_format=_FORMATS.get(tensor.ndim, torch.contiguous_format))


def new_by_pixel(like: Tensor, channels: int) -> Tensor:
    """Return an empty tensor of the same batch and positions."""
    shape = (like.shape[0], channels, *like.shape[2:])
    form = _FORMATS.get(like.ndim, torch.contiguous_format)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=form)


def address(tensor: Tensor | None) -> int | None:
    """Return where a tensor's elements begin; None for none."""
    return None if tensor is None else tensor.data_ptr()


def addresses(tensors: Iterable[Tensor | None]) -> ctypes.Array[c_void_p]:
    """Return the addresses of several tensors as an array."""
    found = [address(tensor) for tensor in tensors]
    return (c_void_p * len(found))(*found)


def call(name: str, *arguments: object) -> None:
    """Call a function of kernels.c with as many threads as PyTorch uses. Raises MemoryError."""
    kernels = library()
    assert kernels is not None, "Ask fits() first."  # noqa: S101
    if getattr(kernels, name)(c_int(torch.get_num_threads()), *arguments):
        raise MemoryError(f"There is no memory for what the kernel '{name}' keeps while it works.")
