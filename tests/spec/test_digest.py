import random
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import networks, same_network

from amla.spec import digest as digests
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.digest import digest
from amla.spec.ops import Op

randoms = st.randoms(use_true_random=False)
CONV = ops.Conv(4, (3, 3))
MIX = ops.Conv(4, (1, 1))
ADD, CONCAT = ops.Merge("add"), ops.Merge("concat")


def fixed() -> random.Random:
    return random.Random(0)


def network(**nodes: tuple[Op, str]) -> Architecture:
    """Return a network from name=(op, "the nodes it reads")."""
    found = [Node(name, op, tuple(inputs.split())) for name, (op, inputs) in nodes.items()]
    return Architecture((Node("x", ops.Input((4, 8, 8))), *found))


def envelopes(cells: int, branches: int) -> Architecture:
    """Return cells of `branches` parallel branches that are all the same."""
    nodes, source = [], "x"
    for cell in range(cells):
        ends = []
        for branch in range(branches):
            name = f"c{cell}-{branch}"
            nodes += [Node(f"{name}/conv", CONV, (source,)), Node(f"{name}/norm", ops.BatchNorm(), (f"{name}/conv",))]
            nodes.append(Node(name, ops.Activation(), (f"{name}/norm",)))
            ends.append(name)
        nodes.append(Node(f"c{cell}", CONCAT, tuple(ends)))
        source = f"c{cell}"
    head = (Node("pool", ops.GlobalPool(), (source,)), Node("logits", ops.Classify(10), ("pool",)))
    return Architecture((Node("x", ops.Input((4, 8, 8))), *nodes, *head))


@settings(deadline=None, max_examples=150)
@given(networks(most=12), randoms)
def test_names_and_order_make_no_difference(network: Architecture, randoms: random.Random):
    assert digest(same_network(network, randoms)) == digest(network)


@settings(deadline=None, max_examples=100)
@given(networks(most=12), randoms)
def test_one_op_makes_a_difference(network: Architecture, randoms: random.Random):
    at = randoms.randrange(len(network))
    node = network.nodes[at]
    op: Op = ops.Input((9,)) if not node.inputs else ops.Dropout(0.123)
    if isinstance(node.op, ops.Merge):
        op = ops.Merge("concat" if node.op.how == "add" else "add")
    edited = Architecture((*network.nodes[:at], replace(node, op=op), *network.nodes[at + 1 :]))
    assert digest(edited) != digest(network)


@st.composite
def small_graphs(draw: st.DrawFn) -> Architecture:
    """Return graphs of few kinds of nodes, many of which are the same; no concatenation of which is absorbed."""
    nodes = [Node("n0", ops.Input((4,)))]
    for number in range(1, draw(st.integers(3, 5)) + 1):
        op = draw(st.sampled_from([ops.Identity(), ops.Identity(), ADD, CONCAT]))
        read = st.lists(st.integers(0, number - 1), min_size=1, max_size=1 if op.kind == "identity" else 2)
        nodes.append(Node(f"n{number}", op, tuple(f"n{source}" for source in draw(read))))
    return Architecture(tuple(nodes))


def isomorphic(one: Architecture, other: Architecture) -> bool:
    """Return whether any of all renamings makes one the other."""
    if sorted(node.op.kind for node in one) != sorted(node.op.kind for node in other):
        return False
    ids, ours = [node.id for node in other], [node.id for node in one.nodes[:-1]]
    for names in permutations(ids[:-1]):
        name = dict(zip(ours, names, strict=True)) | {one.output.id: ids[-1]}
        if all(_same_node(node, other[name[node.id]], name) for node in one):
            return True
    return False


def _same_node(node: Node, other: Node, name: dict[str, str]) -> bool:
    renamed, inputs = [name[source] for source in node.inputs], list(other.inputs)
    return node.op == other.op and (renamed == inputs or (node.op == ADD and sorted(renamed) == sorted(inputs)))


@settings(deadline=None, max_examples=300)
@given(small_graphs(), small_graphs())
def test_equal_exactly_if_isomorphic(one: Architecture, other: Architecture):
    assert (digest(one) == digest(other)) == isomorphic(one, other)


@settings(deadline=None, max_examples=100)
@given(small_graphs(), randoms)
def test_equal_exactly_if_isomorphic_after_rewiring_one_node(network: Architecture, randoms: random.Random):
    at = randoms.randrange(1, len(network))
    inputs = (f"n{randoms.randrange(at)}", *network.nodes[at].inputs[1:])
    edited = Architecture((*network.nodes[:at], replace(network.nodes[at], inputs=inputs), *network.nodes[at + 1 :]))
    edited = same_network(edited, randoms)
    assert (digest(network) == digest(edited)) == isomorphic(network, edited)


def test_summands_have_no_order():
    one = network(a=(CONV, "x"), b=(MIX, "x"), sum=(ADD, "a b"))
    assert digest(one) == digest(network(a=(CONV, "x"), b=(MIX, "x"), sum=(ADD, "b a")))


@pytest.mark.parametrize(
    "after",
    [
        {"y": (MIX, "cat")},
        {"n": (ops.BatchNorm(), "cat"), "r": (ops.Activation(), "n"), "y": (MIX, "r")},
        {"d": (ops.Depthwise((3, 3)), "cat"), "y": (MIX, "d")},
        {"p": (ops.GlobalPool(), "cat"), "y": (ops.Classify(3), "p")},
        {"f": (ops.Flatten(), "cat"), "y": (ops.Dense(3), "f")},
        {"c2": (CONCAT, "cat a"), "y": (MIX, "c2")},
        {"y1": (MIX, "cat"), "y2": (CONV, "cat"), "y": (ADD, "y1 y2")},
    ],
)
def test_what_mixes_all_channels_absorbs_the_order_of_a_concatenation(after: dict[str, tuple[Op, str]]):
    one = network(a=(CONV, "x"), b=(MIX, "x"), cat=(CONCAT, "a b"), **after)
    assert digest(one) == digest(network(a=(CONV, "x"), b=(MIX, "x"), cat=(CONCAT, "b a"), **after))


