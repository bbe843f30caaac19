"""Closing one template many times: what follows from a single decision is worked out once."""

from collections.abc import Mapping
from itertools import compress

from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.decisions import Decisions, decided
from amla.spec.ops import Conv, Pick

Nodes = int  # a set of nodes: bit n stands for the nth of the template
MOST = 2**16  # decisions of which the consequences are kept
_BITS = bytes.maketrans(b"01", b"\0\1")


def bits(nodes: Nodes) -> bytes:
    """Return a set of nodes as a 0 or a 1 for each, up to the last 1."""
    return format(nodes, "b").encode().translate(_BITS)[::-1]


def is_plain(template: Architecture) -> bool:
    """Whether `Closing` can close a template: no channels are shares of a Pick, and none serves a head alone.

    Each node is then the same in all closings, but for the Picks.
    """
    if any(isinstance(node.op, Conv) and node.op.channels is None for node in template):
        return False
    return serving(template).isdisjoint(template.picks)


def serving(template: Architecture) -> set[NodeId]:
    """Return the auxiliary heads, and the nodes that serve them alone."""
    return template.sources(template.heads) - template.sources((template.output.id,))


class Closing:
    """Closes a plain `template` as `amla.spec.decisions.close` does, in a tenth of the time.

    Picks in `tied` decide as the Pick that they are tied to: they keep inputs at the same places.
    """

    def __init__(self, template: Architecture, tied: Mapping[NodeId, NodeId]) -> None:
        self.template, self._tied = template, tied
        self._place = {node.id: number for number, node in enumerate(template)}
        self._sure: list[Nodes] = []  # what lives wherever a node lives, as far as the next Picks
        for number, node in enumerate(template):
            self._sure.append(1 << number | self._behind(() if isinstance(node.op, Pick) else node.inputs))
        self._picks = [(self._place[pick], pick) for pick in reversed(template.picks)]
        alone = sum(1 << self._place[node_id] for node_id in serving(template))
        sure = [self._sure[self._place[head]] for head in template.heads]
        self._heads = [(nodes & ~alone, nodes) for nodes in sure]  # what a head needs, and what comes with it
        self._known: dict[tuple[NodeId, tuple[NodeId, ...] | None], tuple[Node, Nodes]] = {}

    def close(self, decisions: Decisions) -> tuple[Architecture, list[NodeId]]:
        """Return the closed architecture, and the Picks that live in it. Raises SpecError as `close` does."""
        wanted, merges = self.reached(decisions)
        nodes = list(self.template.nodes)
        for number, merge in merges.items():
            nodes[number] = merge
        for needed, head in self._heads:
            if needed & wanted == needed:
                wanted |= head
        return Architecture.known(tuple(compress(nodes, bits(wanted)))), [merge.id for merge in merges.values()]

    def reached(self, decisions: Decisions) -> tuple[Nodes, dict[int, Node]]:
        """Return what reaches the output, and what the Picks among that become, by their places. Raises SpecError."""
        wanted, merges = self._sure[-1], dict[int, Node]()
        for number, pick in self._picks:
            if wanted >> number & 1:
                merges[number], behind = self._decided(pick, decisions)
                wanted |= behind
        return wanted, merges

    def _decided(self, pick: NodeId, decisions: Decisions) -> tuple[Node, Nodes]:
        """Return the merge that a Pick becomes, and what lives through it."""
        original = self._tied.get(pick, pick)
        key = (pick, decisions.get(original))
        if key not in self._known:
            if len(self._known) >= MOST:
                self._known.clear()
            node, mine = self.template[original], self.template[pick].inputs
            merge = decided(node, decisions)
            if pick != original:
                places = dict(zip(node.inputs, mine, strict=True))
                merge = Node(pick, merge.op, tuple(places[source] for source in merge.inputs))
            self._known[key] = merge, self._behind(merge.inputs)
        return self._known[key]

    def _behind(self, sources: tuple[NodeId, ...]) -> Nodes:
        nodes = 0
        for source in sources:
            nodes |= self._sure[self._place[source]]
        return nodes
