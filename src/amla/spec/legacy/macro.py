"""From a macro network of 2018 to nodes, as its programs built it.

A layer that names inputs, even none, reads a 1x1 convolution (bias, ReLU, no normalisation) of the cell before and the
named ones, each times a learned number that begins at N(0.5, 0.01^2) and halved by 2x2 max-pooling until the
resolutions meet. It has as many channels as the cell before. A branch has floor(outputs / branches) channels. A
convolution is followed by batch normalisation with a shift alone, ReLU, and dropout, here once for all branches of a
layer, which drops the same. A widener concatenates a 2x2 max-pool and a 3x3 convolution with stride 2, bias and ReLU,
of the stem's channels, doubled at every widener after the first.

Addresses are those of `Macro.addresses`, and stay what they are while a network grows. A branch of "stage0/cell1" is
"stage0/cell1/3x3" or "stage0/cell1/3x3-a" if that is its name, and "stage0/cell1/Branch2-3x3" where its name does not
say its op; a skip is "stage0/cell1/from-stem". What halves a cell's output has the address of the first to read it:
"widen0/half1/stage0-cell1-dropout".
"""

from amla.spec import ops
from amla.spec.architecture import NodeId
from amla.spec.legacy.nodes import Nodes, dashed
from amla.spec.macro import Layer, Macro, Widener
from amla.spec.values import SpecError

DROPOUT = 0.2  # after every branch
SKIP_START, SKIP_SPREAD = 0.5, 0.01  # of the numbers that skips are multiplied with


def build_macro(nodes: Nodes, macro: Macro, stem: NodeId, width: int, dropout: float = DROPOUT) -> tuple[NodeId, ...]:
    """Write a network down after its stem, and return the output of every cell, cell 0 being the stem.

    `width` is the channels of the first widener's convolution. Raises SpecError for a layer with fewer channels than
    branches, and for resolutions that do not meet.
    """
    outputs, width_now = [stem], width
    for place, (item, name) in enumerate(zip(macro.items, macro.addresses[1:], strict=True)):
        source = _joined(nodes, macro, place, outputs)
        match item:
            case Widener():
                outputs.append(_widened(nodes, name, source, width_now))
                width_now *= 2
            case Layer() as layer:
                outputs.append(_layer(nodes, name, source, layer, dropout))
    return tuple(outputs)


def branch_id(cell: NodeId, name: str, op: str) -> NodeId:
    """Return the address of a branch: where its statistics are read."""
    says_op = name == op or name.startswith(f"{op}-")
    return f"{cell}/{name}" if says_op else f"{cell}/{name}-{op}"


def skip_id(cell: NodeId, source: NodeId) -> NodeId:
    """Return the address of a skip's learned number, from one cell to another."""
    return f"{cell}/from-{dashed(source)}"


def _joined(nodes: Nodes, macro: Macro, place: int, outputs: list[NodeId]) -> NodeId:
    """Return what an item reads: the cell before, or its 1x1 convolution together with the skips."""
    before, sources = outputs[-1], macro.sources(place)
    if sources is None:
        return before
    extents, name = nodes.shapes[before][1:], macro.addresses[place + 1]
    skips = []
    for cell in sources:
        pooled = nodes.halved(outputs[cell], extents, name.partition("/")[0])  # the stage that reads it
        skips.append(nodes.add(skip_id(name, macro.addresses[cell]), ops.Scale(SKIP_START, SKIP_SPREAD), pooled))
    together = nodes.add(f"{name}/in", ops.Merge("concat"), before, *skips) if skips else before
    return nodes.convolved(f"{name}/join", together, ops.Conv(nodes.channels(before), (1, 1), bias=True))


def _layer(nodes: Nodes, name: NodeId, source: NodeId, layer: Layer, dropout: float) -> NodeId:
    share = layer.outputs // len(layer.filters)
    if not share:
        raise SpecError(f"{name!r} has {layer.outputs} channels for {len(layer.filters)} branches; each needs one.")
    ends = []
    for branch, op in layer.filters:
        kernel, separable = (int(op[0]), int(op[2])), op.endswith("sep")
        ends.append(nodes.branch(branch_id(name, branch, op), source, share, kernel, separable=separable))
    nodes.add(name, ops.Merge("concat"), *ends)
    return nodes.add(f"{name}/dropout", ops.Dropout(dropout), name) if dropout else name


def _widened(nodes: Nodes, name: NodeId, source: NodeId, width: int) -> NodeId:
    extents = tuple(-(-extent // 2) for extent in nodes.shapes[source][1:])
    pool = nodes.halved(source, extents, name)
    conv = nodes.convolved(f"{name}/wide", source, ops.Conv(width, (3, 3), (2, 2), bias=True))
    return nodes.add(name, ops.Merge("concat"), pool, conv)