@pytest.mark.parametrize(
    "after",
    [
        {},
        {"y": (ops.Conv(4, (1, 1), groups=2), "cat")},
        {"y": (ops.ResponseNorm(), "cat"), "z": (MIX, "y")},
        {"y": (ops.Activation(), "cat")},
        {"y1": (MIX, "cat"), "y2": (ops.Conv(4, (1, 1), groups=2), "cat"), "y": (ADD, "y1 y2")},
        {"w": (ops.Conv(8, (1, 1)), "x"), "s": (ADD, "cat w"), "y": (MIX, "s")},
    ],
)
def test_the_order_of_a_concatenation_counts_where_it_can_be_told(after: dict[str, tuple[Op, str]]):
    one = network(a=(CONV, "x"), b=(MIX, "x"), cat=(CONCAT, "a b"), **after)
    assert digest(one) != digest(network(a=(CONV, "x"), b=(MIX, "x"), cat=(CONCAT, "b a"), **after))


def test_a_sum_of_concatenations_tells_their_orders_apart():
    branches = {"a": (CONV, "x"), "b": (MIX, "x")}
    crossed = network(**branches, c=(CONCAT, "a b"), d=(CONCAT, "b a"), y=(ADD, "c d"))
    straight = network(**branches, c=(CONCAT, "a b"), d=(CONCAT, "a b"), y=(ADD, "c d"))
    assert digest(crossed) != digest(straight)


def test_a_shared_convolution_is_not_two():
    shared = network(a=(CONV, "x"), y=(ADD, "a a"))
    assert digest(shared) != digest(network(a=(CONV, "x"), b=(CONV, "x"), y=(ADD, "a b")))


def test_the_output_is_not_its_twin():
    twins = {"a": (CONV, "x"), "b": (MIX, "a")}
    one = network(**twins, c=(CONV, "x"))
    assert digest(one) != digest(network(c=(CONV, "x"), **twins))


def test_the_fixed_input_and_the_shares_of_a_pick_have_an_order():
    ends = {"a": (CONV, "x"), "b": (MIX, "x")}
    for pick in (ops.Pick(1, 2, fixed=1), ops.Pick(1, 2, "concat", width=7)):
        one = network(**ends, pick=(pick, "a b"), y=(MIX, "pick"))
        assert digest(one) != digest(network(**ends, pick=(pick, "b a"), y=(MIX, "pick")))


@pytest.mark.parametrize("rings", [[6], [3, 3], [5, 3], [4, 4], [8]])
def test_rings_that_look_alike_from_every_node(rings: list[int]):
    """The sums of neighbours in a ring of six, and in two of three: no node can tell, but the network can."""
    found = {str(other): digest(_rings(other)) for other in ([6], [3, 3], [5, 3], [4, 4], [8])}
    again = same_network(_rings(rings), fixed())
    assert [name for name, its in found.items() if its == digest(again)] == [str(rings)]


def _rings(lengths: list[int]) -> Architecture:
    nodes, pairs = {}, {}
    for ring, length in enumerate(lengths):
        for at in range(length):
            nodes[f"r{ring}-{at}"] = (CONV, "x")
            pairs[f"p{ring}-{at}"] = (ADD, f"r{ring}-{at} r{ring}-{(at + 1) % length}")
    return network(**nodes, **pairs, y=(ADD, " ".join(pairs)))


@pytest.mark.parametrize(("cells", "branches"), [(1, 2), (1, 8), (4, 6)])
def test_symmetry_costs_little(cells: int, branches: int, monkeypatch: pytest.MonkeyPatch):
    """Six branches that are all the same have 720 orders, but one will do."""
    refined, calls = digests._refined, []
    monkeypatch.setattr(digests, "_refined", lambda *given: calls.append(1) or refined(*given))
    symmetric = envelopes(cells, branches)
    found = digest(symmetric)
    assert len(calls) <= 1 + cells * branches**2
    assert digest(same_network(symmetric, fixed())) == found
    assert digest(envelopes(cells, branches + 1)) != found


def test_a_symmetry_of_symmetries_costs_little(monkeypatch: pytest.MonkeyPatch):
    """Four groups, all the same, of three branches, all the same."""
    refined, calls = digests._refined, []
    monkeypatch.setattr(digests, "_refined", lambda *given: calls.append(1) or refined(*given))
    nodes: dict[str, tuple[Op, str]] = {}
    for group in range(4):
        for branch in range(3):
            nodes |= {f"g{group}-{branch}a": (CONV, "x"), f"g{group}-{branch}": (MIX, f"g{group}-{branch}a")}
        nodes[f"g{group}"] = (ADD, " ".join(f"g{group}-{branch}" for branch in range(3)))
    found = network(**nodes, y=(ADD, "g0 g1 g2 g3"))
    assert digest(same_network(found, fixed())) == digest(found)
    assert len(calls) < 200


def test_a_graph_that_defeats_the_search_is_told_by_its_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digests, "MAX_LEAVES", 0)
    one, other = network(a=(CONV, "x")), network(b=(CONV, "x"))
    assert digest(one) == digest(network(a=(CONV, "x")))
    assert digest(one) != digest(other)


def test_a_digest_is_the_same_for_ever():
    """Digests are written into records, so a change of theirs must be meant."""
    assert digest(network(a=(CONV, "x"), b=(MIX, "x"), y=(ADD, "a b"))) == "ee9b07bc05b0877cdc503d70393d27a6"
