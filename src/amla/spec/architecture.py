"""A network as a value: a directed acyclic graph of named nodes. Open while any node is still a Pick."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Literal

from pydantic import FailFast

from amla.spec.ops import Classify, Input, Merge, Op, Pick, Size
from amla.spec.values import SpecError, listed, value

NodeId = str  # an address such as "stage1/cell2/3x3sep", stable under every edit
_WIRES = attrgetter("id", "inputs")
MOST_SHOWN = 12  # nodes of a cycle in a message
LONGEST = 500  # characters of an id, which becomes a part of names everywhere
_ADDRESS = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


@value
class Node:
    """One operation, its address, and the addresses it reads."""

    id: NodeId
    op: Op
    inputs: Annotated[tuple[NodeId, ...], FailFast()] = ()

    def __post_init__(self) -> None:
        if len(self.id) > LONGEST:
            raise SpecError(f"'{self.id[:40]}...' has {len(self.id):,} characters; a node id has {LONGEST} at most.")
        if not _ADDRESS.fullmatch(self.id):
            raise SpecError(f"{self.id!r} is no node id; use letters, digits, '_', '+', '-', parted by '/'.")
        match self.op:
            case Input():
                fits, rule = not self.inputs, "none"
            case Merge():
                fits, rule = len(self.inputs) >= 1, "1 or more"
            case Pick(at_most=most):
                fits, rule = len(set(self.inputs)) == len(self.inputs) >= most, f"{most} or more, all different"
            case _:
                fits, rule = len(self.inputs) == 1, "exactly 1"
        if not fits:
            raise SpecError(f"{self.id!r} ({self.op.kind}) has inputs {listed(self.inputs)}; it takes {rule}.")


@value
class Architecture:
    """A network: nodes in an order in which each reads only earlier ones; the last one is the output."""

    nodes: Annotated[tuple[Node, ...], FailFast()]
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        if not self.nodes:
            raise SpecError("An architecture needs at least one node.")
        seen: set[NodeId] = set()
        for node in self.nodes:
            if node.id in seen:
                raise SpecError(f"Two nodes are called {node.id!r}; ids are addresses and must be unique.")
            for source in node.inputs:
                if source not in seen:
                    raise SpecError(_why_missing(self.nodes, node, source))
            seen.add(node.id)
        for head in self.heads:
            if self.readers[head] or head == self.output.id:
                reader = f"{self.readers[head][0]!r} reads it" if self.readers[head] else "it is the last node"
                raise SpecError(
                    f"{head!r} is an auxiliary head, but {reader}; such a head is an end besides the output."
                )

    @classmethod
    def known(cls, nodes: tuple[Node, ...]) -> "Architecture":
        """Return a closed architecture of nodes that are known to keep the rules, unchecked."""
        found = object.__new__(cls)
        found.__dict__.update(nodes=nodes, version=1, picks={})
        return found

    @classmethod
    def again(cls, nodes: tuple[Node, ...]) -> "Architecture":
        """Return an architecture that there was before, of its nodes: unchecked, and with nothing cached."""
        found = object.__new__(cls)
        found.__dict__.update(nodes=nodes, version=1)
        return found

    def __repr__(self) -> str:
        """Return a line about it; all of it is in its text (`amla.spec.text`)."""
        open_ones = f", {len(self.picks)} of them Picks" if self.picks else ""
        return f"<Architecture of {len(self.nodes)} nodes{open_ones}, {self.nodes[0].id!r} to {self.output.id!r}>"

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.nodes, self.version)  # without the caches: a hash is that of one process

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._by_id

    def __getitem__(self, node_id: NodeId) -> Node:
        return self._by_id[node_id]

    @property
    def output(self) -> Node:
        """The node whose value is the network's."""
        return self.nodes[-1]

    @property
    def shape(self) -> Size:
        """The shape of what the network reads, (channels, *spatial); of its first input, if it has several."""
        return next(node.op.shape for node in self.nodes if isinstance(node.op, Input))

    @cached_property
    def picks(self) -> dict[NodeId, Pick]:
        """The undecided merges, by address."""
        return {node.id: node.op for node in self.nodes if isinstance(node.op, Pick)}

    @property
    def is_open(self) -> bool:
        """Whether anything is left to decide."""
        return bool(self.picks)

    @cached_property
    def heads(self) -> dict[NodeId, float]:
        """The auxiliary heads, ends besides the output, by address: the weight that each one's loss has in training."""
        ops = {node.id: node.op for node in self.nodes}
        return {i: op.auxiliary for i, op in ops.items() if isinstance(op, Classify) and op.auxiliary is not None}

    @cached_property
    def trunk(self) -> "Architecture":
        """The network without its auxiliary heads and what serves them alone: all that classifies an example."""
        if not self.heads:
            return self
        served = self.sources(self.heads) - self.sources((self.output.id,))
        nodes = tuple(node for node in self.nodes if node.id not in served)
        return Architecture(nodes) if self.picks else Architecture.known(nodes)

    def sources(self, ends: Iterable[NodeId]) -> set[NodeId]:
        """Return `ends` and all nodes whose values reach them."""
        found = set(ends)
        for node in reversed(self.nodes):
            if node.id in found:
                found.update(node.inputs)
        return found

    @cached_property
    def readers(self) -> dict[NodeId, tuple[NodeId, ...]]:
        """Which nodes read each node, in order; a node that reads another twice is listed twice."""
        readers: dict[NodeId, list[NodeId]] = {node.id: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.inputs:
                readers[source].append(node.id)
        return {node_id: tuple(found) for node_id, found in readers.items()}

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(map(_WIRES, self.nodes)))

    @cached_property
    def _by_id(self) -> dict[NodeId, Node]:
        return {node.id: node for node in self.nodes}


def _why_missing(nodes: tuple[Node, ...], reader: Node, source: NodeId) -> str:
    """Say why `reader` cannot read `source`: it does not exist, the order is wrong, or they form a cycle."""
    inputs = {node.id: node.inputs for node in nodes}
    if source not in inputs:
        return f"Node {reader.id!r} reads {source!r}, which does not exist."
    came: dict[NodeId, NodeId] = {source: reader.id}  # who reads a node, on the way from `reader` to it
    left = [source]
    while left and reader.id not in came:
        here = left.pop()
        nearer = [found for found in inputs.get(here, ()) if found not in came]
        came.update(dict.fromkeys(nearer, here))
        left.extend(nearer)
    if reader.id not in came:
        return f"Node {reader.id!r} reads {source!r}, which is defined after it; list a node after all that it reads."
    cycle = [reader.id]
    while len(cycle) == 1 or cycle[-1] != reader.id:
        cycle.append(came[cycle[-1]])
    shown = cycle if len(cycle) <= MOST_SHOWN else [*cycle[: MOST_SHOWN - 1], "...", cycle[-1]]
    return f"The nodes form a cycle, {' -> '.join(shown)}; a network must be acyclic."
