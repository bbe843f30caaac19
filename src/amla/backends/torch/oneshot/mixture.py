"""Pick weights: logits of the inputs of every gene, the shares that they make, and the optimiser that moves them."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amla.backends.torch.network import read_arrays
from amla.backends.torch.oneshot.supernet import Shares
from amla.spaces.paths import genes
from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.ops import Pick
from amla.spec.values import SpecError
from amla.trials.snapshot import PICK, Arrays, weight_name
from amla.trials.trial import Relax

BETAS = (0.5, 0.999)  # of Adam (Liu, Simonyan and Yang 2019, section 3.1.1)
_STATE = ("exp_avg", "exp_avg_sq", "step")


class Mixture:
    """The pick weights of an open architecture, all equal at first. Raises SpecError for inputs without an address.

    Of a Pick, its first `fixed` inputs count 1. Of the others, where the Pick keeps m of them whichever they are, each
    counts m * softmax(logits), so that m of them count 1 in the limit; where it may keep more or fewer, sigmoid(logit).
    """

    def __init__(self, template: Architecture, method: Relax, device: torch.device) -> None:
        self.template, self.method = template, method
        _check_addresses(template)
        self.logits = {
            gene: torch.zeros(len(template[gene].inputs) - template.picks[gene].fixed, device=device).requires_grad_()
            for gene in genes(template, method.tied)
            if not _is_forced(template, gene)
        }
        self._adam = torch.optim.Adam(
            list(self.logits.values()) or [torch.zeros(1, requires_grad=True)],
            lr=method.learning_rate,
            betas=BETAS,
            weight_decay=method.weight_decay,
        )

    @property
    def learns(self) -> bool:
        """Whether pick weights are moved at all."""
        return bool(self.logits) and self.method.learning_rate > 0

    def shares(self, skip: float = 0.0, without: NodeId | None = None) -> Shares:
        """Return what every input counts; that of an identity in a Pick of one is `skip` more.

        `without` names an input that takes no part, nor do those that are tied to it; the others count as before.
        """
        by_gene = {gene: self._of(gene) for gene in genes(self.template, self.method.tied)}
        gone = self._place(without) if without is not None else None
        found: dict[NodeId, Mapping[NodeId, Tensor | None]] = {}
        for pick in self.template.picks:
            gene = self.method.tied.get(pick, pick)
            shares = dict(zip(self.template[pick].inputs, by_gene[gene], strict=True))
            if skip and (passed := self._passed(pick)) and (share := shares[passed]) is not None:
                shares[passed] = share + skip
            if gone and gone[0] == gene and len(shares) > 1:
                del shares[self.template[pick].inputs[gone[1]]]
            found[pick] = shares
        return found

    def weights(self) -> dict[NodeId, float]:
        """Return what every input of every Pick counts, by its address."""
        with torch.no_grad():
            return {
                source: 1.0 if share is None else float(share)
                for shares in self.shares().values()
                for source, share in shares.items()
            }

    def move(self, gradients: Sequence[Tensor]) -> None:
        """Make one step of Adam along `gradients` of the loss by the logits, in their order."""
        for logits, gradient in zip(self.logits.values(), gradients, strict=True):
            logits.grad = gradient
        self._adam.step()
        self._adam.zero_grad()

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the logits as weights, by canonical name."""
        return read_arrays({weight_name(gene, PICK): logits for gene, logits in self.logits.items()})

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what the optimiser remembers, by gene and kind."""
        tensors = {
            f"{kind}/{gene}": value
            for gene, logits in self.logits.items()
            for kind, value in self._adam.state.get(logits, {}).items()
        }
        return read_arrays(tensors)

    @torch.no_grad()
    def restore(self, weights: Arrays, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take logits back, and what was remembered of them, for genes that are still there and alike."""
        for gene, logits in self.logits.items():
            array = weights.get(weight_name(gene, PICK))
            if array is None or array.shape != tuple(logits.shape):
                continue
            logits.copy_(torch.from_numpy(np.array(array)))
            if all(f"{kind}/{gene}" in state for kind in _STATE):
                self._adam.state[logits] = {
                    kind: torch.from_numpy(np.array(state[f"{kind}/{gene}"])).to(_home(kind, logits)) for kind in _STATE
                }

    def _of(self, gene: NodeId) -> tuple[Tensor | None, ...]:
        """Return what each input of a gene counts."""
        pick = self.template.picks[gene]
        if gene not in self.logits:
            return (None,) * len(self.template[gene].inputs)
        logits, most = self.logits[gene], pick.at_most - pick.fixed
        free = most * logits.softmax(0) if pick.at_least == pick.at_most else logits.sigmoid()
        return (*(None,) * pick.fixed, *free.unbind())

    def _passed(self, pick: NodeId) -> NodeId | None:
        """Return the input of a Pick of one that is an identity, or None."""
        if self.template.picks[pick] != Pick():
            return None
        inputs = self.template[pick].inputs
        return next((source for source in inputs if isinstance(self.template[source].op, ops.Identity)), None)

    def _place(self, source: NodeId) -> tuple[NodeId, int]:
        """Return the gene that decides about an input, and the input's place. Raises SpecError if there is none."""
        for pick in self.template.picks:
            if source in self.template[pick].inputs:
                return self.method.tied.get(pick, pick), self.template[pick].inputs.index(source)
        raise SpecError(f"{source!r} is no input of a Pick, so a mixture cannot do without it.")


def _home(kind: str, logits: Tensor) -> torch.device:
    return torch.device("cpu") if kind == "step" else logits.device  # where Adam keeps its count


def _is_forced(template: Architecture, gene: NodeId) -> bool:
    """Whether a Pick must keep all its inputs."""
    return template.picks[gene].at_least == len(template[gene].inputs)


def _check_addresses(template: Architecture) -> None:
    for node in template:
        picks = [reader for reader in template.readers[node.id] if reader in template.picks]
        if len(picks) > 1:
            raise SpecError(
                f"{node.id!r} is an input of {picks[0]!r} and {picks[1]!r}, so its pick weight has no address of its "
                "own; put an identity between it and each Pick."
            )
