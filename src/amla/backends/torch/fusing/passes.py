"""What passes compute: callables over the modules of the nodes that they stand for.

`show` returns the values that a pass leaves out, by node; `tell`, their moments (`Step`).
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812 - PyTorch's own custom

from amla.backends.torch.dropping import SeededDropout
from amla.backends.torch.layers import (
    BatchNormalisation,
    Convolution,
    ResponseNormalisation,
    Scaling,
)
from amla.backends.torch.moments import moments_of
from amla.backends.torch.native.functions import Drop, Norm, depthwise, dropped, fits, normalised, responded, thin
from amla.backends.torch.native.structs import by_pixel
from amla.spec.architecture import NodeId


def takes(x: Tensor, *, largest: int) -> bool:
    """Whether passes can compute a network, of whose nodes the largest has so many elements, on a batch x."""
    return (
        x.is_cpu  # else there is nothing to compile kernels for
        and fits(x)
        and len(x) * largest < 2**31
        and not torch.is_autocast_enabled("cpu")
        # whoever looks at what PyTorch is told to do (counts, traces) cannot see the kernels
        and not torch.compiler.is_compiling()
        and not torch._C._len_torch_dispatch_stack()
    )


@dataclass(frozen=True)
class Seeded:
    """The dropout of a node: what it drops is a function of its generator's seed, its id, and the place.

    So it is the same in a pass over several nodes and alone. Where no pass can be, dropout draws from the generator:
    by the same law, other numbers.
    """

    module: SeededDropout
    node_id: NodeId

    def now(self, elements: int) -> Drop | None:
        """Return what is to be dropped of so many elements, or None for nothing."""
        if not self.module.training or self.module.keep == 1:
            return None
        generator = self.module.generator
        seed = torch.randint(2**62, ()).item() if generator is None else generator.initial_seed()
        words = hashlib.blake2b(f"{seed} {self.node_id}".encode(), digest_size=8).digest()
        return Drop(self.module.keep, int.from_bytes(words, "little"), self.module.share[0] * elements)


@dataclass(frozen=True)
class Dropped:
    """Dropout alone."""

    dropout: Seeded

    def __call__(self, x: Tensor) -> Tensor:
        """Zero and enlarge while training; else return the input."""
        drop = self.dropout.now(x.numel())
        return x if drop is None else dropped(by_pixel(x), drop)


@dataclass(frozen=True)
class Depthwise:
    """Depthwise convolutions of one input."""

    modules: tuple[Convolution, ...]

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return one output for each."""
        return depthwise(by_pixel(x), *(module.kernel for module in self.modules))


@dataclass(frozen=True)
class Thin:
    """A convolution to few channels."""

    module: Convolution

    def __call__(self, x: Tensor) -> Tensor:
        """Convolve."""
        return thin(by_pixel(x), self.module.kernel)


@dataclass(frozen=True)
class Normalised:
    """Batch normalisation of several tensors, all with ReLU or all without; their concatenation; dropout."""

    norms: tuple[BatchNormalisation, ...]
    branches: tuple[tuple[NodeId, ...], ...]  # the nodes of each: normalisation, and ReLU
    concat: NodeId
    dropout: Seeded | None

    def __call__(self, *xs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, and the means of the concatenation and of its square."""
        norms = [Norm(n.mean, n.variance, n.scale, n.shift, n.epsilon, n.momentum) for n in self.norms]
        drop = self.dropout.now(sum(x.numel() for x in xs)) if self.dropout else None
        relu = len(self.branches[0]) > 1
        training = self.norms[0].training
        out, sums = normalised([by_pixel(x) for x in xs], norms, training=training, relu=relu, drop=drop)
        return out, sums / (out.numel() // out.shape[1])

    def tell(self, means: Tensor) -> Tensor:
        """Return the moments of the concatenation, which the pass has taken."""
        return means

    @torch.no_grad()
    def show(self, *xs: Tensor) -> dict[NodeId, Tensor]:
        """Return every branch, and the concatenation."""
        shown: dict[NodeId, Tensor] = {}
        for x, n, branch in zip(xs, self.norms, self.branches, strict=True):
            mean, variance = (None, None) if n.training else (n.mean, n.variance)  # not remembered once more
            shown[branch[0]] = F.batch_norm(x, mean, variance, n.scale, n.shift, n.training, 0, n.epsilon)
            if len(branch) > 1:
                shown[branch[1]] = shown[branch[0]].relu()
        ends = [shown[branch[-1]] for branch in self.branches]
        return shown | {self.concat: torch.cat(ends, 1) if len(ends) > 1 else ends[0]}


@dataclass(frozen=True)
class Responded:
    """Local response normalisation."""

    module: ResponseNormalisation
    radius: int

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise."""
        m = self.module
        return responded(by_pixel(x), radius=self.radius, alpha=m.alpha, beta=m.beta, bias=m.offset)


@dataclass(frozen=True)
class ScaledConvolution:
    """A convolution of the concatenation of inputs, some of them scaled: by its kernel, which is small."""

    module: Convolution
    scales: tuple[Scaling | None, ...]
    channels: tuple[int, ...]
    nodes: tuple[NodeId, ...]
    concat: NodeId

    def __call__(self, *xs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, and the concatenation before it is scaled."""
        x, kernel = torch.cat(xs, 1), self.module.kernel
        scaled = kernel * self._factors().reshape(-1, *(1 for _ in kernel.shape[2:]))
        return functional_call(self.module, {"kernel": scaled}, x), x

    @torch.no_grad()
    def show(self, *xs: Tensor) -> dict[NodeId, Tensor]:
        """Return the scaled inputs, and the concatenation."""
        values = [x * s.scale if s else x for x, s in zip(xs, self.scales, strict=True)]
        return {**dict(zip(self.nodes, values, strict=True)), self.concat: torch.cat(values, 1)}

    @torch.no_grad()
    def tell(self, x: Tensor) -> Tensor:
        """Return the moments of the concatenation."""
        factors = self._factors().double()
        return moments_of(x) * torch.stack((factors, factors * factors))

    def _factors(self) -> Tensor:
        """Return what every channel is scaled by."""
        ones = self.module.kernel.new_ones(1)
        return torch.cat([(s.scale if s else ones).expand(c) for s, c in zip(self.scales, self.channels, strict=True)])
