"""What scores of a whole network read: sums of paths, codes of ReLUs, gradients by examples, changes of features."""

import numpy as np
import torch
from numpy.typing import NDArray

from amla.backends.initial import initial
from amla.backends.torch.norms import normalising_anew, norms_of
from amla.backends.torch.untrained.views import View
from amla.scores import KINKED, features, linear
from amla.spec import ops
from amla.spec.values import SpecError

STEP = 0.01  # of the input of `zen`, as a multiple of its standard deviation (Lin et al. 2021, section 4)

Numbers = NDArray[np.float64]


def flow(view: View) -> float:
    """Return the sum over all weights w of |w dR/d|w|| (Tanaka et al. 2020, equation 2, summed).

    R is the sum of outputs for an input of ones, of the network with |w| for w that has nothing but what is linear:
    the sum, over all paths from inputs to outputs, of the products of |w| on them. Batch normalisation is left out, as
    Abdelfattah et al. 2021 do. In double precision, as R grows with every layer; SpecError where it overflows that.
    """
    straight = linear(view.architecture)
    arrays = {name: np.abs(array) for name, array in initial(straight, view.seed).items()}
    network = view.made(straight, arrays)
    network.double() if view.device.type != "mps" else network.float()
    network.eval().requires_grad_(True)
    kind = next(network.parameters()).dtype
    total = network(torch.ones((1, *view.task.shape), dtype=kind, device=view.device)).sum()
    weights = list(network.parameters())
    grown = torch.autograd.grad(total, weights, allow_unused=True)
    found = sum(float((w.detach() * g).sum()) for w, g in zip(weights, grown, strict=True) if g is not None)
    if not np.isfinite(found):
        raise SpecError("synflow: the sum of paths of this network is beyond double precision.")
    return float(found)


@torch.no_grad()
def codes(view: View) -> Numbers:
    """Return (examples, examples): the number of ReLUs that answer two examples alike, by being on or off.

    Raises SpecError for a network without.
    """
    kinks = [
        node.id for node in view.architecture if isinstance(node.op, ops.Activation) and node.op.function in KINKED
    ]
    if not kinks:
        raise SpecError(f"naswot reads activations that are on or off ({', '.join(KINKED)}); this network has none.")
    network, inputs = view.network(), view.batch()
    network.watch(kinks, whole=True)
    with normalising_anew(network):
        network(inputs)
    kernel = torch.zeros((len(inputs), len(inputs)), dtype=torch.float64, device="cpu")
    for node_id in kinks:
        on = (network.seen.pop(node_id) > 0).flatten(1).float() * 2 - 1
        kernel += ((on @ on.T).cpu().double() + on.shape[1]) / 2  # products of signs: alike less different
    return np.asarray(kernel.numpy(), np.float64)


def jacobian(view: View) -> Numbers:
    """Return (examples, elements): the gradient of the sum of all outputs by each example."""
    network, inputs = view.network(), view.batch().requires_grad_(True)
    with normalising_anew(network):
        total = network(inputs).sum()
    if not total.requires_grad:
        return np.zeros((len(inputs), 1))
    (found,) = torch.autograd.grad(total, inputs)
    return np.asarray(found.flatten(1).cpu().double().numpy(), np.float64)


@torch.no_grad()
def change(view: View) -> tuple[float, list[float]]:
    """Return how far features move with a small step of noise, and the mean variance in each batch normalisation.

    Weights have variance 1. Raises SpecError for a network without batch normalisation.
    """
    network, end = view.network(even=True), features(view.architecture)
    norms = norms_of(network)
    if not norms:
        raise SpecError("zen reads batch normalisation; this network has none.")
    network.watch((end,), whole=True)
    inputs, other = view.noise(0), view.noise(1)
    with normalising_anew(network, 1.0):  # statistics are those of this batch
        network(inputs)
        here, variances = network.seen[end], [float(norm.variance.double().mean()) for norm in norms]
        network(inputs + STEP * other)
    moved = (network.seen[end] - here).flatten(1).double()
    return float(moved.norm(dim=1).mean()), variances
