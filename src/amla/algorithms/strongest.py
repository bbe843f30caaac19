"""From pick weights to decisions: each Pick keeps what counts most."""

from collections.abc import Mapping

import numpy as np

from amla.spaces.paths import draw_path, genes
from amla.spaces.space import Space
from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, in_order
from amla.trials.trial import Table

TRIES = 1000  # draws, where what is strongest is not accepted
LEAST = 0.01  # of a share, whose logarithm is taken: so that something else is drawn, too


def strongest(template: Architecture, tied: Mapping[NodeId, NodeId], weights: Table) -> Decisions:
    """Return what every gene keeps: as many inputs as it must, those of most strength.

    The strength of an input is its weight; of one that is a Pick itself, times the most strength of that one's inputs,
    so that an edge is as strong as its best operation (Liu, Simonyan and Yang 2019, section 2.4). A Pick that may keep
    more or fewer keeps, within its bounds, those of more than one half. Inputs without a weight have none.
    """
    found: dict[NodeId, tuple[NodeId, ...]] = {}
    for gene in genes(template, tied):
        pick, inputs = template.picks[gene], template[gene].inputs
        strengths = {source: _strength(template, source, weights) for source in inputs}
        ranked = sorted(inputs[pick.fixed :], key=lambda source: -strengths[source])
        wanted = sum(weights.get(source, 0.0) > 0.5 for source in ranked) + pick.fixed
        count = min(max(wanted, pick.at_least), pick.at_most)
        found[gene] = in_order(template, gene, (*inputs[: pick.fixed], *ranked[: count - pick.fixed]))
    return found


def accepted(space: Space, decisions: Decisions, weights: Table, seed: int) -> Architecture | None:
    """Return the closing by `decisions`; where that is not accepted, the strongest of some drawn by weight, or None.

    With constraints that none of these is within, it is the one by `decisions`, brought within (`Space.nearest`).
    """
    if (network := space.accepted(decisions)) is not None:
        return network
    rng, template = np.random.default_rng(seed), space.template
    logits = {gene: _logits(template, gene, weights) for gene in genes(template, space.tied)}
    drawn = [draw_path(template, rng, logits, space.tied) for _ in range(TRIES)]
    drawn.sort(key=lambda path: -sum(weights.get(source, 0.0) for kept in path.values() for source in kept))
    found = next((found for path in drawn if (found := space.accepted(path)) is not None), None)
    return space.nearest(decisions, rng) if found is None else found


def _strength(template: Architecture, source: NodeId, weights: Table) -> float:
    weight = weights.get(source, 0.0)
    if source not in template.picks:
        return weight
    return weight * max(_strength(template, inner, weights) for inner in template[source].inputs)


def _logits(template: Architecture, gene: NodeId, weights: Table) -> tuple[float, ...]:
    free = template[gene].inputs[template.picks[gene].fixed :]
    return tuple(float(np.log(max(weights.get(source, 0.0), LEAST))) for source in free)
