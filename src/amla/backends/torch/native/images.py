"""Reads the images of a batch out of a dataset, moved and normalised in one pass."""

from ctypes import byref, c_void_p

import torch
from torch import Tensor

from amla.backends.torch.native.structs import Images, address, call, reads

__all__ = ["read", "reads"]


def read(inputs: Tensor, which: Tensor, rows: Tensor, columns: Tensor, mean: Tensor, inverse: Tensor) -> Tensor:
    """Return images `which` (batch) of `inputs` as floats (batch, height, width, channels), normalised.

    `rows` (batch, height) and `columns` (batch, width) say which places of an image its result reads; outside of it
    there are zeros. From every number the channel's `mean` is subtracted, and that multiplied by `inverse`. Raises
    IndexError for images that are not there.
    """
    batch, (examples, height, width, channels) = len(which), inputs.shape
    if batch and not 0 <= int(which.min()) <= int(which.max()) < examples:
        raise IndexError(f"There are {examples} images; asked for are {int(which.min())} to {int(which.max())}.")
    of_all = [t.to(torch.int64).contiguous() for t in (which, rows.expand(batch, height), columns.expand(batch, width))]
    out = torch.empty((batch, height, width, channels))
    moments = [t.contiguous() for t in (mean, inverse)]
    told = Images(batch, height, width, channels)
    call("read_images", byref(told), *(c_void_p(address(t)) for t in (inputs, *of_all, *moments, out)))
    return out
