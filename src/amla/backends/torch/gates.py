"""Collects the loss's derivative by gates on nodes' outputs, step by step (`amla.probes.Gate`).

The sum of h dL/dh needs no pass over h where h comes out of learned scales: with h = f(s x + b) and an f that is linear
on each side of 0, it is s dL/ds + b dL/db, added over channels. So a step costs a few operations on all scales at once.
Any other output is multiplied with its gradient.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from amla.backends.torch.network import Network
from amla.probes import Gate, scaling
from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.trials.snapshot import Arrays, weight_name

LINEAR = ("relu", "leaky_relu")  # on each side of 0
SUMS = ".gates"  # no node has this name


class Gates:
    """What is known of some nodes' gates since a leg began. `before` and `after` go around the backward pass."""

    def __init__(
        self,
        network: Network,
        architecture: Architecture,
        nodes: Sequence[NodeId],
        mean: Callable[[Tensor], Tensor],
    ) -> None:
        self._network, self._mean = network, mean
        scaled = {node_id: weights for node_id in nodes if (weights := _weights(network, architecture, node_id))}
        self._scaled = tuple(scaled)
        self.others = tuple(node_id for node_id in nodes if node_id not in scaled)  # that `network` must have seen
        self.nodes = self._scaled + self.others
        self._weights = [tensor for tensors in scaled.values() for tensor in tensors]
        sizes = [sum(tensor.numel() for tensor in tensors) for tensors in scaled.values()]
        device = next(network.parameters()).device
        self._owners = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes, dtype=torch.long)).to(
            device
        )
        self._sums = torch.zeros(3, len(self.nodes), dtype=torch.float64, device=device)  # of g, |g| and g squared
        self._felt: dict[NodeId, Tensor] = {}

    def before(self) -> None:
        """Prepare for the backward pass of what the network has just computed."""
        for node_id in self.others:
            h = self._network.seen[node_id]
            h.register_hook(_Product(self._felt, node_id, h.detach()))  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def after(self) -> None:
        """Take in the gradients of the weights, before they are used."""
        g = torch.zeros(len(self.nodes), dtype=torch.float64, device=self._sums.device)
        if self._weights:
            slopes = [torch.zeros_like(w) if w.grad is None else w.grad for w in self._weights]
            products = torch.cat([w.flatten() for w in self._weights]) * torch.cat([s.flatten() for s in slopes])
            g.index_add_(0, self._owners, products.double())
        for place, node_id in enumerate(self.others, len(self._scaled)):
            g[place] = self._felt.pop(node_id, 0.0)
        if self.others:  # gradients of weights are those of the whole batch already
            g[len(self._scaled) :] = self._mean(g[len(self._scaled) :])
        self._sums += torch.stack((g, g.abs(), g.square()))

    def read(self, steps: int) -> dict[NodeId, Gate]:
        """Return what was collected, over so many steps."""
        means = (self._sums / steps).T.tolist()
        return {node_id: Gate(*of) for node_id, of in zip(self.nodes, means, strict=True)}

    def arrays(self) -> Arrays:
        """Return a copy of what was collected."""
        return {SUMS: self._sums.cpu().numpy().copy()} if self.nodes else {}

    def restore(self, arrays: Arrays) -> None:
        """Go on from what `arrays` returned."""
        if self.nodes:
            self._sums.copy_(torch.from_numpy(arrays[SUMS].copy()))


class _Product:
    """A hook: multiplies an output with the gradient that reaches it, and adds up."""

    def __init__(self, felt: dict[NodeId, Tensor], node_id: NodeId, h: Tensor) -> None:
        self._felt, self._node_id, self._h = felt, node_id, h

    def __call__(self, gradient: Tensor) -> None:
        self._felt[self._node_id] = (self._h * gradient).sum(dtype=torch.float64)


def _weights(network: Network, architecture: Architecture, node_id: NodeId) -> tuple[Tensor, ...]:
    """Return the trained scales, and shifts, whose products with their gradients add up to the gate's; or nothing."""
    source, op = scaling(architecture, node_id), architecture[node_id].op
    if source is None or (isinstance(op, ops.Activation) and op.function not in LINEAR):
        return ()
    named = network.parameters_by_name()
    names = (weight_name(source, "scale"), weight_name(source, "shift"))
    return tuple(named[name] for name in names if name in named)
