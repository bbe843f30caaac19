import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.decisions import close, in_order, read
from amla.spec.values import SpecError

SHARE = ops.Conv(None, (3,))


def template(*nodes: Node) -> Architecture:
    return Architecture((Node("x", ops.Input((2, 8))), *nodes))


def wide(width: int, count: int) -> Architecture:
    """Return a Pick of `count` branches, each a convolution and a normalisation, `width` channels together."""
    convs = [Node(f"{i}/conv", SHARE, ("x",)) for i in range(count)]
    norms = [Node(f"{i}", ops.BatchNorm(), (f"{i}/conv",)) for i in range(count)]
    pick = Node("pick", ops.Pick(1, count, "concat", width=width), tuple(norm.id for norm in norms))
    return template(*convs, *norms, pick)


def added(**rules: int) -> Architecture:
    nodes = [Node(name, ops.Identity(), ("x",)) for name in "abc"]
    return template(*nodes, Node("pick", ops.Pick(**rules), ("a", "b", "c")))


def test_a_closed_pick_is_a_merge_of_what_it_keeps():
    closed = close(added(at_least=1, at_most=3), {"pick": ("c", "a")})
    assert closed.output == Node("pick", ops.Merge("add"), ("a", "c"))
    assert not closed.is_open


def test_read_is_the_inverse_of_close():
    open_ = added(at_least=1, at_most=3)
    for kept in [("a",), ("b", "c"), ("a", "b", "c")]:
        assert read(open_, close(open_, {"pick": kept})) == {"pick": kept}


def test_a_closed_architecture_closes_to_itself():
    closed = close(added(), {"pick": ("a",)})
    assert close(closed, {}) == closed
    assert read(closed, closed) == {}


def test_unreachable_nodes_are_dropped_and_their_decisions_ignored():
    inner = Node("inner", ops.Pick(), ("x",))
    after = Node("after", ops.Identity(), ("inner",))
    open_ = template(inner, after, Node("other", ops.Identity(), ("x",)), Node("pick", ops.Pick(), ("after", "other")))
    closed = close(open_, {"pick": ("other",), "inner": ("nothing of this kind",)})
    assert [node.id for node in closed] == ["x", "other", "pick"]
    assert read(open_, closed) == {"pick": ("other",)}


@pytest.mark.parametrize(("width", "count"), [(7, 1), (7, 2), (7, 3), (8, 4), (12, 5), (5, 5)])
def test_shares_add_up_to_the_width(width: int, count: int):
    open_ = wide(width, count)
    for kept in range(1, count + 1):
        closed = close(open_, {"pick": tuple(map(str, range(kept)))})
        shares = [node.op.channels for node in closed if isinstance(node.op, ops.Conv)]
        assert len(shares) == kept
        assert sum(shares) == width
        assert max(shares) - min(shares) <= 1
        assert shares == sorted(shares, reverse=True)  # the remainder goes to the first


def test_pruned_branches_leave_their_channels_to_the_others():
    closed = close(wide(8, 4), {"pick": ("1", "3")})
    assert [closed[name].op.channels for name in ("1/conv", "3/conv")] == [4, 4]


def test_in_order_is_the_order_of_the_pick():
    assert in_order(added(at_least=1, at_most=3), "pick", {"c", "a"}) == ("a", "c")


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ({}, ()),
        ({}, ("a", "b")),
        ({}, ("x",)),
        ({}, ("nobody",)),
        ({"at_least": 2, "at_most": 3}, ("a",)),
        ({"at_least": 1, "at_most": 3}, ("a", "a")),
        ({"at_least": 1, "at_most": 3, "fixed": 1}, ("b",)),
    ],
)
def test_decisions_that_a_pick_does_not_allow_are_refused(rules: dict[str, int], kept: tuple[str, ...]):
    with pytest.raises(SpecError, match=r"'pick' may keep \d to \d of \['a', 'b', 'c'\].*told to keep"):
        close(added(**rules), {"pick": kept})


def test_a_living_pick_needs_a_decision():
    with pytest.raises(SpecError, match=r"No decision for 'pick'; it may keep any of \['a', 'b', 'c'\]"):
        close(added(), {})


def test_channels_come_from_somewhere():
    with pytest.raises(SpecError, match="'conv' has no channels of its own and feeds no Pick with a width"):
        close(template(Node("conv", SHARE, ("x",))), {})


def test_an_auxiliary_head_stays_where_the_network_still_passes():
    cells = [Node("a", ops.Identity(), ("x",)), Node("b", ops.Identity(), ("a",))]
    heads = [
        node
        for cell in ("a", "b")
        for node in (
            Node(f"{cell}/pool", ops.GlobalPool(), (cell,)),
            Node(f"{cell}/head", ops.Classify(3, auxiliary=0.4), (f"{cell}/pool",)),
        )
    ]
    open_ = template(*cells, *heads, Node("depth", ops.Pick(), ("a", "b")))
    assert set(close(open_, {"depth": ("b",)}).heads) == {"a/head", "b/head"}
    assert [node.id for node in close(open_, {"depth": ("a",)})] == ["x", "a", "a/pool", "a/head", "depth"]
