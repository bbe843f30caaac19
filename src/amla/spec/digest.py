"""One digest for all isomorphic networks: names, the order of nodes and of summands make no difference.

Nodes are coloured by what they compute, from what, and for whom, until the colouring stands still (Weisfeiler and
Leman's refinement). Where nodes stay that it cannot tell apart, each is tried as the first, but for those that only
mirror one tried before, and the smallest text wins (individualisation-refinement, as in McKay and Piperno 2014). The
order of a concatenation is ignored where its readers cannot tell, that is where every path from it ends in a
convolution or linear layer that mixes all channels.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple
from hashlib import blake2b

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId

Colours = dict[NodeId, str]
MAX_LEAVES = 256  # more automorphism-free ties than any network has that was not made to have them


def digest(architecture: Architecture) -> str:
    """Return 32 hexadecimal digits, the same for two architectures exactly if they are isomorphic.

    A graph built to defeat the search for a canonical order (more than 256 orders to try) gets a digest of its own
    names: it may then differ from an isomorphic one, but never equals that of a different network.
    """
    unordered = _unordered(architecture)
    start = {
        node.id: _hash(repr(node is architecture.output), type(node.op).__name__, *map(repr, astuple(node.op)))
        for node in architecture
    }
    smallest = None
    for leaves, colours in enumerate(_leaves(architecture, unordered, _refined(architecture, unordered, start))):
        if leaves == MAX_LEAVES:
            return _hash("by name", *map(repr, architecture))[:32]
        text = _text(architecture, unordered, colours)
        smallest = text if smallest is None else min(smallest, text)
    return _hash(smallest or "")[:32]


def _leaves(architecture: Architecture, unordered: set[NodeId], colours: Colours) -> Iterator[Colours]:
    """Yield colourings that tell all nodes apart, trying each node of the first tie as the first of it."""
    tie = _first_tie(architecture, colours)
    if not tie:
        yield colours
        return
    tried: list[Colours] = []
    for node_id in tie:
        first = _refined(architecture, unordered, {**colours, node_id: _hash("first", colours[node_id])})
        if not any(_mirrors(architecture, unordered, first, other) for other in tried):
            tried.append(first)
            yield from _leaves(architecture, unordered, first)


def _mirrors(architecture: Architecture, unordered: set[NodeId], ours: Colours, theirs: Colours) -> bool:
    """Return whether exchanging nodes turns one colouring into the other, so that both lead to the same texts.

    The exchange is built from the input on, without ever going back: what it finds is right, but it may miss one.
    """
    free: dict[tuple[str, tuple[NodeId, ...]], list[NodeId]] = defaultdict(list)
    for node in architecture:
        free[theirs[node.id], _wires(node.inputs, node.id in unordered)].append(node.id)
    image: dict[NodeId, NodeId] = {}
    for node in architecture:
        inputs = tuple(image[source] for source in node.inputs)
        candidates = free[ours[node.id], _wires(inputs, node.id in unordered)]
        if not candidates:
            return False
        image[node.id] = node.id if node.id in candidates else candidates[0]
        candidates.remove(image[node.id])
    return True


def _wires(inputs: tuple[NodeId, ...], any_order: bool) -> tuple[NodeId, ...]:
    return tuple(sorted(inputs)) if any_order else inputs


def _first_tie(architecture: Architecture, colours: Colours) -> list[NodeId]:
    """Return the nodes of the smallest colour shared by several; of nodes with the same neighbours, only one."""
    alike: dict[str, list[NodeId]] = defaultdict(list)
    for node_id, colour in colours.items():
        alike[colour].append(node_id)
    tied = min((colour for colour, members in alike.items() if len(members) > 1), default=None)
    if tied is None:
        return []
    twins = {(architecture[i].inputs, architecture.readers[i]): i for i in alike[tied]}
    return list(twins.values())


def _refined(architecture: Architecture, unordered: set[NodeId], colours: Colours) -> Colours:
    """Return the colours once each node's tells all that the colours around it can tell."""
    count = len(set(colours.values()))
    while True:
        colours = _downward(architecture, unordered, _upward(architecture, unordered, colours))
        if len(set(colours.values())) == count:
            return colours
        count = len(set(colours.values()))


def _upward(architecture: Architecture, unordered: set[NodeId], colours: Colours) -> Colours:
    """Mix into each colour those of the inputs, which are mixed already."""
    mixed: Colours = {}
    for node in architecture:
        sources = [mixed[source] for source in node.inputs]
        mixed[node.id] = _hash(colours[node.id], *(sorted(sources) if node.id in unordered else sources))
    return mixed


def _downward(architecture: Architecture, unordered: set[NodeId], colours: Colours) -> Colours:
    """Mix into each colour those of the readers, and the place at which they read."""
    uses: dict[NodeId, list[str]] = defaultdict(list)
    mixed: Colours = {}
    for node in reversed(architecture.nodes):
        mixed[node.id] = _hash(colours[node.id], *sorted(uses[node.id]))
        for place, source in enumerate(node.inputs):
            uses[source].append(_hash(mixed[node.id], "" if node.id in unordered else str(place)))
    return mixed


def _text(architecture: Architecture, unordered: set[NodeId], colours: Colours) -> str:
    """Return the network with nodes numbered by colour, which says everything but the names."""
    number = {node_id: place for place, node_id in enumerate(sorted(colours, key=lambda i: colours[i]))}
    lines = []
    for node_id in number:
        node = architecture[node_id]
        inputs = [number[source] for source in node.inputs]
        lines.append(repr((node.op, sorted(inputs) if node_id in unordered else inputs)))
    return "\n".join([*lines, str(number[architecture.output.id])])


def _unordered(architecture: Architecture) -> set[NodeId]:
    """Return the merges whose order of inputs makes no difference to what the network can compute."""
    absorbed: dict[NodeId, bool] = {}
    for node in reversed(architecture.nodes):
        readers = [architecture[reader] for reader in architecture.readers[node.id]]
        absorbed[node.id] = bool(readers) and all(_absorbs(reader, absorbed) for reader in readers)
    return {
        node.id
        for node in architecture
        if isinstance(node.op, ops.Merge | ops.Pick)
        and (node.op.how == "add" or absorbed[node.id])
        and not (isinstance(node.op, ops.Pick) and (node.op.fixed or node.op.width))  # these favour their first inputs
    }


def _absorbs(reader: Node, absorbed: dict[NodeId, bool]) -> bool:
    """Return whether a permutation of the channels that `reader` reads makes no difference after it."""
    match reader.op:
        case ops.Conv(groups=1) | ops.Dense() | ops.Classify():
            return True
        case ops.Merge(how="concat"):
            return absorbed[reader.id]
        case ops.GlobalPool() | ops.Flatten():
            return absorbed[reader.id]
        case op if isinstance(op, ops.Channelwise):
            return absorbed[reader.id]
        case _:
            return False


def _hash(*parts: str) -> str:
    return blake2b("\x1f".join(parts).encode(), digest_size=20).hexdigest()
