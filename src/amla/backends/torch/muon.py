"""The optimiser Muon: momentum whose steps are made orthogonal (Jordan et al. 2024)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan's quintic, which is steepest at 0: singular values end near 1


class Muon(torch.optim.Optimizer):
    """Moves the groups with `muon` true by orthogonal steps, the others by SGD with momentum.

    A group has `lr`, `momentum`, `nesterov` and `muon`; one with `muon` also `on_sphere`, the others `weight_decay`.
    State of a weight: `momentum_buffer`.
    """

    def __init__(self, groups: Iterable[Mapping[str, object]]) -> None:
        super().__init__([dict(group) for group in groups], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)

    def _move(self, weight: Tensor, group: Mapping[str, Any]) -> None:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        buffer, gradient = state["momentum_buffer"], weight.grad
        assert gradient is not None  # noqa: S101 - step() leaves weights without one alone
        if not group["muon"] and group["weight_decay"]:
            gradient = gradient.add(weight, alpha=group["weight_decay"])
        buffer.mul_(group["momentum"]).add_(gradient)
        step = gradient.add(buffer, alpha=group["momentum"]) if group["nesterov"] else buffer
        if group["muon"]:
            step = orthogonal(step.reshape(len(step), -1)).view_as(step)
            if group["on_sphere"]:
                weight.mul_(len(weight) ** 0.5 / weight.norm().clamp_min(1e-12))
        weight.add_(step, alpha=-group["lr"])


def orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix of the same singular vectors and singular values of about 1, by a Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    x: Tensor = matrix / matrix.norm().clamp_min(1e-7)
    if tall := len(x) > x.shape[1]:
        x = x.T
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
