"""EnvelopeNets: stages of cells, each cell an envelope of parallel branches that NAC prunes and grows.

Kamath et al. 2018 (NeurIPS MetaLearn workshop): a stem; stages of cells at one resolution; between stages a widener
that halves the resolution and doubles the channels; a head. Branches are convolution, batch normalisation, ReLU; their
outputs are concatenated. A cell may also read what came earlier in its stage, through learned scales.
Depth is a Pick too: a stage ends with one of its cells.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from amla.spaces.space import Space, SpaceError, constrained
from amla.spaces.template import Cell, Options, Skeleton, Skips, Stage, template
from amla.spec.architecture import Architecture, NodeId
from amla.spec.constraints import Constraints
from amla.spec.costs import costs, shapes
from amla.spec.decisions import Decisions, close
from amla.spec.estimate import Estimate
from amla.spec.ops import Size

__all__ = ["BRANCHES", "Cell", "Envelope", "Stage", "envelope", "recovered"]

BRANCHES = ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep")
MOST_STAGES, MOST_BRANCHES, MOST_GROWTH = 32, 64, 1e6
MOST_CELLS = 64  # of a stage: skips grow with their square, and each takes a construction to grow


@dataclass(frozen=True)
class Envelope:
    """A space of EnvelopeNets, with the places where decisions are taken."""

    space: Space
    stages: tuple[Stage, ...]

    def initial(self) -> Decisions:
        """Return the decisions of the EnvelopeNet that a search starts from: all branches, all skips, few cells."""
        return self._as_deep_as({stage.depth: stage.start for stage in self.stages})

    def beginning(self, without: Container[Architecture] = ()) -> Decisions | None:
        """Return the first network within the space's constraints that a search may start from, None if none is.

        It is the initial one, or else that with fewer skips, then kinds of branches, then cells: the same in all cells.
        Networks in `without` are passed over.
        """
        networks = ((chosen, self.space.close(chosen)) for chosen in self._smaller())
        return next((chosen for chosen, made in networks if made not in without and self.space.accepts(made)), None)

    def _smaller(self) -> Iterator[Decisions]:
        """Yield the initial decisions, and ever smaller ones."""
        template = self.space.template
        yield self.initial()
        for fewer in range(max(stage.start for stage in self.stages)):
            deep = self._as_deep_as({stage.depth: max(1, stage.start - fewer) for stage in self.stages})
            cells = [cell for stage in self.stages for cell in stage.cells]
            bare = {cell.skips: template[cell.skips].inputs[:1] for cell in cells if cell.skips}
            for places in self._lighter(deep):
                kept = {c.branches: tuple(template[c.branches].inputs[place] for place in places) for c in cells}
                yield {**deep, **kept}
                yield {**deep, **kept, **bare}

    def _lighter(self, decisions: Decisions) -> Iterator[list[int]]:
        """Yield the places of all kinds of branches, then of all but the dearest, and so on."""
        template = self.space.narrow or self.space.template
        cells = [cell.branches for stage in self.stages for cell in stage.cells]

        def work(place: int) -> int:
            alone = {cell: template[cell].inputs[place : place + 1] for cell in cells}
            return costs(close(template, {**decisions, **alone})).macs

        order = sorted(range(len(template[cells[0]].inputs)), key=work)
        for count in range(len(order), 0, -1):
            yield sorted(order[:count])

    def deepest(self) -> Decisions:
        """Return the decisions of the largest network: all branches, all skips, all cells."""
        return self._as_deep_as({stage.depth: len(stage.cells) for stage in self.stages})

    def as_deep_as(self, cells: int) -> Decisions:
        """Return the decisions of the network with all branches, all skips and so many cells a stage, or all it has."""
        return self._as_deep_as({stage.depth: min(cells, len(stage.cells)) for stage in self.stages})

    def _as_deep_as(self, cells: dict[NodeId, int]) -> Decisions:
        depth = {pick: self.space.template[pick].inputs[count - 1 : count] for pick, count in cells.items()}
        return {**self.space.fullest(), **depth}


def envelope(
    shape: Size,
    classes: int,
    *,
    width: int = 32,
    growth: tuple[float, ...] = (),
    skeleton: Skeleton = "wideners",
    stem_stride: int = 1,
    cells: tuple[int, ...] = (2, 2),
    max_cells: tuple[int, ...] = (6, 6),
    branches: tuple[str, ...] = BRANCHES,
    skips: Skips = "add",
    dropout: float = 0.0,
    head_dropout: float = 0.2,
    macs: int | None = None,
    parameters: int | None = None,
    memory: int | None = None,
    latency: Estimate | None = None,
) -> Envelope:
    """Return the space of EnvelopeNets for inputs of `shape` (channels, *spatial).

    `width` is the channels of the first stage, and `growth` how many times as many each stage has; without, each has
    twice those of the stage before. `stem_stride` divides the resolution of large inputs. `cells` is how many cells
    each stage starts with, `max_cells` how many it may have. A branch is called by its kernel ("3x3" is 3 along every
    axis, for series and volumes too), with "sep" for a separable one; after a dash it may have a name of its own, so
    that a cell can have two alike ("3x3-a", "3x3-b"). With `skips` "add" a cell reads the sum of the cell before and
    the scaled skips; with "concat" their concatenation, brought back to the width by a 1x1 convolution (the released
    code's way).

    The `skeleton` "wideners" is the paper's. That called "pools" is of fast CIFAR-10 trainers (Page 2018, Jordan 2024):
    the stem is a convolution of patches of 2 along every axis, the branches of each stage's first cell halve the
    resolution by max-pooling after their convolution, and the head takes the maximum over all positions.

    With `macs`, `parameters`, `memory` (bytes of activations at once) or `latency`, an estimate, a network is as wide
    as these bounds allow, from one channel a branch to `width`: so all cost about the same, whatever was decided.

    Raises SpaceError, SpecError.
    """
    _check(width, growth, cells, max_cells, branches, skeleton)
    options = Options(
        shape, classes, growth, skeleton, stem_stride, cells, max_cells, branches, skips, dropout, head_dropout
    )
    open_architecture, stages = template(options, width)
    found = Envelope(Space(open_architecture), stages)
    shapes(found.space.close(found.deepest()))  # a template that does not fit together fails here
    within = Constraints(parameters, macs, memory, latency)
    if not within:
        return found
    widest = _Widest(options, len(branches), width, within)
    sized = Space(open_architecture, sized=widest.template, narrow=_of_width(options, len(branches)))
    return Envelope(constrained(sized, within), stages)


def recovered(template: Architecture, cells: tuple[int, ...] | None = None) -> Envelope:
    """Return the space of EnvelopeNets that has this template, whose stages start with so many cells; None: with one.

    That it has bounds on what networks cost, and other widths then, a template does not say. Raises SpaceError for one
    that is no template of EnvelopeNets.
    """
    depths = [pick for pick in template.picks if re.fullmatch(r"stage\d+", pick)]
    starts = cells or (1,) * len(depths)
    if not depths or len(starts) != len(depths):
        raise SpaceError(f"The template has {len(depths)} stages of cells, and cells say how {len(starts)} begin.")
    stages = []
    for depth, start in zip(depths, starts, strict=True):
        names = [source.removesuffix("/dropout") for source in template[depth].inputs]
        found = tuple(Cell(name, f"{name}/in" if f"{name}/in" in template.picks else None) for name in names)
        if lacking := [name for name in names if name not in template.picks]:
            raise SpaceError(f"In the template {lacking[0]!r} ends a cell of {depth!r}, but is no Pick of branches.")
        if template.picks[depth].at_most != 1 or not 1 <= start <= len(found):
            raise SpaceError(f"{depth!r} may have {len(found)} cells and should start with {start}.")
        stages.append(Stage(depth, found, start))
    return Envelope(Space(template), tuple(stages))


@dataclass(frozen=True)
class _Widest:
    """Finds the largest width, from `least` to `most`, at which decisions make a network within bounds.

    Widths are tried in such steps that the widest stage gains a channel at a time: networks then differ little in cost.
    """

    options: Options
    least: int
    most: int
    within: Constraints

    def template(self, decisions: Decisions) -> Architecture:
        """Return the template at that width; at the least one where none is within the bounds."""
        finer = max(1, round(max(self.options.times)))
        low, high = self.least * finer, self.most * finer
        while low < high:
            middle = (low + high + 1) // 2
            if self.within.hold(close(_of_width(self.options, middle / finer), decisions)):
                low = middle
            else:
                high = middle - 1
        return _of_width(self.options, low / finer)


@lru_cache(maxsize=256)
def _of_width(options: Options, width: float) -> Architecture:
    return template(options, width)[0]


def _check(
    width: int, growth: tuple[float, ...], cells: Size, max_cells: Size, branches: tuple[str, ...], skeleton: Skeleton
) -> None:
    if not cells or len(cells) != len(max_cells):
        raise SpaceError(f"cells {list(cells)} and max_cells {list(max_cells)} must say one number for every stage.")
    if len(cells) > MOST_STAGES or len(branches) > MOST_BRANCHES:
        raise SpaceError(
            f"there are {len(cells)} stages and {len(branches)} branches; {MOST_STAGES} and {MOST_BRANCHES} at most."
        )
    for number, (start, most) in enumerate(zip(cells, max_cells, strict=True)):
        if most > MOST_CELLS:
            raise SpaceError(f"stage {number} may have {most} cells; more than {MOST_CELLS} are never grown.")
        if not 1 <= start <= most:
            raise SpaceError(
                f"stage {number} starts with {start} cells and may have {most}; say 1 <= cells <= max_cells."
            )
    if len(set(branches)) != len(branches) or not branches:
        raise SpaceError(f"branches are {list(branches)}; name at least one, and none twice.")
    if width < len(branches):
        raise SpaceError(
            f"width is {width}, but each of {len(branches)} branches needs a channel; take {len(branches)} or more."
        )
    _check_growth(growth, len(cells), skeleton)


def _check_growth(growth: tuple[float, ...], stages: int, skeleton: Skeleton) -> None:
    if not growth:
        return
    if len(growth) != stages or growth[0] != 1 or not all(0 < times < MOST_GROWTH for times in growth):
        raise SpaceError(f"growth is {list(growth)}; it must say for each of {stages} stages how wide it is, 1 first.")
    if skeleton == "wideners" and any(later < 1.5 * earlier for earlier, later in pairwise(growth)):
        raise SpaceError(
            f"growth is {list(growth)}; a widener adds channels, so each stage must have 1.5 times those of the one "
            "before, or more. With the skeleton 'pools' they may be any."
        )
