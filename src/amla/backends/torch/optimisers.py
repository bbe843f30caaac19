"""From a recipe to an optimiser: which weights move together, how fast, and what shrinks them."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from amla.backends.torch.muon import Muon as MuonOptimiser
from amla.spec import ops
from amla.spec.architecture import Architecture
from amla.tasks.recipe import AdamW, Muon, Recipe, Sgd
from amla.trials.snapshot import weight_name

Group = dict[str, object]


class Mover:
    """An optimiser with the groups of a recipe, of which each has its own highest rate."""

    def __init__(self, recipe: Recipe, architecture: Architecture, weights: Mapping[str, nn.Parameter]) -> None:
        self._clip, self._weights = recipe.clip, list(weights.values())
        self._clipped = [[weight] for weight in self._weights] if recipe.clip_each else [self._weights]
        orthogonal = _matrices(architecture) & weights.keys() if isinstance(recipe.optimiser, Muon) else set()
        kernels = {name for name in weights if name.endswith(".kernel")}
        self.optimiser = _optimiser(
            recipe,
            [weights[name] for name in weights if name in orthogonal],
            [weights[name] for name in weights if name in kernels - orthogonal],
            [weights[name] for name in weights if name not in kernels],
        )

    def move(self, factor: float) -> None:
        """Make a step at `factor` times the highest rates, and forget the gradients."""
        if self._clip is not None:
            for together in self._clipped:
                nn.utils.clip_grad_norm_(together, self._clip)
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest"] * factor
            if shrink := group["lr"] * group["decoupled"]:
                with torch.no_grad():
                    torch._foreach_mul_([w for w in group["params"] if w.grad is not None], 1 - shrink)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def state(self, weight: nn.Parameter) -> dict[str, Tensor]:
        """Return what is remembered of a weight."""
        state = self.optimiser.state.get(weight, {})
        return {key: value for key, value in state.items() if isinstance(value, Tensor)}

    def remember(self, weight: nn.Parameter, key: str, array: NDArray[np.generic]) -> None:
        """Take what `state` returned back."""
        self.optimiser.state[weight][key] = _laid_out_as(weight, array)


def _optimiser(
    recipe: Recipe, orthogonal: Sequence[Tensor], kernels: Sequence[Tensor], others: Sequence[Tensor]
) -> torch.optim.Optimizer:
    decay = recipe.weight_decay
    match recipe.optimiser:
        case Sgd() as sgd:
            found = _groups(sgd, recipe, kernels, others)
            return torch.optim.SGD(found, lr=sgd.rate, fused=True)
        case AdamW(rate=rate, beta1=beta1, beta2=beta2):
            rates = ((kernels, rate, decay), (others, rate * recipe.shift_rate, 0.0))
            found = [
                {"params": params, "highest": highest, "weight_decay": shrink, "decoupled": 0.0}
                for params, highest, shrink in rates
                if params
            ]
            return torch.optim.AdamW(found, lr=rate, betas=(beta1, beta2), fused=True)
        case Muon(rate=rate, momentum=momentum, nesterov=nesterov, on_sphere=on_sphere, other=other):
            shared = {"momentum": momentum, "nesterov": nesterov, "on_sphere": on_sphere}
            shrink = 0.0 if on_sphere else decay
            matrices = {"params": orthogonal, "highest": rate, "decoupled": shrink, "muon": True, **shared}
            rest = [group | {"muon": False} for group in _groups(other, recipe, kernels, others)]
            return MuonOptimiser([group for group in [matrices, *rest] if group["params"]])


def _groups(sgd: Sgd, recipe: Recipe, kernels: Sequence[Tensor], others: Sequence[Tensor]) -> list[Group]:
    nesterov = sgd.nesterov and sgd.momentum > 0
    groups = []
    for params, times, decay in ((kernels, 1.0, recipe.weight_decay), (others, recipe.shift_rate, 0.0)):
        coupled, decoupled = (0.0, decay) if sgd.decoupled else (decay, 0.0)
        group: Group = {"params": params, "highest": sgd.rate * times, "momentum": sgd.momentum, "nesterov": nesterov}
        groups.append(group | {"weight_decay": coupled, "decoupled": decoupled})
    return [group for group in groups if group["params"]]


def _matrices(architecture: Architecture) -> set[str]:
    """Return the kernels that are matrices with a row for every output: not those of a classifier or a channel."""
    return {
        weight_name(node.id, "kernel")
        for node in architecture
        if isinstance(node.op, ops.Dense) or (isinstance(node.op, ops.Conv) and node.op.groups == 1)
    }


def _laid_out_as(weight: Tensor, array: NDArray[np.generic]) -> Tensor:
    """Return `array` on the weight's device, and in its memory layout, which fused optimisers rely on."""
    state = torch.from_numpy(np.array(array))
    if state.shape != weight.shape:
        return state.to(weight.device)
    return torch.empty_like(weight, requires_grad=False, memory_format=torch.preserve_format).copy_(state)
