"""The space of DARTS: a normal and a reduction cell, of which a whole network is made.

Liu, Simonyan and Yang 2019 (ICLR), sections 2.1 and 3.1 and appendix A.1. A cell reads the two cells before it. It has
four nodes; each adds up two edges that come from different earlier ones, each edge being one of seven operations. Its
output is the concatenation of the nodes. The cells at one and at two thirds of the depth are reduction cells: what they
read is halved, channels double. All normal cells are alike, and all reduction cells.

Which two a node reads is one gene, what an edge would be another one that lives only where the edge is kept. Draws are
uniform: there are as many ways to go on from one choice as from another.

With `drop_path`, training drops paths as the paper does for the networks that it compares: what an edge brings to a
node is missing for some examples, more and more of them, unless the edge is an identity. A skip that halves the
resolution is no identity and may be missing, as in the paper's code. A network with all others in it drops nothing.

One thing is not as published: where the resolution halves on a skip, there is a 1x1 convolution with stride 2 after a
ReLU; in the paper's code half of the channels look at other places, at the same cost.
"""

from itertools import product

from amla.spaces.blocks import Blocks
from amla.spaces.space import Space, SpaceError
from amla.spec import ops
from amla.spec.architecture import NodeId
from amla.spec.ops import Size

OPERATIONS = ("max", "mean", "skip", "3x3sep", "5x5sep", "3x3dil", "5x5dil")
NODES = 4
MOST_CELLS = 100
AUXILIARY = 0.4  # the weight of the auxiliary head's loss
AUXILIARY_CHANNELS = (128, 768)


