"""How pick weights should move: the gradient of the loss by them, as things are or after the next step of the weights.

Liu, Simonyan and Yang 2019, equations 6 to 8.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Loss = Callable[[], Tensor]  # of one batch, as weights and pick weights are now

DISTANCE = 0.01  # over the norm of the gradient: how far the weights are moved to either side (there, footnote 2)


def first_order(loss: Loss, logits: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of the loss by the logits, the weights as they are."""
    return _gradients(loss(), logits)


def second_order(
    picking: Loss, fitting: Loss, logits: Sequence[Tensor], weights: Mapping[str, Tensor], rate: float
) -> list[Tensor]:
    """Return the gradient of the loss `picking` after a plain step at `rate` of the weights down the loss `fitting`.

    The product with the second derivative is a difference of two gradients by the logits (eq. 8). The weights are
    left as they were; momentum and weight decay take no part.
    """
    moved = list(weights.values())
    before = [weight.detach().clone() for weight in moved]
    try:
        _add(moved, _gradients(fitting(), moved), -rate)
        direct, turned = _split(_gradients(picking(), [*logits, *moved]), len(logits))
        far = DISTANCE / max(float(torch.stack([part.norm() for part in turned]).norm()), 1e-12)
        _set(moved, before)
        _add(moved, turned, far)
        above = _gradients(fitting(), logits)
        _set(moved, before)
        _add(moved, turned, -far)
        below = _gradients(fitting(), logits)
    finally:
        _set(moved, before)
    return [d - rate * (a - b) / (2 * far) for d, a, b in zip(direct, above, below, strict=True)]


def _gradients(loss: Tensor, by: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(by), allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(by, found, strict=True)]


def _split(found: list[Tensor], place: int) -> tuple[list[Tensor], list[Tensor]]:
    return found[:place], found[place:]


@torch.no_grad()
def _add(weights: Sequence[Tensor], direction: Sequence[Tensor], times: float) -> None:
    for weight, along in zip(weights, direction, strict=True):
        weight.add_(along, alpha=times)


@torch.no_grad()
def _set(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)
