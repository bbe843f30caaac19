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
        modules = list(layers)
        for module in modules:
            if isinstance(module, SeededDropout | SeededDropPath):
                module.generator, module.share = self._generator, share
        self._paths = [module for module in modules if isinstance(module, SeededDropPath)]

    def begin(self, seed: int, step: int, horizon: int) -> None:
        """Begin a step of a schedule `horizon` long. What it drops follows from these numbers alone."""
        self._generator.manual_seed(mixed(seed, DROP, step))
        for path in self._paths:
            path.done = min(1.0, step / horizon)


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


class SeededDropPath(nn.Module):
    """Dropping of whole examples, like `SeededDropout`; its rate is that of the op once training is `done` (1)."""

    generator: torch.Generator | None = None
    share: tuple[int, int] = (0, 1)
    done: float = 1.0

    def __init__(self, op: ops.DropPath) -> None:
        super().__init__()
        self.rate = op.rate

    def forward(self, x: Tensor) -> Tensor:
        """Zero some examples and enlarge the others while training; else return the input."""
        keep = 1 - self.rate * self.done
        if not self.training or keep == 1:
            return x
        number, shares = self.share
        drawn = x.new_empty((shares * len(x), *(1 for _ in x.shape[1:])))
        drawn.bernoulli_(keep, generator=self.generator).div_(keep)
        return x * drawn[number * len(x) : (number + 1) * len(x)]
