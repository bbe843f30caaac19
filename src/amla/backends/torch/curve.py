"""The lines of a learning curve, which cost a look at the device only now and then."""

import numpy as np
import torch
from torch import Tensor

from amla.backends.protocol import Beat, Diverged


class Lines:
    """Sums losses and hits up between the lines of a learning curve; looks at their values only there."""

    def __init__(self, beat: Beat, every: int = 10) -> None:
        self._beat, self._every = beat, every
        self._losses: list[Tensor] = []
        self._hits: list[Tensor] = []
        self._last = (0, 0.0)

    def add(self, step: int, loss: Tensor, logits: Tensor, labels: Tensor, rate: float) -> None:
        """Take a step in; every tenth, write a line."""
        self._losses.append(loss.detach())
        self._hits.append((logits.detach().argmax(1) == labels).float().mean())
        self._last = (step, rate)
        if step % self._every == 0:
            self.flush()

    def flush(self) -> None:
        """Write a line about the steps since the last one. Raises Diverged."""
        if not self._losses:
            return
        loss, accuracy = torch.stack(self._losses).mean().item(), torch.stack(self._hits).mean().item()
        self._losses, self._hits = [], []
        step, rate = self._last
        if not np.isfinite(loss):
            raise Diverged(f"the training loss was {loss} at step {step}, with a learning rate of {rate:.3g}")
        self._beat(step, loss, accuracy, rate)
