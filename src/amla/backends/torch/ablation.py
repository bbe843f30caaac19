"""The loss on held-out examples without one node or another: its output is 0, and what follows is normalised anew."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from amla.backends.torch.data import Batches
from amla.backends.torch.losses import plain_loss
from amla.backends.torch.network import Network
from amla.backends.torch.norms import normalising_anew
from amla.spec.architecture import NodeId
from amla.tasks.dataset import Examples

Way = TypeVar("Way", bound=Hashable)
EXAMPLES, BATCH = 1000, 500  # at most; normalisation is by the statistics of a batch


def losses_without(
    network: Network,
    nodes: Iterable[NodeId],
    examples: Examples,
    moments: tuple[tuple[float, ...], tuple[float, ...]],
    device: torch.device,
) -> Mapping[NodeId | None, float]:
    """Return the mean loss without each of `nodes`, and with all of them (None).

    It is of up to 1,000 examples, evenly spaced in the order that they have. The network is left as it was.
    """
    batches = Batches(spread(examples, EXAMPLES), moments, BATCH, device)
    with normalising_anew(network), torch.no_grad():
        return losses_with((None, *nodes), lambda node_id, inputs: network.without(node_id, inputs).float(), batches)


def losses_with(ways: Iterable[Way], compute: Callable[[Way, Tensor], Tensor], batches: Batches) -> dict[Way, float]:
    """Return the mean loss of the outputs that each of some ways computes; each batch is read once for all of them."""
    losses: dict[Way, list[Tensor]] = {way: [] for way in ways}
    for inputs, labels in batches.scoring(BATCH):
        for way, found in losses.items():
            found.append(plain_loss(compute(way, inputs), labels))
    return {way: float(torch.stack(found).sum()) / len(batches) for way, found in losses.items()}


def spread(examples: Examples, most: int) -> Examples:
    """Return up to `most` examples, in an order in which neighbours lie far apart, as examples may lie by class."""
    count = min(most, len(examples.labels))
    places = np.linspace(0, len(examples.labels) - 1, count).astype(np.int64)
    parts = -(-count // BATCH)
    order = np.concatenate([places[part::parts] for part in range(parts)])
    return examples.only(order)
