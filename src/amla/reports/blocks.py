"""A network as it is drawn: chains of nodes folded into blocks, learned skips turned into tracks.

"stage0/cell1/3x3/conv" and "stage0/cell1/3x3/norm" only serve "stage0/cell1/3x3", so the three are one block. A Scale
node between its source and a merge is a track, a property of the link. A merge of one input after another merge
says nothing and is passed through.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.ops import Op

Kind = Literal["input", "conv", "separable", "pool", "linear", "identity", "other", "add", "concat", "pick"]
MARKS = ("add", "concat", "pick")  # kinds drawn as a dot or a bar rather than as a box
_TAILS = (ops.Dropout, ops.DropPath, ops.Identity, ops.Activation, ops.BatchNorm, ops.LayerNorm)


@dataclass(frozen=True)
class Block:
    """Nodes that are drawn as one, in the order in which they compute; `id` is the address that stands for them."""

    id: NodeId
    nodes: tuple[NodeId, ...]
    ops: tuple[Op, ...]

    @cached_property
    def kind(self) -> Kind:
        """What it is, as far as its colour and shape go."""
        first = self.ops[0]
        if isinstance(first, ops.Pick | ops.Merge):
            return "pick" if isinstance(first, ops.Pick) else first.how
        found = {op.kind for op in self.ops}
        return next((kind for kind, kinds in _KINDS if found & kinds), "other")

    @property
    def is_mark(self) -> bool:
        """Whether it only joins what it reads."""
        return self.kind in MARKS

    @property
    def label(self) -> str:
        """The last step of the address; of an undecided merge, how many of its inputs may stay."""
        if isinstance(first := self.ops[0], ops.Pick):
            return f"any {first.at_least}" + (f"–{first.at_most}" if first.at_most > first.at_least else "")
        return self.id.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Link:
    """That one block reads another; through the Scale node `scale`, if it is a learned skip."""

    source: NodeId
    target: NodeId
    scale: NodeId | None = None


@dataclass(frozen=True)
class Folded:
    """A network's blocks by address, in an order in which each reads only earlier ones, and their links."""

    blocks: dict[NodeId, Block]
    links: tuple[Link, ...]

    @property
    def tracks(self) -> dict[NodeId, Link]:
        """The links through a Scale node, by its address."""
        return {link.scale: link for link in self.links if link.scale}


def fold(architecture: Architecture, junctions: Iterable[NodeId] = ()) -> Folded:
    """Return `architecture` as blocks and links; the merges in `junctions` are kept even if they read one block."""
    chains, kept = _with_tails(architecture, _chains(architecture)), set(junctions)
    last_of = {node_id: last for last, chain in chains.items() for node_id in chain}
    tracks = {last for last, chain in chains.items() if len(chain) == 1 and _is_track(architecture, last)}
    shown: dict[NodeId, NodeId] = {}  # by which block each chain is shown
    blocks: dict[NodeId, Block] = {}
    links: dict[Link, None] = {}
    for last, chain in chains.items():
        if last in tracks:
            continue
        address, found = _address(chain), list[Link]()
        for source in architecture[chain[0]].inputs:
            if source in tracks:
                found.append(Link(shown[last_of[architecture[source].inputs[0]]], address, source))
            else:
                found.append(Link(shown[last_of[source]], address))
        block = Block(address, chain, tuple(architecture[node_id].op for node_id in chain))
        if last not in kept and _says_nothing(block, found) and blocks[found[0].source].is_mark:
            shown[last] = found[0].source
            continue
        shown[last], blocks[address] = address, block
        links |= dict.fromkeys(found)
    return Folded(blocks, tuple(links))


def junctions(architectures: Iterable[Architecture]) -> set[NodeId]:
    """Return the merges that join two inputs or more in any of `architectures`."""
    return {node.id for network in architectures for node in network if len(node.inputs) > 1}


