"""The pieces of a network that are computed in one pass: a table of rewrites, each from a node to the step around it.

A pass computes what its nodes would compute apart, and the same gradients, up to rounding; weights stay those of the
nodes' modules. Leaving one rewrite out makes a step of the EnvelopeNet that the search of 2018 began with, at a batch
of 50, so many times as long (EPYC of 2023, one thread, medians of 9 rounds, +- 0.02): depthwise_together 1.33,
normalised_branches 1.10, thin_convolution 1.09, response 1.07, scaled_convolution 1.03; all of them 1.63. Dropout is
there so that it drops the same in a pass and alone.
"""

from collections.abc import Sequence
from typing import cast

from amla.backends.torch.dropping import SeededDropout
from amla.backends.torch.fusing.passes import (
    Depthwise,
    Dropped,
    Normalised,
    Responded,
    ScaledConvolution,
    Seeded,
    Thin,
)
from amla.backends.torch.fusing.program import Graph, Rewrite, Step
from amla.backends.torch.layers import (
    BatchNormalisation,
    Convolution,
    ResponseNormalisation,
    Scaling,
)
from amla.spec import ops
from amla.spec.architecture import Node, NodeId

KERNELS = (3, 5, 7)  # of depthwise convolutions, that the native ones know
THIN, VECTOR = (3, 5), 16  # of convolutions to few channels; PyTorch computes so many at once, idle or not
POWERS = (0.5, 0.75, 1)  # of response normalisation
_RELU = ops.Activation("relu")


def depthwise_together(graph: Graph, node: Node) -> Step | None:
    """Compute all depthwise convolutions of one input together: it is read once, and its gradient summed at once."""
    readers = (graph.architecture[reader] for reader in dict.fromkeys(graph.architecture.readers[node.id]))
    found = tuple(reader.id for reader in readers if _is_plain_depthwise(reader))
    if not found:
        return None
    modules = tuple(cast(Convolution, graph.modules[node_id]) for node_id in found)
    return Step(Depthwise(modules), (node.id,), found, frozenset(found))


def normalised_branches(graph: Graph, node: Node) -> Step | None:
    """Write the normalised branches of a concatenation straight into it, all with ReLU or all without; then dropout."""
    if not _is_merge(node, "concat") or len(node.inputs) < 2 or not all(graph.reader(end) for end in node.inputs):
        return None
    chains = [_normalisation(graph, end) for end in node.inputs]
    found = [chain for chain in chains if chain is not None]
    if len(found) < len(chains) or len({len(chain) for chain in found}) > 1:
        return None
    return _normalised(graph, found, node)


def scaled_convolution(graph: Graph, node: Node) -> Step | None:
    """Convolve a concatenation of scaled inputs by a kernel whose channels are scaled instead."""
    if not isinstance(node.op, ops.Conv) or node.op.groups > 1:
        return None
    concat = graph.architecture[node.inputs[0]]
    if not _is_merge(concat, "concat") or not graph.reader(concat.id):
        return None
    reads, scales, hidden = _scaled(graph, concat)
    if not hidden:
        return None
    channels = tuple(graph.shapes[source][0] for source in reads)
    compute = ScaledConvolution(cast(Convolution, graph.modules[node.id]), scales, channels, concat.inputs, concat.id)
    covers, slices = frozenset((*hidden, concat.id, node.id)), _slices(graph, concat.inputs, concat)
    tells = {node_id: channels for node_id, channels in slices.items() if node_id in covers}
    return Step(compute, reads, (node.id,), covers, compute.show, compute.tell, tells)


def thin_convolution(graph: Graph, node: Node) -> Step | None:
    """Convolve to few channels by kernels that leave no part of a vector idle."""
    match node.op:
        case ops.Conv(channels=int(channels), kernel=(height, width)) if height == width and height in THIN:
            idle = -channels % VECTOR
            if 4 * idle < channels + idle or node.op != ops.Conv(channels, (height, width)):
                return None
            module = cast(Convolution, graph.modules[node.id])
            return Step(Thin(module), node.inputs, (node.id,), frozenset((node.id,)))
        case _:
            return None


