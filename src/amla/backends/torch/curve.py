"""The lines of a learning curve, which cost a look at the device only now and then."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from amla.backends.protocol import Beat, Diverged

Mean = Callable[[Tensor], Tensor]  # over all processes that train a network


def _itself(values: Tensor) -> Tensor:
    """Return what a single process has."""
    return values


class Lines:
    """Sums losses and hits up between the lines of a learning curve; looks at their values only there."""

    def __init__(self, beat: Beat, mean: Mean = _itself, every: int = 10) -> None:
        self._beat, self._mean, self._every = beat, mean, every
        self._told: list[Tensor] = []  # loss and share of hits, of every step
        self._last = (0, 0.0)

    def add(self, step: int, loss: Tensor, logits: Tensor, labels: Tensor, rate: float) -> None:
        """Take a step in; every tenth, write a line."""
        hits = _hits(logits.detach(), labels)
        self._told.append(self._mean(torch.stack((loss.detach(), hits))))
        self._last = (step, rate)
        if step % self._every == 0:
            self.flush()

    def flush(self) -> None:
        """Write a line about the steps since the last one. Raises Diverged."""
        if not self._told:
            return
        loss, accuracy = torch.stack(self._told).mean(0).tolist()
        self._told = []
        step, rate = self._last
        if not np.isfinite(loss):
            raise Diverged(f"the training loss was {loss} at step {step}, with a learning rate of {rate:.3g}")
        self._beat(step, loss, accuracy, rate)


def _hits(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the share of a batch that is right; NaN of numbers, of which none is."""
    if labels.is_floating_point():
        return torch.full((), float("nan"), device=outputs.device)
    return (outputs.argmax(1) == labels).float().mean()
