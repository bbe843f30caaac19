"""How a PyTorch learner takes over what a learner of another architecture has learned."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amla.backends.torch.layers import BatchNormalisation
from amla.backends.torch.network import Network, read_arrays, write_arrays
from amla.backends.torch.optimisers import REMEMBERED, Mover
from amla.spec.architecture import NodeId
from amla.trials.inheritance import Inheritance
from amla.trials.snapshot import Arrays


def inherit(
    inheritance: Inheritance,
    scored: Arrays,
    resume: Mapping[str, Arrays],
    tensors: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
) -> None:
    """Write what a child has from its parent's `scored` weights, or raw ones in `resume`, over its fresh `tensors`."""
    fresh = read_arrays(tensors)
    write_arrays(average, inheritance.weights(scored, fresh))
    write_arrays(tensors, inheritance.weights({**scored, **resume.get("raw", {})}, fresh))


def remember(
    inheritance: Inheritance,
    resume: Mapping[str, Arrays],
    weights: Mapping[str, nn.Parameter],
    mover: Mover,
    step: int,
) -> None:
    """Let the optimiser remember what the parent's did of the same weights; new nodes warm up from `step` on."""
    arrays = read_arrays(weights)
    for key in REMEMBERED & resume.keys():
        for name, array in inheritance.state(resume[key], arrays).items():
            mover.remember(weights[name], key, array)
    mover.warm({name: step for name in weights if name.rsplit(".", 1)[0] in inheritance.new})


@torch.no_grad()
def settle(network: Network, norms: tuple[NodeId, ...], inputs: Tensor) -> None:
    """Set batch normalisations so that they do nothing to what `inputs` bring them, in one pass of the network.

    All normalise by the batch, as they do in training, but remember nothing of it; nothing is dropped. Scored, they do
    nothing to whatever they are given.
    """
    network.eval()
    modules = network.modules_by_node()
    normal = [module for module in modules.values() if isinstance(module, BatchNormalisation)]
    momenta = [norm.momentum for norm in normal]
    hooks = [modules[node_id].register_forward_pre_hook(_set) for node_id in norms]
    try:
        for norm in normal:
            norm.training, norm.momentum = True, 0.0
        network.without(None, inputs)
    finally:
        for norm, momentum in zip(normal, momenta, strict=True):
            norm.training, norm.momentum = False, momentum
        for hook in hooks:
            hook.remove()


def _set(norm: nn.Module, inputs: tuple[Tensor]) -> None:
    assert isinstance(norm, BatchNormalisation)  # noqa: S101 - the hook is put on no other
    x = inputs[0].float()
    axes = [axis for axis in range(x.ndim) if axis != 1]
    variance, mean = torch.var_mean(x, axes, correction=0)
    norm.mean.copy_(mean)
    norm.variance.copy_(variance)
    if norm.scale is not None:
        norm.scale.copy_((variance + norm.epsilon).sqrt())
    if norm.shift is not None:
        norm.shift.copy_(mean)
