"""Small open architectures, for what trains them."""

from collections.abc import Mapping

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId

CHOICES = ("none", "skip", "conv", "pool")


def cells(
    shape: tuple[int, ...] = (3, 8, 8), classes: int = 4, width: int = 4, count: int = 2, nodes: int = 3
) -> Architecture:
    """Return cells as those of NAS-Bench-201: every edge between two of their nodes keeps one of four operations."""
    found = [Node("x", ops.Input(shape)), Node("stem/conv", ops.Conv(width, (3, 3)), ("x",))]
    found.append(Node("stem", ops.BatchNorm(), ("stem/conv",)))
    before = "stem"
    for cell in range(count):
        states = [before]
        for number in range(1, nodes):
            edges = []
            for source, state in enumerate(states):
                edges.append(f"cell{cell}/{source}-{number}")
                found += edge(edges[-1], state, width)
            found.append(Node(f"cell{cell}/{number}", ops.Merge("add"), tuple(edges)))
            states.append(found[-1].id)
        before = states[-1]
    found += [Node("head", ops.GlobalPool(), (before,)), Node("logits", ops.Classify(classes), ("head",))]
    return Architecture(tuple(found))


def edge(address: NodeId, source: NodeId, width: int) -> list[Node]:
    return [
        Node(f"{address}/none", ops.Zero(), (source,)),
        Node(f"{address}/skip", ops.Identity(), (source,)),
        Node(f"{address}/relu", ops.Activation(), (source,)),
        Node(f"{address}/kernel", ops.Conv(width, (3, 3)), (f"{address}/relu",)),
        Node(f"{address}/conv", ops.BatchNorm(), (f"{address}/kernel",)),
        Node(f"{address}/pool", ops.Pool("mean", (3, 3)), (source,)),
        Node(address, ops.Pick(), tuple(f"{address}/{choice}" for choice in CHOICES)),
    ]


def ties(template: Architecture) -> Mapping[NodeId, NodeId]:
    """Return which Picks of later cells decide as those of the first."""
    return {pick: "cell0/" + pick.split("/", 1)[1] for pick in template.picks if not pick.startswith("cell0/")}


def several() -> Architecture:
    """Return a network with Picks of every kind: of two, of one to three, of a concatenation, with one always kept."""
    nodes = [Node("x", ops.Input((3, 8, 8))), Node("stem", ops.Conv(4, (3, 3)), ("x",))]
    for number in range(3):
        nodes.append(Node(f"a{number}", ops.Conv(4, (1, 1)), ("stem",)))
        nodes.append(Node(f"b{number}", ops.BatchNorm(), (f"a{number}",)))
    nodes.append(Node("two", ops.Pick(2, 2), ("b0", "b1", "b2")))
    nodes += [Node(f"c{number}", ops.Conv(3, (3, 3), bias=True), ("two",)) for number in range(3)]
    nodes.append(Node("some", ops.Pick(1, 3, fixed=1), ("c0", "c1", "c2")))
    for number in range(3):
        nodes.append(Node(f"d{number}", ops.Conv(2, (1, 1)), ("some",)))
        nodes.append(Node(f"e{number}", ops.Activation(), (f"d{number}",)))
    nodes.append(Node("row", ops.Pick(1, 2, "concat"), ("e0", "e1", "e2")))
    nodes += [
        Node("after", ops.Conv(4, (3, 3)), ("row",)),
        Node("norm", ops.BatchNorm(), ("after",)),
        Node("aux/pool", ops.GlobalPool(), ("two",)),
        Node("aux", ops.Classify(4, auxiliary=0.4), ("aux/pool",)),
        Node("head", ops.GlobalPool("max"), ("norm",)),
        Node("logits", ops.Classify(4), ("head",)),
    ]
    return Architecture(tuple(nodes))
