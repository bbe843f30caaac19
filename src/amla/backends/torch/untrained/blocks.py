"""What the scores of AZ-NAS read of the blocks of a network: entropies of features, and couplings of gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.torch.norms import normalising_anew
from amla.backends.torch.untrained.views import View
from amla.scores import blocks, entropy, links
from amla.spec.architecture import NodeId
from amla.spec.values import SpecError

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """The entropy of each block's features, which block follows which, and what each link does to gradients."""

    entropies: Mapping[NodeId, float]
    links: tuple[tuple[NodeId, NodeId], ...]
    couplings: tuple[Numbers | None, ...]


def blockwise(view: View) -> Blocks:
    """Return what a batch of noise shows. Raises SpecError for a network without two blocks, one after the other."""
    found = blocks(view.architecture)
    pairs = links(view.architecture, found)
    if not pairs:
        raise SpecError("No block of this network follows another; the scores of AZ-NAS compare those that do.")
    network, inputs = view.network(), view.noise(0).requires_grad_(True)
    network.watch(found, whole=True)
    with normalising_anew(network):
        network(inputs)
    outputs = {block: network.seen[block] for block in found}
    entropies = {block: entropy(covariance(of)) for block, of in outputs.items()}
    couplings = tuple(
        _coupling(outputs[before], outputs[block], view.signs(number, outputs[block]))
        for number, (before, block) in enumerate(pairs)
    )
    return Blocks(entropies, pairs, couplings)


@torch.no_grad()
def covariance(outputs: Tensor) -> Numbers:
    """Return (channels, channels): the covariance over examples and positions of (batch, channels, *spatial)."""
    rows = _rows(outputs).double()
    rows = rows - rows.mean(dim=0)
    return np.asarray((rows.T @ rows / len(rows)).cpu().numpy(), np.float64)


def _coupling(before: Tensor, block: Tensor, signs: Tensor) -> Numbers | None:
    """Return the coupling of a block: of the gradient behind it, `signs`, with that before it; None for the same."""
    (gradient,) = torch.autograd.grad(block, before, signs, retain_graph=True)
    if gradient.shape == signs.shape and torch.equal(gradient, signs):
        return None
    inside, outside = _rows(folded(gradient, block.shape[2:])), _rows(signs)
    return np.asarray((inside.T @ outside / len(outside)).cpu().double().numpy(), np.float64)


def folded(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return (batch, channels * more, *size): each window of x, where it has more positions, among the channels.

    Where windows do not fill x evenly, it is padded with zeros at the far end.
    """
    extents = x.shape[2:]
    if tuple(extents) == tuple(size):
        return x
    strides = [-(-extent // wanted) for extent, wanted in zip(extents, size, strict=True)]
    missing = [stride * wanted - extent for stride, wanted, extent in zip(strides, size, extents, strict=True)]
    x = F.pad(x, [side for more in reversed(missing) for side in (0, more)])
    split = [part for wanted, stride in zip(size, strides, strict=True) for part in (wanted, stride)]
    x = x.reshape(*x.shape[:2], *split)
    axes = range(len(strides))
    x = x.permute(0, 1, *(3 + 2 * axis for axis in axes), *(2 + 2 * axis for axis in axes))
    return x.reshape(x.shape[0], -1, *size)


def _rows(x: Tensor) -> Tensor:
    """Return (batch * positions, channels)."""
    return x.movedim(1, -1).reshape(-1, x.shape[1])
