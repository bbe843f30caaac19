import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.values import SpecError

IMAGE = Node("image", ops.Input((3, 8, 8)))
SAME = ops.Identity()


def network(*nodes: Node) -> Architecture:
    return Architecture((IMAGE, *nodes))


def test_nodes_are_found_by_address():
    found = network(Node("a", SAME, ("image",)), Node("b", ops.Merge(), ("a", "image", "a")))
    assert found["a"].inputs == ("image",)
    assert "a" in found
    assert "c" not in found
    assert found.output.id == "b"
    assert [node.id for node in found] == ["image", "a", "b"]
    assert len(found) == 3


def test_readers_are_listed_once_for_every_input():
    found = network(Node("a", SAME, ("image",)), Node("b", ops.Merge(), ("a", "image", "a")))
    assert found.readers == {"image": ("a", "b"), "a": ("b", "b"), "b": ()}


def test_open_while_any_node_is_a_pick():
    assert not network().is_open
    found = network(Node("a", SAME, ("image",)), Node("pick", ops.Pick(), ("image", "a")))
    assert found.is_open
    assert list(found.picks) == ["pick"]


def test_a_value_is_what_it_says():
    one, other = (network(Node("a", ops.Conv(4, (3, 3)), ("image",))) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one.picks == {}  # what is looked up once and kept makes no difference
    assert one == other
    assert one != network(Node("a", ops.Conv(5, (3, 3)), ("image",)))


@pytest.mark.parametrize("node_id", ["", "a b", "/a", "a/", "a//b", "ü", "a.b", "a\n"])
def test_bad_ids_are_refused(node_id: str):
    with pytest.raises(SpecError, match="is no node id; use letters"):
        Node(node_id, SAME, ("image",))


@pytest.mark.parametrize("node_id", ["a", "stage1/cell2/3x3sep", "+", "A-b_c/0"])
def test_addresses_are_accepted(node_id: str):
    assert Node(node_id, SAME, ("image",)).id == node_id


@pytest.mark.parametrize(
    ("op", "inputs", "rule"),
    [
        (ops.Input((3,)), ("a",), r"'n' \(input\) has inputs \['a'\]; it takes none"),
        (ops.Conv(3, (1,)), (), r"'n' \(conv\) has inputs \[\]; it takes exactly 1"),
        (ops.Identity(), ("a", "b"), r"\['a', 'b'\]; it takes exactly 1"),
        (ops.Merge(), (), "it takes 1 or more"),
        (ops.Pick(1, 3), ("a", "b"), "it takes 3 or more, all different"),
        (ops.Pick(1, 2), ("a", "b", "a"), "it takes 2 or more, all different"),
    ],
)
def test_arity_is_checked(op: ops.Op, inputs: tuple[str, ...], rule: str):
    with pytest.raises(SpecError, match=rule):
        Node("n", op, inputs)


def test_an_empty_architecture_is_refused():
    with pytest.raises(SpecError, match="at least one node"):
        Architecture(())


def test_duplicate_ids_are_refused():
    with pytest.raises(SpecError, match="Two nodes are called 'a'"):
        network(Node("a", SAME, ("image",)), Node("a", SAME, ("image",)))


def test_reading_a_missing_node_is_refused():
    with pytest.raises(SpecError, match="'a' reads 'ghost', which does not exist"):
        network(Node("a", SAME, ("ghost",)))


def test_reading_a_later_node_is_refused():
    with pytest.raises(SpecError, match="'a' reads 'b', which is defined after it"):
        network(Node("a", SAME, ("b",)), Node("b", SAME, ("image",)))


def test_a_cycle_is_shown():
    with pytest.raises(SpecError, match="form a cycle, a -> b -> c -> a;"):
        network(Node("a", SAME, ("c",)), Node("b", SAME, ("a",)), Node("c", SAME, ("b",)))


def test_a_node_that_reads_itself_is_a_cycle():
    with pytest.raises(SpecError, match="form a cycle, a -> a;"):
        network(Node("a", SAME, ("a",)))


HEAD, FLAT = ops.Classify(2, auxiliary=0.4), Node("flat", ops.GlobalPool(), ("image",))


def test_the_trunk_is_a_network_without_its_auxiliary_heads_and_what_serves_them_alone():
    serving = (Node("head/dense", ops.Dense(3), ("flat",)), Node("head", HEAD, ("head/dense",)))
    found = network(FLAT, *serving, Node("y", ops.Classify(2), ("flat",)))
    assert found.heads == {"head": 0.4}
    assert [node.id for node in found.trunk] == ["image", "flat", "y"]
    assert found.trunk.trunk is found.trunk


def test_nothing_reads_an_auxiliary_head():
    with pytest.raises(SpecError, match="'head' is an auxiliary head, but 'y' reads it"):
        network(FLAT, Node("head", HEAD, ("flat",)), Node("y", SAME, ("head",)))
    with pytest.raises(SpecError, match="'head' is an auxiliary head, but it is the last node"):
        network(FLAT, Node("head", HEAD, ("flat",)))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_the_weight_of_an_auxiliary_head_is_above_0(weight: float):
    with pytest.raises(SpecError, match=r"classify\.auxiliary is"):
        ops.Classify(2, auxiliary=weight)