def response(graph: Graph, node: Node) -> Step | None:
    """Compute local response normalisation without its intermediate results."""
    if not isinstance(node.op, ops.ResponseNorm) or node.op.beta not in POWERS:
        return None
    module = cast(ResponseNormalisation, graph.modules[node.id])
    return Step(Responded(module, node.op.radius), node.inputs, (node.id,), frozenset((node.id,)))


def dropout(graph: Graph, node: Node) -> Step | None:
    """Drop as passes do: places are hashed, so that no random numbers are drawn, or kept for the gradient."""
    if not isinstance(node.op, ops.Dropout):
        return None
    return Step(Dropped(_seeded(graph, node)), node.inputs, (node.id,), frozenset((node.id,)))


REWRITES: tuple[Rewrite, ...] = (
    depthwise_together,
    normalised_branches,
    scaled_convolution,
    thin_convolution,
    response,
    dropout,
)

# Where a batch is shared among processes, its moments are not known within one pass.
UNNORMALISED = tuple(rewrite for rewrite in REWRITES if rewrite is not normalised_branches)


def _is_plain_depthwise(node: Node) -> bool:
    """Whether a node is a depthwise convolution without stride, dilation, multiplier or bias that keeps the size."""
    match node.op:
        case ops.Depthwise(kernel=(height, width)):
            return height == width and height in KERNELS and node.op == ops.Depthwise((height, width))
        case _:
            return False


def _is_merge(node: Node, how: str) -> bool:
    return isinstance(node.op, ops.Merge) and node.op.how == how


def _normalisation(graph: Graph, end: NodeId) -> tuple[Node, ...] | None:
    """Return the normalisation that ends here, and the ReLU if it ends with one."""
    node = graph.architecture[end]
    if isinstance(node.op, ops.BatchNorm):
        return (node,)
    if node.op == _RELU and graph.reader(node.inputs[0]):
        before = graph.architecture[node.inputs[0]]
        if isinstance(before.op, ops.BatchNorm):
            return (before, node)
    return None


def _normalised(graph: Graph, chains: Sequence[tuple[Node, ...]], node: Node) -> Step:
    """Return the pass over normalisations whose concatenation is `node`, and the dropout that alone reads that."""
    reader = graph.reader(node.id)
    seeded = _seeded(graph, reader) if reader and isinstance(reader.op, ops.Dropout) else None
    norms = tuple(cast(BatchNormalisation, graph.modules[chain[0].id]) for chain in chains)
    branches = tuple(tuple(link.id for link in chain) for chain in chains)
    compute = Normalised(norms, branches, node.id, seeded)
    written = seeded.node_id if seeded else node.id
    covers = frozenset((*(node_id for branch in branches for node_id in branch), node.id, written))
    reads = tuple(chain[0].inputs[0] for chain in chains)
    tells = _slices(graph, [branch[-1] for branch in branches], node)
    return Step(compute, reads, (written,), covers, compute.show, compute.tell, tells)


def _slices(graph: Graph, parts: Sequence[NodeId], whole: Node) -> dict[NodeId, slice]:
    """Return which channels of a concatenation each of its parts has, and those of all."""
    slices, start = {}, 0
    for part in parts:
        slices[part] = slice(start, start + graph.shapes[part][0])
        start = slices[part].stop
    return slices | {whole.id: slice(0, start)}


def _scaled(graph: Graph, merge: Node) -> tuple[tuple[NodeId, ...], tuple[Scaling | None, ...], tuple[NodeId, ...]]:
    """Return what a merge reads without the scales before it; those scales; and their nodes."""
    sources = [graph.architecture[source] for source in merge.inputs]
    scaled = [isinstance(source.op, ops.Scale) and graph.reader(source.id) is not None for source in sources]
    reads = tuple(s.inputs[0] if is_scaled else s.id for s, is_scaled in zip(sources, scaled, strict=True))
    scales = tuple(
        cast(Scaling, graph.modules[s.id]) if is_scaled else None for s, is_scaled in zip(sources, scaled, strict=True)
    )
    return reads, scales, tuple(s.id for s, is_scaled in zip(sources, scaled, strict=True) if is_scaled)


def _seeded(graph: Graph, node: Node) -> Seeded:
    return Seeded(cast(SeededDropout, graph.modules[node.id]), node.id)