def describe(op: Op) -> str:
    """Return what `op` does, in a few words."""
    match op:
        case ops.Input():
            return "input"
        case ops.Conv(channels=channels, kernel=kernel, groups=groups):
            width = "its share of the channels" if channels is None else f"{channels} channels"
            grouped = f" in {groups} groups" if groups > 1 else ""
            return f"{_times(kernel)} convolution{_strided(op)} to {width}{grouped}"
        case ops.Depthwise(kernel=kernel):
            return f"{_times(kernel)} depthwise convolution{_strided(op)}"
        case ops.Pool(reduce=reduce, kernel=kernel):
            return f"{_times(kernel)} {reduce} pooling{_strided(op)}"
        case ops.GlobalPool(reduce=reduce):
            return f"{reduce} over all positions"
        case ops.Dense(units=units):
            return f"linear layer to {units} units"
        case ops.Classify(classes=classes, auxiliary=weight):
            apart = "" if weight is None else f", an auxiliary head whose loss counts {weight:g}"
            return f"linear layer to {classes} classes{apart}"
        case ops.Activation(function=function):
            return function
        case ops.Dropout(rate=rate):
            return f"dropout {rate:g}"
        case ops.DropPath(rate=rate):
            return f"drop path up to {rate:g}"
        case ops.Merge(how=how):
            return "sum" if how == "add" else "concatenation"
        case ops.Pick(at_least=least, at_most=most, how=how):
            count = str(most) if least == most else f"{least} to {most}"
            return f"undecided: {'sum' if how == 'add' else 'concatenation'} of {count} of its inputs"
        case _:
            return op.kind.replace("_", " ")


def _chains(architecture: Architecture) -> dict[NodeId, tuple[NodeId, ...]]:
    """Return the nodes that only serve another one, by its address: single-entry chains under it that feed it."""
    taken: set[NodeId] = set()
    chains: dict[NodeId, tuple[NodeId, ...]] = {}
    for node in reversed(architecture.nodes):
        if node.id in taken:
            continue
        chain = [node]
        if not isinstance(node.op, ops.Merge | ops.Pick):
            while len(chain[-1].inputs) == 1 and _serves(architecture, chain[-1], node.id):
                chain.append(architecture[chain[-1].inputs[0]])
        taken.update(member.id for member in chain)
        chains[node.id] = tuple(member.id for member in reversed(chain))
    return dict(reversed(chains.items()))


def _serves(architecture: Architecture, reader: Node, owner: NodeId) -> bool:
    source = architecture[reader.inputs[0]]
    only = architecture.readers[source.id] == (reader.id,)
    return only and source.id.startswith(f"{owner}/") and not isinstance(source.op, ops.Merge | ops.Pick | ops.Input)


def _with_tails(
    architecture: Architecture, chains: dict[NodeId, tuple[NodeId, ...]]
) -> dict[NodeId, tuple[NodeId, ...]]:
    """Return `chains` by their last node, with "head/dropout" and the like put behind the "head" they read."""
    tailed: dict[NodeId, tuple[NodeId, ...]] = {}
    for last, chain in chains.items():
        source = next(iter(architecture[chain[0]].inputs), "")
        follows = source in tailed and architecture.readers[source] == (chain[0],)
        if follows and chain[0].startswith(f"{_address(tailed[source])}/") and _is_tail(architecture, chain):
            tailed[last] = (*tailed.pop(source), *chain)
        else:
            tailed[last] = chain
    return tailed


def _is_tail(architecture: Architecture, chain: tuple[NodeId, ...]) -> bool:
    return all(isinstance(architecture[node_id].op, _TAILS) for node_id in chain)


def _address(chain: tuple[NodeId, ...]) -> NodeId:
    """Return the shortest address of a chain, under which all others lie."""
    return min(chain, key=len)


def _is_track(architecture: Architecture, node_id: NodeId) -> bool:
    readers = architecture.readers[node_id]
    joins = len(readers) == 1 and isinstance(architecture[readers[0]].op, ops.Merge | ops.Pick)
    return joins and isinstance(architecture[node_id].op, ops.Scale)


def _says_nothing(block: Block, links: list[Link]) -> bool:
    """Return whether a block only hands on the one that it reads."""
    return len(block.nodes) == len(links) == 1 and links[0].scale is None and isinstance(block.ops[0], ops.Merge)


_KINDS: tuple[tuple[Kind, set[str]], ...] = (  # the first that a block holds says what it is
    ("input", {"input"}),
    ("separable", {"depthwise"}),
    ("conv", {"conv"}),
    ("linear", {"dense", "classify"}),
    ("pool", {"pool", "global_pool"}),
    ("identity", {"identity", "zero", "scale"}),
)


def _times(kernel: ops.Size) -> str:
    return "×".join(map(str, kernel))


def _strided(op: ops.Conv | ops.Depthwise | ops.Pool) -> str:
    stride = "" if set(op.stride) <= {1} else f", stride {_times(op.stride)}"
    return stride if op.padding == "same" else f"{stride}, unpadded"
