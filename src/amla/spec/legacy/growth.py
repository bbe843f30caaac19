"""What the searches of 2018 begin with: the initial EnvelopeNet, and networks drawn at random."""

from math import sqrt

import numpy as np

from amla.spec.legacy.fields import Fields
from amla.spec.macro import Dialect, Layer, Macro, first_inputs, joined
from amla.spec.values import SpecError, value

MOST_LAYERS, MOST_BLOCKS = 256, 4096  # of a network, far more than any of 2018 has; more would only take for ever


@value
class Growth:
    """An EnvelopeNet to be pruned and grown: stages of `layers`, each layer one `cell` of branches (name, op).

    With `skip` layers read earlier ones: all of them in the dialect "env" of the EnvelopeNets repository, those after
    the stem in AMLA's. Stages grow where `construction` says so, to `most` layers. `limits` says in which of them all
    layers but the last are narrower.
    """

    cell: tuple[tuple[str, str], ...]
    layers: tuple[int, ...]
    most: tuple[int, ...]
    construction: tuple[bool, ...]
    limits: tuple[bool, ...]
    quota: int
    skip: bool = False
    worst_case: bool = False
    dialect: Dialect = "amla"


@value
class Randoms:
    """Networks of `layers` a stage with `blocks` branches a stage, drawn from `ops`; with `skips`, to all layers."""

    layers: tuple[int, ...]
    blocks: tuple[int, ...]
    ops: tuple[str, ...]
    skips: bool = False


def read_growth(fields: Fields, dialect: Dialect) -> Growth:
    """Read the section on the EnvelopeNet of a search.

    Configurations of the first release name layers and how many lie between wideners, instead of stages. Raises
    SpecError with address, rule and value.
    """
    cell = fields.inside("envelopecell")
    if cell is None:
        raise SpecError(f"{fields.at('envelopecell')} is missing; name the branches that each layer begins with.")
    layers, most = _stages(fields)
    return Growth(
        cell=tuple(sorted((name, cell.text(name)) for name in cell)),
        layers=layers,
        most=most,
        construction=_flags(fields, len(layers), "construction"),
        limits=_flags(fields, len(layers), "parameter_limits", "parameterlimits"),
        quota=fields.whole("max_filter_prune", "maxfilterprune", least=0),
        skip=fields.truth("skip", default=False),
        worst_case=fields.truth("worst_case", "worstcase", default=False),
        dialect=dialect,
    )


def read_randoms(fields: Fields) -> Randoms:
    """Read the section on networks drawn at random. Raises SpecError with address, rule and value."""
    if "layers" in fields:
        layers = _between_wideners(fields)
        total = fields.whole("numblocks", least=sum(layers))
        _bound(fields.at("numblocks"), (total,), MOST_BLOCKS)
        blocks = tuple(total * count // sum(layers) for count in layers)
    else:
        layers = fields.wholes("layersperstage", "layers_per_stage")[: fields.whole("stages", default=MOST_LAYERS)]
        blocks = fields.wholes("numblocksperstage", "num_blocks_per_stage")[: len(layers)]
        _bound(fields.called("numblocksperstage", "num_blocks_per_stage"), blocks, MOST_BLOCKS)
        _bound(fields.called("layersperstage", "layers_per_stage"), layers, MOST_LAYERS)
    if len(blocks) != len(layers) or any(count < most for count, most in zip(blocks, layers, strict=True)):
        raise SpecError(
            f"{fields.address} has {list(layers)} layers and {list(blocks)} blocks; each stage needs a block a layer."
        )
    return Randoms(layers, blocks, fields.texts("blocks"), fields.truth("skip", default=False))


def initial(growth: Growth, width: int) -> Macro:
    """Return the network that a search begins with: every layer is the whole envelope."""
    stages: list[list[Layer]] = []
    items = 0
    for stage, count in enumerate(growth.layers):
        items += bool(stage)  # the widener before it
        outputs = width << stage
        narrow = int(outputs / (1 + sqrt(count - 1))) if growth.limits[stage] else outputs
        wide = (*(narrow for _ in range(count - 1)), outputs)
        reads = (first_inputs(items + place, growth.skip, growth.dialect) for place in range(count))
        stages.append([Layer(growth.cell, w, inputs) for w, inputs in zip(wide, reads, strict=True)])
        items += count
    return joined(stages)


def drawn(randoms: Randoms, width: int, seed: int) -> Macro:
    """Return a network at random: an op for each layer; then op after op for layers drawn, each as likely as another.

    The same op can come to a layer more than once.
    """
    rng = np.random.default_rng(seed)
    stages: list[list[Layer]] = []
    for stage, (count, blocks) in enumerate(zip(randoms.layers, randoms.blocks, strict=True)):
        found = [[str(rng.choice(randoms.ops))] for _ in range(count)]
        for _ in range(blocks - count):
            layer = int(rng.integers(count))
            found[layer].append(str(rng.choice(randoms.ops)))
        named = [tuple((f"Branch{number}", op) for number, op in enumerate(ops)) for ops in found]
        stages.append([Layer(filters, width << stage, "all" if randoms.skips else None) for filters in named])
    return joined(stages)


def _stages(fields: Fields) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the layers of every stage at first, and the most that it may have."""
    if "layers" in fields:
        layers = _between_wideners(fields)
        return layers, layers
    count = fields.whole("stages", default=MOST_LAYERS)
    layers = fields.wholes("layers_per_stage", "layersperstage")[:count]
    most = fields.wholes("max_layers_per_stage", "maxlayersperstage", default=layers)[:count]
    if len(layers) != len(most):
        raise SpecError(f"{fields.address} has {list(layers)} layers in its stages, and at most {list(most)}.")
    _bound(fields.called("layers_per_stage", "layersperstage"), layers, MOST_LAYERS)
    return layers, most


def _between_wideners(fields: Fields) -> tuple[int, ...]:
    """Return the layers of stages that end after every so many layers, as in the first release's own results."""
    left, interval = fields.whole("layers"), fields.whole("minwidenerintval")
    _bound(fields.at("layers"), (left,), MOST_LAYERS)
    stages = fields.whole("maxwideners") + 1
    found: list[int] = []
    while left and len(found) < stages - 1:
        found.append(min(left, interval))
        left -= found[-1]
    return (*found, left) if left else tuple(found)


def _bound(address: str, numbers: tuple[int, ...], most: int) -> None:
    if sum(numbers) > most:
        raise SpecError(f"{address} makes {sum(numbers):,} in all; a network may have {most:,} of them at most.")


def _flags(fields: Fields, stages: int, *names: str) -> tuple[bool, ...]:
    """Return a flag for each stage; false where the file says none."""
    given = fields.plain(*names)
    if given is None:
        return (False,) * stages
    if not isinstance(given, list) or len(given) < stages or not all(isinstance(flag, bool) for flag in given):
        raise SpecError(f"{fields.at(names[0])} is {given}; it must say true or false for each of {stages} stages.")
    return tuple(given[:stages])