def darts(
    shape: Size,
    classes: int,
    *,
    width: int = 36,
    cells: int = 20,
    stem: int = 3,
    auxiliary: float | None = AUXILIARY,
    drop_path: float = 0.0,
) -> Space:
    """Return the space for inputs of `shape` (channels, *spatial); networks for CIFAR-10 have the defaults.

    `width` is the channels of a node in the first cells, `stem` times that those of the stem, `cells` how many there
    are. With `auxiliary` a head after the second reduction cell adds that many times its loss in training. `drop_path`
    is the share of examples that a path misses at the end of training: 0.2 in the paper, 0 for no such nodes. Genes are
    in the last cell of either kind: "cell19/node2" which edges a node reads, "cell19/node2/from0" what such an edge
    is; "from0" and "from1" lead from the two cells before. Raises SpaceError for too few or too many cells, SpecError
    for numbers that no operation can have.
    """
    if not 3 <= cells <= MOST_CELLS:
        raise SpaceError(f"cells is {cells}; there must be 3 to {MOST_CELLS}, of which two reduce.")
    reductions = {cells // 3, 2 * cells // 3}
    blocks = Blocks(shape)
    before = last = blocks.conv_norm("stem", blocks.image, stem * width, 3)
    extents, halved, head = shape[1:], False, None
    for number in range(cells):
        reduces = number in reductions
        if reduces:
            width, extents = 2 * width, tuple(-(-extent // 2) for extent in extents)
        name = f"cell{number}"
        before, last = last, _cell(blocks, name, before, last, width, reduces, halved, drop_path)
        halved = reduces
        if number == 2 * cells // 3 and auxiliary is not None:
            head = last
    if head and auxiliary is not None:
        _auxiliary_head(blocks, head, extents, classes, auxiliary)
    template = blocks.head(last, classes)
    return Space(template, tied=_tied(cells, reductions))


def _tied(cells: int, reductions: set[int]) -> dict[NodeId, NodeId]:
    """Return which Picks decide as those of the last cell of their kind."""
    found = {}
    for kind in (reductions, set(range(cells)) - reductions):
        *others, last = sorted(kind)
        for other, node in product(others, range(NODES)):
            for pick in (f"node{node}", *(f"node{node}/from{start}" for start in range(node + 2))):
                found[f"cell{other}/{pick}"] = f"cell{last}/{pick}"
    return found


def _cell(
    blocks: Blocks,
    name: NodeId,
    before: NodeId,
    last: NodeId,
    width: int,
    reduces: bool,
    halved: bool,
    drop_path: float,
) -> NodeId:
    """Write a cell that reads two others; where the last one halved the resolution, the one before it is halved."""
    values = [
        blocks.relu_conv_norm(f"{name}/in0", before, width, 1, 2 if halved else 1),
        blocks.relu_conv_norm(f"{name}/in1", last, width, 1),
    ]
    for node in range(NODES):
        address = f"{name}/node{node}"
        edges = [
            _edge(blocks, f"{address}/from{start}", source, width, 2 if reduces and start < 2 else 1, drop_path)
            for start, source in enumerate(values)
        ]
        values.append(blocks.add(address, ops.Pick(2, 2), *edges))
    return blocks.add(name, ops.Merge("concat"), *values[2:])


def _edge(blocks: Blocks, edge: NodeId, source: NodeId, width: int, stride: int, drop_path: float) -> NodeId:
    def called(operation: str) -> NodeId:
        return f"{edge}/{operation}/path" if drop_path else f"{edge}/{operation}"

    def dropped(path: NodeId) -> NodeId:
        return blocks.add(path.removesuffix("/path"), ops.DropPath(drop_path), path) if drop_path else path

    if stride == 1:
        skip = blocks.add(f"{edge}/skip", ops.Identity(), source)
    else:
        skip = dropped(blocks.relu_conv_norm(called("skip"), source, width, 1, stride))
    alternatives = (
        dropped(blocks.pool(called("max"), source, "max", 3, stride)),
        dropped(blocks.pool(called("mean"), source, "mean", 3, stride)),
        skip,
        *(dropped(_separable(blocks, called(f"{k}x{k}sep"), source, width, k, stride)) for k in (3, 5)),
        *(dropped(_thin(blocks, called(f"{k}x{k}dil"), source, width, k, stride, 2)) for k in (3, 5)),
    )
    return blocks.add(edge, ops.Pick(), *alternatives)


def _separable(blocks: Blocks, name: NodeId, source: NodeId, width: int, kernel: int, stride: int) -> NodeId:
    """A separable convolution, twice."""
    source = _thin(blocks, f"{name}/first", source, width, kernel, stride)
    return _thin(blocks, name, source, width, kernel)


def _thin(
    blocks: Blocks, name: NodeId, source: NodeId, width: int, kernel: int, stride: int = 1, dilation: int = 1
) -> NodeId:
    """ReLU, a depthwise convolution, a 1x1, batch normalisation."""
    source = blocks.relu(f"{name}/relu", source)
    source = blocks.depthwise(f"{name}/depthwise", source, kernel, stride, dilation)
    return blocks.conv_norm(name, source, width, 1)


def _auxiliary_head(blocks: Blocks, source: NodeId, extents: Size, classes: int, weight: float) -> None:
    """Means of 5x5 every third, 1x1 and 2x2 convolutions, classifier; windows are smaller where there is less room."""
    few, many = AUXILIARY_CHANNELS
    window, stride = tuple(min(5, extent) for extent in extents), blocks.every(3)
    left = tuple((extent - size) // 3 + 1 for extent, size in zip(extents, window, strict=True))
    source = blocks.relu("auxiliary/relu", source)
    source = blocks.add("auxiliary/pool", ops.Pool("mean", window, stride, padding="valid"), source)
    source = blocks.conv_norm_relu("auxiliary/1x1", source, few, 1)
    conv = ops.Conv(many, tuple(min(2, extent) for extent in left), padding="valid")
    source = blocks.add("auxiliary/2x2/norm", ops.BatchNorm(), blocks.add("auxiliary/2x2/conv", conv, source))
    source = blocks.relu("auxiliary/2x2", source)
    source = blocks.add("auxiliary/head", ops.GlobalPool("mean"), source)
    blocks.add("auxiliary", ops.Classify(classes, auxiliary=weight), source)
