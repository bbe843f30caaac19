"""Paths through an open architecture: drawn one at a time by the logits of a policy, and how likely each is."""

from collections.abc import Mapping
from itertools import permutations
from math import exp, factorial, log

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, in_order
from amla.trials.trial import Tied

Logits = Mapping[NodeId, float]  # by the inputs of Picks; 0 where one is not named
MOST_ORDERS = 5040  # in which the inputs of a Pick may have been drawn, for its likelihood: seven of them


def genes(template: Architecture, tied: Tied) -> tuple[NodeId, ...]:
    """Return the Picks that are decided by themselves, in the order of the template."""
    return tuple(pick for pick in template.picks if pick not in tied)


def for_all(template: Architecture, decisions: Decisions, tied: Tied) -> Decisions:
    """Return decisions about all Picks, from those about the genes: tied ones keep inputs at the same places."""
    found = dict(decisions)
    for pick, gene in tied.items():
        if gene in decisions:
            kept = set(decisions[gene])
            pairs = zip(template[gene].inputs, template[pick].inputs, strict=True)
            found[pick] = tuple(mine for its, mine in pairs if its in kept)
    return found


def draw_path(template: Architecture, rng: Generator, logits: Logits, tied: Tied) -> Decisions:
    """Return a decision for every gene, drawn by `logits`.

    How many inputs a Pick keeps is uniform between its bounds; which, is drawn one after another without replacement,
    each with softmax(logits) of those that are left (Gumbel top-k, Kool et al. 2019).
    """
    path: dict[NodeId, tuple[NodeId, ...]] = {}
    for gene in genes(template, tied):
        pick, inputs = template.picks[gene], template[gene].inputs
        count = int(rng.integers(pick.at_least, pick.at_most + 1)) - pick.fixed
        free = inputs[pick.fixed :]
        keys = np.array([logits.get(source, 0.0) for source in free]) + rng.gumbel(size=len(free))
        chosen = [free[place] for place in np.argsort(-keys, kind="stable")[:count]]
        path[gene] = in_order(template, gene, (*inputs[: pick.fixed], *chosen))
    return path


def score_function(template: Architecture, gene: NodeId, kept: tuple[NodeId, ...], logits: Logits) -> Logits:
    """Return the gradient of the logarithm of a decision's probability by the logits of the inputs.

    The inputs a Pick kept may have been drawn in any order, over which probabilities add up. Raises ValueError for
    more than seven.
    """
    free = template[gene].inputs[template.picks[gene].fixed :]
    drawn = [free.index(source) for source in kept if source in free]
    if factorial(len(drawn)) > MOST_ORDERS:
        raise ValueError(f"{gene!r} keeps {len(drawn)} inputs; a policy can learn of seven at most.")
    values = np.array([logits.get(source, 0.0) for source in free], dtype=np.float64)
    terms = [_of_order(values, order) for order in permutations(drawn)]
    top = max(chance for chance, _ in terms)
    weights = np.array([exp(chance - top) for chance, _ in terms])
    gradient = np.sum([weight * term for weight, (_, term) in zip(weights / weights.sum(), terms, strict=True)], axis=0)
    return dict(zip(free, gradient.tolist(), strict=True))


def probabilities(template: Architecture, pick: NodeId, logits: Logits) -> Logits:
    """Return with what probability each free input of a Pick is drawn first."""
    free = template[pick].inputs[template.picks[pick].fixed :]
    values = np.array([logits.get(source, 0.0) for source in free], dtype=np.float64)
    return dict(zip(free, _softmax(values).tolist(), strict=True))


def _of_order(values: NDArray[np.float64], order: tuple[int, ...]) -> tuple[float, NDArray[np.float64]]:
    """Return the logarithm of the probability that inputs are drawn in this order, and its gradient."""
    left, chance, gradient = np.ones(len(values), dtype=bool), 0.0, np.zeros(len(values))
    for place in order:
        shares = np.zeros(len(values))
        shares[left] = _softmax(values[left])
        chance += log(max(shares[place], 1e-300))
        gradient[place] += 1
        gradient -= shares
        left[place] = False
    return chance, gradient


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(values - values.max()) if len(values) else values
    return np.asarray(shares / shares.sum() if len(values) else shares)
