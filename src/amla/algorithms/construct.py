"""The construction of 2018, rule by rule: from a macro network and its statistics to the next one (Algorithm 1).

Kamath et al. 2018, as the two released programs ran it, AMLA ("amla") and the EnvelopeNets repository ("env"). All
here are pure functions. The two differ in skips alone: AMLA's layers read those before them but the stem and the cell
just before, and half of each layer's skips leave at every construction; in env, layers read all before them, for good.
Where the programs divided by zero or exited, a ConstructionError says why.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

from numpy.random import Generator

from amla.spec.macro import Dialect, Inputs, Item, Layer, Macro, Stage, first_inputs, joined
from amla.spec.values import value

Statistics = Mapping[tuple[int, str], float]  # by item and branch; ties are settled by the order
Scales = Mapping[tuple[int, int], float]  # of skips, by the cells they lead from and to; ties as above

PRUNED = 3  # one of so many branches of a stage may leave at once


class ConstructionError(ValueError):
    """A network that the rules cannot construct."""


@value
class Rules:
    """What a search of 2018 is told: numbers for each stage, and for all.

    `cell` is the envelope, branches as (name, op); `layers` each stage begins with; it is built further where
    `construction` says so, as long as it has no more than `max_layers`, and so ends with one more. `limits` says where
    all layers but the last are narrower. `width` is the channels of the stem and of the first stage. `worst_case`
    prunes the best branches. Raises ConstructionError.
    """

    cell: tuple[tuple[str, str], ...]
    layers: tuple[int, ...]
    max_layers: tuple[int, ...]
    construction: tuple[bool, ...]
    limits: tuple[bool, ...]
    width: int
    quota: int = 6
    skip: bool = True
    worst_case: bool = False
    dialect: Dialect = "amla"

    def __post_init__(self) -> None:
        for name in ("max_layers", "construction", "limits"):
            if len(given := getattr(self, name)) != len(self.layers):
                raise ConstructionError(
                    f"{name} is {list(given)}, but there are {len(self.layers)} stages; say one value for each."
                )
        if not self.layers or min(self.layers) < 1:
            raise ConstructionError(f"layers are {list(self.layers)}; there must be a stage, and a layer in each.")

    def may_grow(self, number: int, stage: Sequence[object]) -> bool:
        """Return whether a stage is still constructed; it may come to have one layer more than the most."""
        return self.construction[number] and len(stage) <= self.max_layers[number]


def initial(rules: Rules) -> Macro:
    """Return the EnvelopeNet that a search begins with. Raises ConstructionError where widths divide by zero."""
    envelope = Layer(rules.cell, rules.width)
    return _with_first_skips(joined([_widths((envelope,) * n, s, rules) for s, n in enumerate(rules.layers)]), rules)


def construct(macro: Macro, statistics: Statistics, scales: Scales, rules: Rules) -> Macro:
    """Return the network after this one: stage by stage pruned and one envelope longer, its skips halved.

    Raises ConstructionError, which names the stage, where no branch can leave and where widths divide by zero.
    """
    stages: list[Stage] = []
    came: set[int] = set()  # the items that are new
    begins = 0  # the item a stage begins with
    for number, stage in enumerate(macro.stages):
        if rules.may_grow(number, stage):
            pruned = _pruned(stage, number, _of_stage(statistics, begins, stage), rules)
            stages.append(_widths((*pruned, Layer(rules.cell, rules.width)), number, rules))
            came.add(sum(map(len, stages)) + number - 1)
        else:
            stages.append(_widths(stage, number, rules))
        begins += len(stage) + 1
    return _with_skips(joined(stages), macro, came, scales, rules)


def constructed(rules: Rules, times: int) -> tuple[tuple[int, int], ...]:
    """Return how many layers and branches each stage has after so many constructions: they follow from the rules.

    Which branches leave depends on statistics, but not how many. Raises ConstructionError.
    """
    macro = initial(rules)
    for _ in range(times):
        same = {(i, name): 0.0 for i, item in enumerate(macro.items) for name in _names(item)}
        macro = construct(macro, same, {}, rules)
    return tuple((len(stage), sum(len(layer.filters) for layer in stage)) for stage in macro.stages)


def drawn(rules: Rules, sizes: Sequence[tuple[int, int]], rng: Generator) -> Macro:
    """Return a network drawn at random, with `sizes`: layers and blocks of each stage. Raises ConstructionError.

    First an op for every layer; then, for every block left of a stage, one of its layers and an op for it. The ops are
    the envelope's, and one can come to a layer more than once. Skips are those of an initial network.
    """
    ops = [op for _, op in rules.cell]
    stages = [[[ops[rng.integers(len(ops))]] for _ in range(layers)] for layers, _ in sizes]
    for stage, (layers, blocks) in zip(stages, sizes, strict=True):
        for _ in range(blocks - layers):
            stage[rng.integers(layers)].append(ops[rng.integers(len(ops))])
    found = [tuple(Layer(_numbered(layer), rules.width) for layer in stage) for stage in stages]
    return _with_first_skips(joined([_widths(stage, number, rules) for number, stage in enumerate(found)]), rules)


def _pruned(stage: Stage, number: int, worth: Statistics, rules: Rules) -> Stage:
    """Return a stage without its least branches: a third, `quota` at most, but one at least, and no layer's last.

    Only branches that were measured compete, and only they count as a layer's last. Raises ConstructionError.
    """
    count = sum(len(layer.filters) for layer in stage)
    quota = min(rules.quota, count // PRUNED)
    left = {place: sum((place, name) in worth for name in _names(layer)) for place, layer in enumerate(stage)}
    gone: set[tuple[int, str]] = set()
    for place, name in sorted(worth, key=worth.__getitem__, reverse=rules.worst_case):
        if left[place] > 1:
            gone.add((place, name))
            left[place] -= 1
            if len(gone) >= quota:  # asked after a branch has left, as in 2018: so one always leaves
                break
    if not gone:
        raise ConstructionError(
            f"stage {number} has nothing to prune: of the {count} branches in its {len(stage)} layers {len(worth)} "
            "were measured, and a layer's last measured one never leaves; begin with more branches, or end the "
            f"construction of this stage earlier, with fewer than {len(stage)} layers at most."
        )
    return tuple(
        Layer(tuple(branch for branch in layer.filters if (place, branch[0]) not in gone), layer.outputs)
        for place, layer in enumerate(stage)
    )


def _widths(stage: Stage, number: int, rules: Rules) -> Stage:
    """Return a stage whose layers are W wide, or, limited, all but the last W / (L - 2) * (sqrt(L - 1) - 1).

    With that width w, 2 W w + (L - 2) w^2 = W^2: the L layers cost what one from W to W channels does. For L = 2 the
    formula divides by zero. Raises ConstructionError there.
    """
    width, length = rules.width << number, len(stage)
    narrow = width
    if rules.limits[number] and length > 1:
        if length == 2:
            raise ConstructionError(
                f"stage {number} has 2 layers under a parameter limit; {width} / (2 - 2) * (sqrt(2 - 1) - 1) channels "
                "is a division by zero; begin with 3 layers or more, or set no limit for this stage (parameter_limits)."
            )
        narrow = int(width / (length - 2) * (sqrt(length - 1) - 1))
    return tuple(
        Layer(layer.filters, width if place == length - 1 else narrow, layer.inputs)
        for place, layer in enumerate(stage)
    )


def _with_first_skips(macro: Macro, rules: Rules) -> Macro:
    return _with_inputs(macro, [first_inputs(place, rules.skip, rules.dialect) for place in range(len(macro.items))])


def _with_skips(macro: Macro, before: Macro, came: set[int], scales: Scales, rules: Rules) -> Macro:
    """Return a network with the skips of the one before: the stronger half of each layer's, and those of new layers.

    `came` are the items that are new. Old layers with skips also read the new ones of earlier stages. Strength is the
    learned scale with its sign; of equal ones, the later in the log is the stronger.
    """
    if not rules.skip or rules.dialect == "env":
        return _with_first_skips(macro, rules)
    old = [place for place in range(len(macro.items)) if place not in came]  # where each item of before is now
    cells = (0, *(place + 1 for place in old))  # the same of cells
    inputs: dict[int, Inputs] = {place: first_inputs(place, rules.skip, rules.dialect) for place in came}
    for number, place in enumerate(old):
        kept = _stronger(number + 1, scales) if place else ()
        arrived = (fresh + 1 for fresh in sorted(came) if fresh < place)
        inputs[place] = (*(cells[c] for c in kept), *arrived) if kept else before.items[number].inputs
    return _with_inputs(macro, [inputs[place] for place in range(len(macro.items))])


def _stronger(cell: int, scales: Scales) -> tuple[int, ...]:
    """Return the sources of the stronger half of a cell's skips, the strongest first; one of an odd number stays."""
    logged = [(scale, source) for (source, target), scale in scales.items() if target == cell]
    ranked = sorted(logged, key=lambda one: one[0])
    return tuple(source for _, source in reversed(ranked[len(ranked) // 2 :]))


def _with_inputs(macro: Macro, inputs: Sequence[Inputs]) -> Macro:
    return Macro(
        tuple(
            Layer(item.filters, item.outputs, read) if isinstance(item, Layer) else item
            for item, read in zip(macro.items, inputs, strict=True)
        )
    )


def _of_stage(statistics: Statistics, begins: int, stage: Stage) -> Statistics:
    """Return the statistics of the branches of a stage, by place in it and name."""
    here = {(begins + place, name) for place, layer in enumerate(stage) for name in _names(layer)}
    return {(item - begins, name): worth for (item, name), worth in statistics.items() if (item, name) in here}


def _names(item: Item) -> tuple[str, ...]:
    return tuple(name for name, _ in item.filters) if isinstance(item, Layer) else ()


def _numbered(ops: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"Branch{number}", op) for number, op in enumerate(ops))
