"""Paths through an open architecture: drawn one at a time by the logits of a policy, and how they become likelier.

What a gene keeps is a set S of its inputs, of as many as it may keep. Its probability is proportional to exp(sum of the
logits of S). So a Pick of one is a softmax, one that may keep any number a coin for each input, and logits of 0 give
every set the same chance.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions
from amla.spec.ops import Pick
from amla.trials.trial import Logits, Tied

Floats = NDArray[np.float64]

BOUND = 30.0  # of a logit: e^30 is 10^13


def genes(template: Architecture, tied: Tied) -> tuple[NodeId, ...]:
    """Return the Picks that are decided by themselves, in the order of the template."""
    return tuple(pick for pick in template.picks if pick not in tied)


def for_all(template: Architecture, decisions: Decisions, tied: Tied) -> Decisions:
    """Return decisions about all Picks, from those about the genes: tied ones keep inputs at the same places."""
    found = dict(decisions)
    for pick, gene in tied.items():
        if gene in decisions:
            found[pick] = same_places(template, gene, decisions[gene], pick)
    return found


def same_places(template: Architecture, gene: NodeId, kept: Sequence[NodeId], pick: NodeId) -> tuple[NodeId, ...]:
    """Return what a Pick keeps that keeps inputs at the same places as a gene."""
    its = set(kept)
    pairs = zip(template[gene].inputs, template[pick].inputs, strict=True)
    return tuple(mine for one, mine in pairs if one in its)


def draw_path(template: Architecture, rng: Generator, logits: Logits, tied: Tied) -> Decisions:
    """Return a decision for every gene, drawn by `logits`, which are 0 for genes that have none."""
    path: dict[NodeId, tuple[NodeId, ...]] = {}
    for gene in genes(template, tied):
        pick, inputs = template.picks[gene], template[gene].inputs
        kept = _draw(pick, tuple(logits.get(gene, (0.0,) * (len(inputs) - pick.fixed))), rng)
        path[gene] = (*inputs[: pick.fixed], *(inputs[pick.fixed + place] for place in kept))
    return path


def chances(template: Architecture, gene: NodeId, logits: Logits) -> tuple[float, ...]:
    """Return the probability of each free input of a gene to be kept."""
    return tuple(_chances(template.picks[gene], _values(template, gene, logits)).tolist())


def score_function(template: Architecture, gene: NodeId, kept: tuple[NodeId, ...], logits: Logits) -> tuple[float, ...]:
    """Return the gradient, by its logits, of the logarithm of the probability that a gene keeps just `kept`."""
    free = template[gene].inputs[template.picks[gene].fixed :]
    here = np.array([source in kept for source in free], dtype=np.float64)
    return tuple((here - _chances(template.picks[gene], _values(template, gene, logits))).tolist())


def _values(template: Architecture, gene: NodeId, logits: Logits) -> Floats:
    count = len(template[gene].inputs) - template.picks[gene].fixed
    return np.array(logits.get(gene, (0.0,) * count), dtype=np.float64)


def _draw(pick: Pick, values: tuple[float, ...], rng: Generator) -> list[int]:
    """Return the places that are kept: how many there are is drawn first, then whether each is one of them."""
    weights, sums, up_to = _prepared(pick, values)
    left = _sizes(pick)[bisect_right(up_to, rng.random())]
    kept = []
    for place, weight in enumerate(weights):
        if left and rng.random() * sums[place][left] < weight * sums[place + 1][left - 1]:
            kept.append(place)
            left -= 1
    return kept


@lru_cache(maxsize=4096)
def _prepared(pick: Pick, values: tuple[float, ...]) -> tuple[list[float], list[list[float]], list[float]]:
    """Return what draws by the same logits have in common: weights, their sums, and the chances up to each size."""
    weights = _weights(np.array(values, dtype=np.float64))
    sums = _sums(weights)
    by_size = np.array([sums[0][size] for size in _sizes(pick)])
    up_to = (by_size / by_size.sum()).cumsum()
    return weights.tolist(), [row.tolist() for row in sums], (up_to / up_to[-1]).tolist()


def _chances(pick: Pick, values: Floats) -> Floats:
    weights, sizes = _weights(values), _sizes(pick)
    total = sum(_sums(weights)[0][size] for size in sizes)
    found = []
    for place, weight in enumerate(weights):
        others = _sums(np.delete(weights, place))[0]
        found.append(weight * sum(others[size - 1] for size in sizes if size) / total)
    return np.array(found)


def _sizes(pick: Pick) -> Sequence[int]:
    return range(pick.at_least - pick.fixed, pick.at_most - pick.fixed + 1)


def _weights(values: Floats) -> Floats:
    """Return exp(logits), of logits within bounds beyond which nothing changes that could be seen."""
    return np.asarray(np.exp(np.clip(values, -BOUND, BOUND)))


def _sums(weights: Floats) -> list[Floats]:
    """Return, from each place on, the sums of the products of weights of all sets of 0, 1, 2 ... of them."""
    sums = [np.zeros(len(weights) + 1) for _ in range(len(weights) + 1)]
    sums[-1][0] = 1.0
    for place in range(len(weights) - 1, -1, -1):
        sums[place] = sums[place + 1].copy()
        sums[place][1:] += weights[place] * sums[place + 1][:-1]
    return sums
