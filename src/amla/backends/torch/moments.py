"""The means of a tensor's channels, and of their squares."""

import torch
from torch import Tensor

ROWS = 1 << 13  # that are summed as floats, which more of them would cost digits


@torch.no_grad()
def moments_of(h: Tensor) -> Tensor:
    """Return (2, channels), as doubles: the means of h and of h squared over batch and positions."""
    positions = h[0, 0].numel()
    if not h.is_cpu or h.dtype != torch.float32 or not positions:
        axes = (0, *range(2, h.ndim))
        sums = torch.stack((h.sum(axes), torch.linalg.vector_norm(h, dim=axes).square_()))
        return sums.div_(len(h) * positions).double()
    total = torch.zeros(2, h.shape[1], dtype=torch.float64)
    for part in torch.split(h, max(1, ROWS // positions)):
        # what batch normalisation uses: ten times as fast on a CPU as sums over the same axes
        mean, variance = (of.double() for of in torch.batch_norm_update_stats(part, None, None, 0.0))
        total += len(part) * torch.stack((mean, variance + mean * mean))
    return total / len(h)
