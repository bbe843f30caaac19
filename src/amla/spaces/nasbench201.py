"""The space of NAS-Bench-201: one cell of six edges, of which a whole network is made.

Dong and Yang 2020 (ICLR), section 2.1 and figure 1. A cell has four nodes; each reads all earlier ones through an edge
of its own, which is one of five operations, and adds them up. Three stages of equal cells, with a residual block that
halves the resolution and doubles the channels between them. All cells of a network are alike, so there are six genes
and 5^6 = 15,625 networks.
"""

from itertools import combinations

from amla.spaces.blocks import Blocks
from amla.spaces.space import Space, SpaceError
from amla.spec import ops
from amla.spec.architecture import NodeId
from amla.spec.ops import Size

OPERATIONS = ("none", "skip", "1x1", "3x3", "pool")
EDGES = tuple(sorted(combinations(range(4), 2), key=lambda edge: (edge[1], edge[0])))  # (0, 1), (0, 2), (1, 2) ...
STAGES = 3
MOST_CELLS = 100  # of a stage


def nasbench201(shape: Size, classes: int, *, width: int = 16, cells: int = 5) -> Space:
    """Return the space for inputs of `shape` (channels, *spatial); the benchmark's networks have the defaults.

    `width` is the channels of the first stage, doubled by each later one, `cells` how many each stage has. The genes
    are the edges of the first cell, such as "stage0/cell0/0-1"; what an edge keeps ends in one of OPERATIONS.
    Raises SpaceError.
    """
    if not 1 <= cells <= MOST_CELLS or width < 1:
        raise SpaceError(f"width is {width} and cells {cells}; say 1 or more, and not more than {MOST_CELLS} cells.")
    blocks, cell = Blocks(shape), list[str]()
    source = blocks.conv_norm("stem", blocks.image, width, 3)
    for stage in range(STAGES):
        if stage:
            source = _residual(blocks, f"reduce{stage - 1}", source, width << stage)
        for number in range(cells):
            cell.append(f"stage{stage}/cell{number}")
            source = _cell(blocks, cell[-1], source, width << stage)
    source = blocks.relu("last", blocks.add("last/norm", ops.BatchNorm(), source))
    template = blocks.head(source, classes)
    tied = {_edge(later, *edge): _edge(cell[0], *edge) for later in cell[1:] for edge in EDGES}
    return Space(template, tied=tied)


def _edge(cell: NodeId, start: int, end: int) -> NodeId:
    return f"{cell}/{start}-{end}"


def _cell(blocks: Blocks, name: NodeId, source: NodeId, width: int) -> NodeId:
    values = [source]
    for end in range(1, 4):
        edges = [_operations(blocks, _edge(name, start, end), values[start], width) for start in range(end)]
        values.append(edges[0] if end == 1 else blocks.add(f"{name}/{end}" if end < 3 else name, ops.Merge(), *edges))
    return values[-1]


def _operations(blocks: Blocks, edge: NodeId, source: NodeId, width: int) -> NodeId:
    """Write the Pick of one edge, and what it may be. An edge that is "none" stays, as zeros; so its inputs do."""
    alternatives = (
        blocks.add(f"{edge}/none", ops.Zero(), source),
        blocks.add(f"{edge}/skip", ops.Identity(), source),
        blocks.relu_conv_norm(f"{edge}/1x1", source, width, 1),
        blocks.relu_conv_norm(f"{edge}/3x3", source, width, 3),
        blocks.pool(f"{edge}/pool", source, "mean", 3),
    )
    return blocks.add(edge, ops.Pick(), *alternatives)


def _residual(blocks: Blocks, name: NodeId, source: NodeId, width: int) -> NodeId:
    """Two 3x3 convolutions beside a mean of 2x2 and a 1x1 convolution."""
    inner = blocks.relu_conv_norm(f"{name}/a", source, width, 3, 2)
    inner = blocks.relu_conv_norm(f"{name}/b", inner, width, 3)
    outer = blocks.conv(f"{name}/short", blocks.pool(f"{name}/pool", source, "mean", 2, 2), width, 1)
    return blocks.add(name, ops.Merge(), outer, inner)
