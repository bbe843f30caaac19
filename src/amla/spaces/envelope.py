"""EnvelopeNets: stages of cells, each cell an envelope of parallel branches that NAC prunes and grows.

Kamath et al. 2018 (NeurIPS MetaLearn workshop): a stem; stages of cells at one resolution; between stages a widener
that halves the resolution and doubles the channels; a head. Branches are convolution, batch normalisation, ReLU; their
outputs are concatenated. A cell may also read what came earlier in its stage, through learned scales.
Depth is a Pick too: a stage ends with one of its cells.
"""

from dataclasses import dataclass, field
from typing import Literal

from amla.spaces.space import Space, SpaceError
from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import shapes
from amla.spec.decisions import Decisions
from amla.spec.ops import Op, Size

BRANCHES = ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep")
MOST_CELLS = 64  # of a stage: skips grow with their square, and each takes a construction to grow
SKIP_START, SKIP_SPREAD = 0.5, 0.01  # a skip scale starts at N(0.5, 0.01^2), as in the released code


@dataclass(frozen=True)
class Cell:
    """Where a cell's decisions are taken."""

    branches: NodeId  # the Pick of parallel branches; also the cell's output
    skips: NodeId | None  # the Pick of what it reads; its first input, the cell before, is fixed


@dataclass(frozen=True)
class Stage:
    """Cells at one resolution, in order, and the Pick of the one the stage ends with."""

    depth: NodeId
    cells: tuple[Cell, ...]
    start: int  # how many cells the search starts with


@dataclass(frozen=True)
class Envelope:
    """A space of EnvelopeNets, with the places where decisions are taken."""

    space: Space
    stages: tuple[Stage, ...]

    def initial(self) -> Decisions:
        """Return the decisions of the EnvelopeNet that a search starts from: all branches, all skips, few cells."""
        return self._as_deep_as({stage.depth: stage.start for stage in self.stages})

    def deepest(self) -> Decisions:
        """Return the decisions of the largest network: all branches, all skips, all cells."""
        return self._as_deep_as({stage.depth: len(stage.cells) for stage in self.stages})

    def _as_deep_as(self, cells: dict[NodeId, int]) -> Decisions:
        template = self.space.template
        depth = {pick: template[pick].inputs[count - 1 : count] for pick, count in cells.items()}
        return {**self.space.fullest(), **depth}


def envelope(
    shape: Size,
    classes: int,
    *,
    width: int = 32,
    stem_stride: int = 1,
    cells: tuple[int, ...] = (2, 2),
    max_cells: tuple[int, ...] = (6, 6),
    branches: tuple[str, ...] = BRANCHES,
    skips: Literal["add", "concat", "none"] = "add",
    dropout: float = 0.0,
    head_dropout: float = 0.2,
) -> Envelope:
    """Return the space of EnvelopeNets for inputs of `shape` (channels, *spatial).

    `width` is the channels of the stem, doubled at every widener; `stem_stride` divides the resolution of large inputs;
    `cells` is how many cells each stage starts with, `max_cells` how many it may have. A branch is called by its
    kernel ("3x3" is 3 along every axis, for series and volumes too), with "sep" for a separable one. With `skips`
    "add" a cell reads the sum of the cell before and the scaled skips; with "concat" their concatenation, brought back
    to the width by a 1x1 convolution (the released code's way). Raises SpaceError, SpecError.
    """
    _check(width, cells, max_cells, branches)
    builder = _Builder(len(shape) - 1, width, branches, skips, dropout)
    source = builder.stem(shape, stem_stride)
    stages = []
    for number, (start, most) in enumerate(zip(cells, max_cells, strict=True)):
        if number:
            source = builder.widener(number - 1, source)
        stages.append(builder.stage(number, source, start, most))
        source = stages[-1].depth
    builder.head(source, classes, head_dropout)
    found = Envelope(Space(Architecture(tuple(builder.nodes))), tuple(stages))
    shapes(found.space.close(found.deepest()))  # a template that does not fit together fails here
    return found


