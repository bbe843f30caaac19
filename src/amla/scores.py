"""What can be said of a network before it is trained: zero-cost scores, and what is counted, which is their baseline.

A backend collects what a score reads; each score is a pure function of that, written once for all libraries. More is
better in all of them. `ranking` combines several by their ranks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, log, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.values import SpecError

Numbers = NDArray[np.float64]
JITTER = 1e-5  # added to eigenvalues (Mellor et al. 2020, first version, section 3)
LEAST = 1e-8  # added to a share before its logarithm is taken
KINKED = ("relu", "relu6", "leaky_relu")  # activations that are linear on either side of 0


class ScoreError(ValueError):
    """A score that does not exist."""


@dataclass(frozen=True)
class Score:
    """A number about an untrained network.

    It takes so many `passes` over each example, forward and back counted singly; one of None is counted alone.
    """

    name: str
    about: str
    passes: int | None


SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        Score("synflow", "sum over all weights of |w| times its share in the sum of paths", 3),
        Score("naswot", "how differently ReLUs answer to different examples", 1),
        Score("jacob_cov", "how differently the output depends on different examples", 2),
        Score("zen", "how much the features change with the input", 2),
        Score("expressivity", "entropy of the features of all blocks", 2),
        Score("progressivity", "least growth of that entropy from a block to the next", 2),
        Score("trainability", "how near blocks leave the largest gradient to its size", 2),
        Score("parameters", "weights, counted", None),
        Score("macs", "multiply-accumulates an image, counted", None),
    )
}
COUNTED = tuple(name for name, score in SCORES.items() if score.passes is None)
BLOCKWISE = frozenset({"expressivity", "progressivity", "trainability"})  # which one measurement gives together
COMBINED: dict[str, tuple[str, ...]] = {"az_nas": ("expressivity", "progressivity", "trainability", "macs")}


def parts(names: Iterable[str]) -> tuple[str, ...]:
    """Return the scores that some names stand for, each once; "az_nas" stands for four. Raises ScoreError."""
    found: dict[str, None] = {}
    for name in names:
        if name not in SCORES and name not in COMBINED:
            raise ScoreError(f"There is no score {name!r}; there are {', '.join((*SCORES, *COMBINED))}.")
        found.update(dict.fromkeys(COMBINED.get(name, (name,))))
    return tuple(found)


def ranking(tables: Sequence[Mapping[str, float]], names: Sequence[str]) -> list[float]:
    """Return for each network of n the sum over the scores of log(rank / n), the best having rank n.

    Lee and Ham 2024, equation 9: a network that one score thinks little of cannot make it good by others. Equals share
    the mean of their ranks. A network that lacks one of the scores, or for which one is no number, has minus infinity.
    """
    wanted = parts(names)
    whole = [place for place, table in enumerate(tables) if not any(isnan(table.get(name, nan)) for name in wanted)]
    sums = np.full(len(tables), -inf)
    if whole:
        columns = [_ranks(np.array([tables[place][name] for place in whole], float)) for name in wanted]
        sums[whole] = np.log(np.stack(columns) / len(whole)).sum(axis=0)
    return [float(number) for number in sums]


def naswot(kernel: Numbers) -> float:
    """Return the logarithm of the determinant of `kernel` (Mellor et al. 2021, equation 2).

    Its entry (i, j) is the number of ReLUs that are on, or off, for both examples i and j. Raises SpecError where it is
    singular: some examples are the same to the network.
    """
    values = np.linalg.eigvalsh(np.asarray(kernel, float))
    if values[0] <= values[-1] * len(values) * np.finfo(float).eps:
        raise SpecError(
            f"naswot: the ReLUs of this network do not tell {len(values)} examples apart, so that the determinant is 0."
        )
    return float(np.log(values).sum())


def jacob_cov(jacobian: Numbers) -> float:
    """Return how little the rows of `jacobian` correlate (Mellor et al. 2020, first version, equation 3).

    Row i is the gradient of the sum of outputs by example i. Of the eigenvalues v of the rows' correlations it is
    - sum of log(v + k) + 1 / (v + k), with k = 1e-5. Raises SpecError where a row is constant.
    """
    rows = np.asarray(jacobian, float)
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (norms > 0).all() or not np.isfinite(norms).all():
        raise SpecError("jacob_cov: the output does not depend on some example, or its gradient is not finite.")
    rows = rows / norms
    values = np.maximum(np.linalg.eigvalsh(rows @ rows.T), 0) + JITTER
    return float(-(np.log(values) + 1 / values).sum())


def zen(change: float, variances: Sequence[float]) -> float:
    """Return log(change) + sum of log(sqrt(variance)) over batch normalisations (Lin et al. 2021, Algorithm 1).

    `change` is the mean norm by which features change with the input; a variance is the mean over channels of what a
    batch normalisation divided by. One of 0, of zeros, counts nothing. Raises SpecError for no change, or one that is
    not finite.
    """
    if not change > 0 or not all(map(isfinite, (change, *variances))):
        raise SpecError("zen: nothing of a small change of the input reaches the features, or too much does.")
    return log(change) + sum(log(sqrt(variance)) for variance in variances if variance)


def entropy(covariance: Numbers) -> float:
    """Return the entropy of the shares of the eigenvalues of a covariance (Lee and Ham 2024, equations 1 and 2).

    Raises SpecError for one of zeros: of features that are the same everywhere.
    """
    values = np.maximum(np.linalg.eigvalsh(np.asarray(covariance, float)), 0)
    if not (total := values.sum()) > 0 or not isfinite(total):
        raise SpecError("expressivity: the features of a block are the same everywhere, or are not finite.")
    shares = values / total
    return float(-(shares * np.log(shares + LEAST)).sum())


def expressivity(entropies: Mapping[NodeId, float]) -> float:
    """Return the sum of the entropies of all blocks (Lee and Ham 2024, equation 3)."""
    return sum(entropies.values())


def progressivity(entropies: Mapping[NodeId, float], links: Sequence[tuple[NodeId, NodeId]]) -> float:
    """Return the least growth of the entropy from a block to the next (Lee and Ham 2024, equation 4)."""
    return min(entropies[block] - entropies[before] for before, block in links)


def trainability(couplings: Sequence[Numbers | None]) -> float:
    """Return the mean over blocks of 2 - s - 1 / s, at most 0 (Lee and Ham 2024, equation 7).

    s is the largest singular value of a block's coupling: the mean over examples and positions of the products of the
    gradient that enters a block from behind, random signs, with the one that leaves it. Minus infinity, as there, where
    a block (None) returns the gradient as it was: it does nothing.
    """
    done = [np.asarray(of, float) for of in couplings if of is not None]
    if len(done) < len(couplings):
        return -inf
    if not all(np.isfinite(of).all() for of in done):
        raise SpecError("trainability: the gradients of a block are not finite.")
    largest = [float(np.linalg.svd(of, compute_uv=False)[0]) for of in done]
    return float(np.mean([2 - s - 1 / (s + 1e-6) for s in largest]))


def linear(architecture: Architecture) -> Architecture:
    """Return a closed network's trunk without what is not linear in its input: normalisation, activations, dropout."""
    return Architecture(tuple(_linear(node) for node in architecture.trunk))


