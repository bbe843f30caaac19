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

# Steps in which the learning rate of new weights rises to that of the others: until a momentum of 0.9 and statistics
# that move by 0.1 a step, each a memory of about ten steps, hold nothing of what was before them any more.
WARM_UP = 20
REMEMBERED = frozenset({"momentum_buffer", "exp_avg", "exp_avg_sq", "step"})  # all that these optimisers do of a weight


class Mover:
    """An optimiser with the groups of a recipe, of which each has its own highest rate."""

    def __init__(self, recipe: Recipe, architecture: Architecture, weights: Mapping[str, nn.Parameter]) -> None:
        self._clip, self._weights, self._young = recipe.clip, weights, dict[str, int]()
        every = list(weights.values())
        self._clipped = [[weight] for weight in every] if recipe.clip_each else [every]
        orthogonal = _matrices(architecture) & weights.keys() if isinstance(recipe.optimiser, Muon) else set()
        kernels = {name for name in weights if name.endswith(".kernel")}
        self.optimiser = _optimiser(
            recipe,
            [weights[name] for name in weights if name in orthogonal],
            [weights[name] for name in weights if name in kernels - orthogonal],
            [weights[name] for name in weights if name not in kernels],
        )

    @property
    def young(self) -> Mapping[str, int]:
        """The weights whose rate still rises, each with the step from which on it does."""
        return self._young

    def warm(self, young: Mapping[str, int]) -> None:
        """Let the rates of these weights rise, linearly over `WARM_UP` steps, and those of no others."""
        self._young = dict(young)

    def move(self, factor: float, step: int) -> None:
        """Make the step number `step` at `factor` times the highest rates, and forget the gradients."""
        if self._clip is not None:
            for together in self._clipped:
                nn.utils.clip_grad_norm_(together, self._clip)
        before = {name: self._weights[name].detach().clone() for name in self._young}
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest"] * factor
            moving = [w for w in group["params"] if w.grad is not None]  # on a single path perhaps none
            if moving and (shrink := group["lr"] * group["decoupled"]):
                with torch.no_grad():
                    torch._foreach_mul_(moving, 1 - shrink)
        self.optimiser.step()
        self._hold_back(before, step)
        self.optimiser.zero_grad()

    def begin(self) -> None:
        """Let every momentum be 0 rather than none yet: fused SGD wants all or none, and single paths move a few."""
        for group in self.optimiser.param_groups:
            if isinstance(self.optimiser, torch.optim.SGD) and group["momentum"]:
                for weight in group["params"]:
                    self.optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)

    def state(self, weight: nn.Parameter) -> dict[str, Tensor]:
        """Return what is remembered of a weight."""
        state = self.optimiser.state.get(weight, {})
        return {key: value for key, value in state.items() if isinstance(value, Tensor)}

    def remember(self, weight: nn.Parameter, key: str, array: NDArray[np.generic]) -> None:
        """Take what `state` returned back."""
        self.optimiser.state[weight][key] = _laid_out_as(weight, array)

    @torch.no_grad()
    def _hold_back(self, before: Mapping[str, Tensor], step: int) -> None:
        """Let young weights make only a share of the step: it is as long as the rate is high."""
        for name, weight in before.items():
            share = (step - self._young[name] + 1) / WARM_UP
            if share < 1:
                self._weights[name].lerp_(weight, 1 - share)
            else:
                del self._young[name]


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
