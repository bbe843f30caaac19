"""The template of EnvelopeNets at one width: stem, stages of cells, what is between them, and head, as nodes."""

from dataclasses import dataclass, field
from typing import Literal

from amla.spaces.space import SpaceError
from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import Op, Size

SKIP_START, SKIP_SPREAD = 0.5, 0.01  # a skip scale starts at N(0.5, 0.01^2), as in the released code

Skeleton = Literal["wideners", "pools"]
Skips = Literal["add", "concat", "none"]


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
class Options:
    """All about a space of EnvelopeNets but its width; see `amla.spaces.envelope.envelope`."""

    shape: Size
    classes: int
    growth: tuple[float, ...]
    skeleton: Skeleton
    stem_stride: int
    cells: Size
    max_cells: Size
    branches: tuple[str, ...]
    skips: Skips
    dropout: float
    head_dropout: float

    @property
    def times(self) -> tuple[float, ...]:
        """How many times as wide as the first each stage is."""
        return self.growth or tuple(2.0**number for number in range(len(self.cells)))

    def widths(self, width: float) -> Size:
        """Return the channels of every stage whose first has `width`, to the nearest number."""
        return tuple(max(len(self.branches), round(width * times)) for times in self.times)


def template(options: Options, width: float) -> tuple[Architecture, tuple[Stage, ...]]:
    """Return the open architecture whose first stage is `width` wide, and where its decisions are taken."""
    widths, builder = options.widths(width), _Builder(options, len(options.shape) - 1)
    source, before, stages = builder.stem(widths[0]), widths[0], list[Stage]()
    for number, wide in enumerate(widths):
        if number and options.skeleton == "wideners":
            source = builder.widener(number - 1, source, wide - before)
        before = wide
        stages.append(builder.stage(number, source, wide))
        source = stages[-1].depth
    builder.head(source)
    return Architecture(tuple(builder.nodes)), tuple(stages)


@dataclass
class _Builder:
    """Writes the nodes of the template down, in order."""

    options: Options
    rank: int
    nodes: list[Node] = field(default_factory=list)

    def stem(self, width: int) -> NodeId:
        stride = self.options.stem_stride
        image = self._add("image", ops.Input(self.options.shape))
        if self.options.skeleton == "wideners":
            kernel = max(3, 2 * stride - 1)  # windows overlap, so that no input is passed over
            return self._conv("stem", image, ops.Conv(width, (kernel,) * self.rank, (stride,) * self.rank))
        if stride > 1:
            image = self._add("stem/pool", ops.Pool("mean", (stride,) * self.rank, (stride,) * self.rank), image)
        outputs = 2 * self.options.shape[0] * 2**self.rank  # room for both signs of what a patch can hold
        patches = ops.Conv(outputs, (2,) * self.rank, bias=True, padding="valid")
        return self._add("stem", ops.Activation("relu"), self._add("stem/conv", patches, image))

    def stage(self, number: int, source: NodeId, width: int) -> Stage:
        name, cells, outputs = f"stage{number}", list[Cell](), [source]
        pools = self.options.skeleton == "pools"
        for place in range(self.options.max_cells[number]):
            earlier = outputs[pools:-1]  # what has the size of the cell
            cells.append(self._cell(f"{name}/cell{place}", outputs[-1], earlier, width, pools and not place))
            outputs.append(self._dropped(cells[-1].branches, self.options.dropout))
        return Stage(self._add(name, ops.Pick(), *outputs[1:]), tuple(cells), self.options.cells[number])

    def widener(self, number: int, source: NodeId, more: int) -> NodeId:
        """Half the resolution and `more` channels: a max-pool beside a strided convolution."""
        name, half = f"widen{number}", (2,) * self.rank
        pool = self._add(f"{name}/pool", ops.Pool("max", half, half), source)
        conv = self._conv(f"{name}/conv", source, ops.Conv(more, (3,) * self.rank, half))
        return self._add(name, ops.Merge("concat"), pool, conv)

    def head(self, source: NodeId) -> None:
        source = self._add("head", ops.GlobalPool("max" if self.options.skeleton == "pools" else "mean"), source)
        self._add("logits", ops.Classify(self.options.classes), self._dropped(source, self.options.head_dropout))

    def _cell(self, name: str, source: NodeId, earlier: list[NodeId], width: int, pools: bool) -> Cell:
        skips = self._skips(name, source, earlier) if self.options.skips != "none" and earlier else None
        if skips and self.options.skips == "concat":
            source = self._conv(f"{name}/join", skips, ops.Conv(width, (1,) * self.rank))
        else:
            source = skips or source
        ends = [self._branch(f"{name}/{branch}", branch, source, pools) for branch in self.options.branches]
        pick = ops.Pick(1, len(ends), "concat", width=width)
        return Cell(self._add(name, pick, *ends), skips)

    def _skips(self, name: str, source: NodeId, earlier: list[NodeId]) -> NodeId:
        scaled = []
        for cell in earlier:
            place = cell.removesuffix("/dropout").rsplit("/", 1)[-1]
            scaled.append(self._add(f"{name}/from-{place}", ops.Scale(SKIP_START, SKIP_SPREAD), cell))
        how: Literal["add", "concat"] = "add" if self.options.skips == "add" else "concat"
        return self._add(f"{name}/in", ops.Pick(1, 1 + len(scaled), how, fixed=1), source, *scaled)

    def _branch(self, name: str, branch: str, source: NodeId, pools: bool) -> NodeId:
        kernel = kernel_of(branch, self.rank)
        if branch.partition("-")[0].endswith("sep"):
            source = self._add(f"{name}/depthwise", ops.Depthwise(kernel), source)
            kernel = (1,) * self.rank
        return self._conv(name, source, ops.Conv(None, kernel), pools)

    def _conv(self, name: str, source: NodeId, conv: ops.Conv, pools: bool = False) -> NodeId:
        """Convolution, max-pooling if asked for, batch normalisation, ReLU; the last is what carries the name."""
        source = self._add(f"{name}/conv", conv, source)
        if pools:
            source = self._add(f"{name}/pool", ops.Pool("max", (2,) * self.rank, (2,) * self.rank), source)
        source = self._add(f"{name}/norm", ops.BatchNorm(), source)
        return self._add(name, ops.Activation("relu"), source)

    def _dropped(self, source: NodeId, rate: float) -> NodeId:
        return self._add(f"{source}/dropout", ops.Dropout(rate), source) if rate else source

    def _add(self, name: str, op: Op, *inputs: NodeId) -> NodeId:
        self.nodes.append(Node(name, op, inputs))
        return name


def kernel_of(branch: str, rank: int) -> Size:
    """Return the kernel that a branch is called by. Raises SpaceError for one that is no odd kernel of `rank` axes."""
    sizes = branch.partition("-")[0].removesuffix("sep").split("x")
    if len(set(sizes)) == 1:
        sizes = sizes[:1] * rank
    if not all(size.isdigit() and int(size) % 2 for size in sizes) or len(sizes) != rank:
        like = "x".join("3" * rank)
        raise SpaceError(
            f"branch {branch!r} names no odd kernel of {rank} axes; write for example {like!r} or '{like}sep'."
        )
    return tuple(map(int, sizes))