def features(architecture: Architecture) -> NodeId:
    """Return the node whose output is pooled, flattened or classified in the end."""
    node = architecture.output
    while isinstance(node.op, ops.Classify | ops.Dense | ops.Dropout | ops.DropPath | ops.Flatten | ops.GlobalPool):
        node = architecture[node.inputs[0]]
    return node.id


def blocks(architecture: Architecture) -> tuple[NodeId, ...]:
    """Return the outputs of the blocks of a closed network, those that its features come from.

    A block is a node that has others under its address, as "stage0/cell0" has "stage0/cell0/3x3", and is under no such
    node itself. Those do not count that only pass on, normalise or activate what comes from elsewhere. Where a network
    has fewer than two: what its convolutions read, and its features. Raises SpecError where these are fewer than two.
    """
    end = features(architecture)
    living = architecture.sources((end,))
    nodes = [node for node in architecture if node.id in living and not isinstance(node.op, ops.Input)]
    above = {"/".join(steps[:n]) for node in nodes for steps in [node.id.split("/")] for n in range(1, len(steps))}
    heads = {node.id for node in nodes if node.id in above and not _passes_on(architecture, node)}
    found = tuple(node.id for node in nodes if node.id in heads and not _under(node.id, heads))
    if len(found) < 2:
        read = {node.inputs[0] for node in nodes if isinstance(node.op, ops.Conv)} | {end}
        found = tuple(node.id for node in nodes if node.id in read)
    if len(found) < 2:
        raise SpecError("This network has no two blocks: cells, or convolutions, one after the other.")
    return found


def links(architecture: Architecture, found: Sequence[NodeId]) -> tuple[tuple[NodeId, NodeId], ...]:
    """Return each of some blocks that comes of an earlier one, with the last of those before it."""
    pairs = []
    for place, block in enumerate(found):
        behind = architecture.sources((block,))
        if before := [other for other in found[:place] if other in behind]:
            pairs.append((before[-1], block))
    return tuple(pairs)


def _linear(node: Node) -> Node:
    gone = ops.BatchNorm | ops.LayerNorm | ops.ResponseNorm | ops.Activation | ops.Dropout | ops.DropPath
    return Node(node.id, ops.Identity(), node.inputs) if isinstance(node.op, gone) else node


def _passes_on(architecture: Architecture, node: Node) -> bool:
    """Return whether a node, and all under its address that it comes from, changes channels by themselves at most."""
    before = node
    while _is_plain(before) and (before is node or _is_at(before.id, node.id)):
        before = architecture[before.inputs[0]]
    plain_merge = isinstance(node.op, ops.Merge | ops.Identity) and _is_plain(node)
    return plain_merge or not _is_at(before.id, node.id)


def _is_plain(node: Node) -> bool:
    """Return whether a node has one input, whose places and channels it does not mix."""
    single = isinstance(node.op, ops.Merge) and len(node.inputs) == 1
    plain = ops.BatchNorm | ops.LayerNorm | ops.Activation | ops.Identity | ops.Scale | ops.Dropout | ops.DropPath
    return single or isinstance(node.op, plain)


def _is_at(node_id: NodeId, address: NodeId) -> bool:
    return node_id == address or node_id.startswith(f"{address}/")


def _under(node_id: NodeId, heads: set[NodeId]) -> bool:
    steps = node_id.split("/")
    return any("/".join(steps[:depth]) in heads for depth in range(1, len(steps)))


def _ranks(numbers: Numbers) -> Numbers:
    """Return the rank of each number from 1, equals sharing the mean of theirs."""
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last: Numbers = np.cumsum(counts).astype(float)
    ranks: Numbers = (last - (counts - 1) / 2)[which]
    return ranks
