"""Networks that nobody searched for: plain ones, as people build them, and random ones. A search must beat them.

Lindauer and Hutter (2020) ask for random search beside any other, Yang et al. (2020) for networks drawn from the same
space.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from amla.spaces.envelope import Envelope
from amla.spaces.space import Space, SpaceError
from amla.spec.architecture import Architecture, NodeId
from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.study.settings.spaces import (
    DartsSettings,
    EnasMacroSettings,
    EnvelopeSettings,
    NasBench201Settings,
    NasBenchMacroSettings,
    SpaceSettings,
    TemplateSettings,
)
from amla.study.spaces import Found, space_of
from amla.tasks.task import Task

DRAWS, APART = 400, 0.05  # of random networks, until one has as many parameters and MACs, to this share
USUAL_DEPTH = 2  # cells a stage
PLAIN_KINDS = "3x3", "9", "3"  # of branches: the first that a space has, of images or of series, is the plain one


def plain_network(
    settings: SpaceSettings, constraints: Constraints, task: Task, depth: int = USUAL_DEPTH
) -> Architecture | None:
    """Return the plain network, which people would build by hand, None for a space that has none.

    In spaces of EnvelopeNets so many plain 3x3 convolutions a stage, as wide as may be (of series, kernels of 9); in
    that of NAS-Bench-201 the cell of a ResNet (two 3x3 convolutions beside a skip); in that of NAS-Bench-Macro the 3x3
    block throughout; in that of DARTS separable 3x3 convolutions one after the other, each beside a skip; in that of
    ENAS a chain of 3x3 convolutions; of a template what each Pick names first. None too where that is beyond the
    constraints.
    """
    if isinstance(settings, EnvelopeSettings):
        deep = (depth,) * len(settings.cells)
        settings = replace(settings, cells=deep, max_cells=deep)
    found = _plain(settings, space_of(settings, task.shape, task.classes, constraints), depth)
    return found if found is None or constraints.hold(found) else None


def plain_inside(settings: SpaceSettings, space: Found, depth: int = USUAL_DEPTH) -> Architecture | None:
    """Return the plain network among those of a space, with so many cells a stage or as many as there may be.

    None for a space that has none, or only beyond its constraints.
    """
    found = _plain(settings, space, depth)
    return found if found is None or space.space.accepts(found) else None


def alike(space: Space, like: Architecture, rng: np.random.Generator) -> Architecture | None:
    """Return a random network with about as many parameters and MACs as another one; None if the space has none."""
    wanted = costs(like)
    best: tuple[float, Architecture] | None = None
    for _ in range(DRAWS):
        try:
            network = space.sample(rng)
        except SpaceError:
            return None
        found = costs(network)
        apart = max(abs(found.parameters / wanted.parameters - 1), abs(found.macs / wanted.macs - 1))
        if network != like and (best is None or apart < best[0]):
            best = apart, network
        if best and best[0] <= APART:
            break
    return best[1] if best else None


def plain_kind(settings: EnvelopeSettings) -> str | None:
    """Return the branch of a space of EnvelopeNets that is a plain convolution, None if there is none."""
    kinds = {name.partition("-")[0]: name for name in reversed(settings.branches)}
    return next((kinds[kind] for kind in PLAIN_KINDS if kind in kinds), None)


def _plain(settings: SpaceSettings, space: Found, depth: int) -> Architecture | None:
    match settings, space:
        case EnvelopeSettings(), Envelope():
            kind = plain_kind(settings)
            return None if kind is None else _of_kind(space, kind, depth)
        case NasBench201Settings(), _:
            kept = ("3x3", "none", "3x3", "skip", "none", "skip")  # edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3
            return _of(space.space, kept)
        case NasBenchMacroSettings(), _:
            return _of(space.space, ("mb3-3x3",) * len(space.space.genes))
        case DartsSettings(), _:
            return space.space.close({gene: _beside_a_skip(gene) for gene in space.space.genes})
        case EnasMacroSettings(), _:
            chain = {gene: (f"{gene}/3x3",) for gene in space.space.genes if gene.endswith("/op")}
            alone = {gene: space.space.template[gene].inputs[:1] for gene in space.space.genes if gene not in chain}
            return space.space.close(chain | alone)
        case TemplateSettings(), _:
            template = space.space.template
            return space.space.close(
                {gene: template[gene].inputs[: template.picks[gene].at_least] for gene in space.space.genes}
            )
        case _:
            return None


def _beside_a_skip(gene: NodeId) -> tuple[NodeId, ...]:
    """Return what a gene of the space of DARTS keeps: a node reads the one before it, and the cell before by a skip."""
    node, _, edge = gene.rpartition("/node")[2].partition("/from")
    first, second = (0, 1) if node == "0" else (1, int(node) + 1)
    if not edge:
        return f"{gene}/from{first}", f"{gene}/from{second}"
    return (f"{gene}/skip" if int(edge) == first else f"{gene}/3x3sep",)


def _of(space: Space, kept: Sequence[str]) -> Architecture:
    """Return the network that keeps, of each gene, the input whose name ends so."""
    named = {gene: {name.rsplit("/", 1)[-1]: name for name in space.template[gene].inputs} for gene in space.genes}
    return space.close({gene: (named[gene][name],) for gene, name in zip(space.genes, kept, strict=True)})


def _of_kind(space: Envelope, kind: str, depth: int) -> Architecture:
    """Return the EnvelopeNet of one kind of branch."""
    only = {cell.branches: (f"{cell.branches}/{kind}",) for stage in space.stages for cell in stage.cells}
    return space.space.close({**space.as_deep_as(depth), **only})
