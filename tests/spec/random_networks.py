"""Random networks for hypothesis: closed, of one, two or three spatial axes, every op, shapes that fit."""

from random import Random

from hypothesis import strategies as st

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import shape
from amla.spec.ops import Op, Size
from amla.spec.values import SpecError

IDS = st.from_regex(r"[A-Za-z0-9_+-]{1,4}(/[A-Za-z0-9_+-]{1,4}){0,2}", fullmatch=True)


def sizes(rank: int, most: int) -> st.SearchStrategy[Size]:
    return st.tuples(*[st.integers(1, most)] * rank)


def windows(rank: int) -> st.SearchStrategy[dict[str, Size]]:
    every = sizes(rank, 3)
    padding = st.sampled_from(["same", "same", "valid"])
    return st.fixed_dictionaries(
        {"kernel": every, "stride": every | st.just(()), "dilation": every | st.just(()), "padding": padding}
    )


@st.composite
def plain_ops(draw: st.DrawFn, source: Size) -> Op:
    """Return an op of one input that fits an input of shape `source`."""
    rank = len(source) - 1
    channelwise: list[Op] = [
        ops.BatchNorm(scale=draw(st.booleans())),
        ops.LayerNorm(),
        ops.ResponseNorm(radius=2),
        ops.Activation(draw(st.sampled_from(["relu", "gelu", "tanh"]))),
        ops.Identity(),
        ops.Zero(),
        ops.Scale(draw(st.floats(-1, 1)), 0.25),
        ops.Dropout(0.5),
        ops.DropPath(0.5),
        ops.Flatten(),
    ]
    if not rank:
        return draw(st.sampled_from([*channelwise, ops.Dense(3), ops.Classify(4, bias=False)]))
    window, groups = draw(windows(rank)), draw(st.sampled_from([g for g in (1, 2, 3) if source[0] % g == 0]))
    try:
        shape(ops.Pool("max", **window), source)
    except SpecError:  # larger than the input
        window |= {"padding": "same"}
    return draw(
        st.sampled_from(
            [
                *channelwise,
                ops.Conv(draw(st.integers(1, 3)) * groups, **window, groups=groups, bias=draw(st.booleans())),
                ops.Depthwise(**window, multiplier=draw(st.integers(1, 2))),
                ops.Pool(draw(st.sampled_from(["max", "mean"])), **window),
                ops.GlobalPool("max"),
            ]
        )
    )


@st.composite
def networks(draw: st.DrawFn, *, rank: int | None = None, most: int = 9) -> Architecture:
    """Return a network of up to `most` nodes."""
    rank = draw(st.integers(1, 3)) if rank is None else rank
    ids = draw(st.lists(IDS, min_size=2, max_size=most, unique=True))
    nodes = [Node(ids[0], ops.Input((draw(st.integers(1, 4)), *draw(sizes(rank, 5)))))]
    found = {ids[0]: nodes[0].op.shape}
    for node_id in ids[1:]:
        sources = draw(st.lists(st.sampled_from(list(found)), min_size=1, max_size=3))
        op: Op = ops.Merge(draw(st.sampled_from(["add", "concat"])))
        try:
            found[node_id] = shape(op, *(found[source] for source in sources))
        except SpecError:  # they do not fit together: read the first alone
            del sources[1:]
        if len(sources) == 1:
            op = draw(plain_ops(found[sources[0]]))
            found[node_id] = shape(op, found[sources[0]])
        nodes.append(Node(node_id, op, tuple(sources)))
    return Architecture(tuple(nodes))


def same_network(architecture: Architecture, randoms: Random) -> Architecture:
    """Return the network under other names, in another order, with summands in another order."""
    inner, output = list(architecture.nodes[:-1]), architecture.output
    names = [f"n{number}" for number in range(len(architecture))]
    randoms.shuffle(names)
    name = dict(zip((node.id for node in architecture), names, strict=True))
    placed: list[Node] = []
    while inner:
        done = {node.id for node in placed}
        node = randoms.choice([node for node in inner if done.issuperset(node.inputs)])
        inner.remove(node)
        placed.append(node)
    return Architecture(tuple(_renamed(node, name, randoms) for node in (*placed, output)))


def _renamed(node: Node, name: dict[str, str], randoms: Random) -> Node:
    inputs = [name[source] for source in node.inputs]
    if node.op == ops.Merge("add"):
        randoms.shuffle(inputs)
    return Node(name[node.id], node.op, tuple(inputs))