@dataclass
class _Builder:
    """Writes the nodes of the template down, in order."""

    rank: int
    width: int
    branches: tuple[str, ...]
    skips: str
    dropout: float
    nodes: list[Node] = field(default_factory=list)

    def stem(self, shape: Size, stride: int) -> NodeId:
        image = self._add("image", ops.Input(shape))
        kernel = max(3, 2 * stride - 1)  # windows overlap, so that no input is passed over
        return self._conv("stem", image, ops.Conv(self.width, (kernel,) * self.rank, (stride,) * self.rank))

    def stage(self, number: int, source: NodeId, start: int, most: int) -> Stage:
        name, cells, outputs = f"stage{number}", [], [source]
        for place in range(most):
            cells.append(self._cell(f"{name}/cell{place}", outputs[-1], outputs[:-1]))
            source = cells[-1].branches
            outputs.append(
                self._add(f"{source}/dropout", ops.Dropout(self.dropout), source) if self.dropout else source
            )
        return Stage(self._add(name, ops.Pick(), *outputs[1:]), tuple(cells), start)

    def widener(self, number: int, source: NodeId) -> NodeId:
        """Half the resolution and twice the channels: a max-pool beside a strided convolution."""
        name, half = f"widen{number}", (2,) * self.rank
        pool = self._add(f"{name}/pool", ops.Pool("max", half, half), source)
        conv = self._conv(f"{name}/conv", source, ops.Conv(self.width, (3,) * self.rank, half))
        self.width *= 2
        return self._add(name, ops.Merge("concat"), pool, conv)

    def head(self, source: NodeId, classes: int, dropout: float) -> None:
        source = self._add("head", ops.GlobalPool("mean"), source)
        self._add("logits", ops.Classify(classes), self._dropped(source, dropout))

    def _cell(self, name: str, source: NodeId, skippable: list[NodeId]) -> Cell:
        skips = self._skips(name, source, skippable) if self.skips != "none" and skippable else None
        if skips and self.skips == "concat":
            source = self._conv(f"{name}/join", skips, ops.Conv(self.width, (1,) * self.rank))
        else:
            source = skips or source
        ends = [self._branch(f"{name}/{branch}", branch, source) for branch in self.branches]
        pick = ops.Pick(1, len(ends), "concat", width=self.width)
        return Cell(self._add(name, pick, *ends), skips)

    def _skips(self, name: str, source: NodeId, skippable: list[NodeId]) -> NodeId:
        scaled = []
        for earlier in skippable:
            place = earlier.removesuffix("/dropout").rsplit("/", 1)[-1]
            scaled.append(self._add(f"{name}/from-{place}", ops.Scale(SKIP_START, SKIP_SPREAD), earlier))
        how: Literal["add", "concat"] = "add" if self.skips == "add" else "concat"
        return self._add(f"{name}/in", ops.Pick(1, 1 + len(scaled), how, fixed=1), source, *scaled)

    def _branch(self, name: str, branch: str, source: NodeId) -> NodeId:
        kernel = _kernel(branch, self.rank)
        if branch.endswith("sep"):
            source = self._add(f"{name}/depthwise", ops.Depthwise(kernel), source)
            kernel = (1,) * self.rank
        return self._conv(name, source, ops.Conv(None, kernel))

    def _conv(self, name: str, source: NodeId, conv: ops.Conv) -> NodeId:
        """Convolution, batch normalisation, ReLU; the last one is what carries the name."""
        source = self._add(f"{name}/conv", conv, source)
        source = self._add(f"{name}/norm", ops.BatchNorm(), source)
        return self._add(name, ops.Activation("relu"), source)

    def _dropped(self, source: NodeId, rate: float) -> NodeId:
        return self._add(f"{source}/dropout", ops.Dropout(rate), source) if rate else source

    def _add(self, name: NodeId, op: Op, *inputs: NodeId) -> NodeId:
        self.nodes.append(Node(name, op, inputs))
        return name


def _kernel(branch: str, rank: int) -> Size:
    sizes = branch.removesuffix("sep").split("x")
    if len(set(sizes)) == 1:
        sizes = sizes[:1] * rank
    if not all(size.isdigit() and int(size) % 2 for size in sizes) or len(sizes) != rank:
        like = "x".join("3" * rank)
        raise SpaceError(
            f"branch {branch!r} names no odd kernel of {rank} axes; write for example {like!r} or '{like}sep'."
        )
    return tuple(map(int, sizes))


def _check(width: int, cells: Size, max_cells: Size, branches: tuple[str, ...]) -> None:
    if not cells or len(cells) != len(max_cells):
        raise SpaceError(f"cells {list(cells)} and max_cells {list(max_cells)} must say one number for every stage.")
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
