"""What is dropped in training, by random numbers that a learner lends."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from amla.backends.torch.data import DROP, mixed
from amla.spec import ops


class Dropping:
    """Where those of `layers` that drop take their random numbers from, for a batch of which they see a `share`."""

    def __init__(self, layers: Iterable[nn.Module], device: torch.device, share: tuple[int, int] = (0, 1)) -> None:
        self._generator = torch.Generator(device=device)
        for module in layers:
            if isinstance(module, SeededDropout):
                module.generator, module.share = self._generator, share

    def begin(self, seed: int, step: int) -> None:
        """Begin a step, whose numbers follow from the seed and the step alone."""
        self._generator.manual_seed(mixed(seed, DROP, step))


class SeededDropout(nn.Module):
    """Dropout whose random numbers come from the generator that a learner lends it.

    They are drawn for the whole batch, of which the input is a `share`: the first number of that many.
    """

    generator: torch.Generator | None = None
    share: tuple[int, int] = (0, 1)

    def __init__(self, op: ops.Dropout) -> None:
        super().__init__()
        self.keep = 1 - op.rate

    def forward(self, x: Tensor) -> Tensor:
        """Zero and enlarge while training; else return the input."""
        if not self.training or self.keep == 1:
            return x
        number, shares = self.share
        drawn = torch.empty_like(x) if shares == 1 else x.new_empty_strided((shares * len(x), *x.shape[1:]), x.stride())
        drawn.bernoulli_(self.keep, generator=self.generator).div_(self.keep)
        return x * drawn[number * len(x) : (number + 1) * len(x)]
