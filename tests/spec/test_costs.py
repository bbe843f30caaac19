import pytest
from hypothesis import given, settings
from random_networks import networks

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import Costs, at_scale, buffers, costs, macs, shape, shapes, training_flops, weights
from amla.spec.ops import Op, Size
from amla.spec.values import SpecError


def network(size: Size, *nodes: Node) -> Architecture:
    return Architecture((Node("x", ops.Input(size)), *nodes))


def one(size: Size, op: Op) -> Costs:
    return costs(network(size, Node("op", op, ("x",))))


@pytest.mark.parametrize(
    ("op", "source", "target"),
    [
        (ops.Conv(16, (3,)), (3, 9), (16, 9)),
        (ops.Conv(16, (3, 3), (2, 2)), (3, 9, 8), (16, 5, 4)),
        (ops.Conv(16, (2, 4, 6), (3, 1, 2), (1, 2, 3)), (3, 7, 7, 7), (16, 3, 7, 4)),
        (ops.Conv(4, (5, 5)), (3, 1, 1), (4, 1, 1)),  # a kernel may be larger than the input
        (ops.Depthwise((3, 3), (1, 2), multiplier=2), (3, 5, 5), (6, 5, 3)),
        (ops.Pool("max", (2,), (2,)), (3, 5), (3, 3)),
        (ops.Pool("mean", (2, 2, 2), (2, 2, 2)), (3, 4, 5, 6), (3, 2, 3, 3)),
        (ops.GlobalPool(), (3, 4, 5), (3,)),
        (ops.GlobalPool("max"), (3,), (3,)),
        (ops.Flatten(), (3, 4, 5), (60,)),
        (ops.Dense(7), (60,), (7,)),
        (ops.Classify(10), (60,), (10,)),
        *((op, (3, 4, 5), (3, 4, 5)) for op in (ops.BatchNorm(), ops.LayerNorm(), ops.ResponseNorm(), ops.Identity())),
        *(
            (op, (3, 4), (3, 4))
            for op in (ops.Activation(), ops.Zero(), ops.Scale(), ops.Dropout(0.5), ops.DropPath(0.5))
        ),
    ],
)
def test_shapes_follow_from_the_input(op: Op, source: Size, target: Size):
    assert shape(op, source) == target


def test_merges_add_like_shapes_and_concatenate_channels():
    assert shape(ops.Merge("add"), (3, 4), (3, 4)) == (3, 4)
    assert shape(ops.Merge("concat"), (3, 4), (5, 4), (1, 4)) == (9, 4)
    assert shape(ops.Merge("concat"), (3,), (5,)) == (8,)


@pytest.mark.parametrize(
    ("op", "sources", "rule"),
    [
        (ops.Merge("add"), [(3, 4), (5, 4)], "only inputs of one shape can be added"),
        (ops.Merge("concat"), [(3, 4), (3, 5)], "only inputs of one spatial size can be concatenated"),
        (ops.Conv(4, (3, 3)), [(3, 8)], r"a kernel \(3, 3\) cannot slide over an input with 1 spatial axes"),
        (ops.Conv(4, (3,), groups=2), [(3, 8)], "2 groups do not divide 3 channels"),
        (ops.Pool("max", (2,)), [(3,)], "cannot slide over an input with 0 spatial axes"),
        (ops.Dense(4), [(3, 8)], "put a global_pool or a flatten before it"),
        (ops.Classify(4), [(3, 8)], "put a global_pool or a flatten before it"),
        (ops.Conv(None, (3,)), [(3, 8)], "a share of a Pick has no shape before the Pick is decided"),
        (ops.Pick(), [(3, 8)], "a Pick has no shape before it is decided"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_at_their_node(op: Op, sources: list[Size], rule: str):
    nodes = [Node(f"x{place}", ops.Input(size)) for place, size in enumerate(sources)]
    with pytest.raises(SpecError, match=f"Node 'op', reading .*{sources[0][0]}.*: .*{rule}"):
        shapes(Architecture((*nodes, Node("op", op, tuple(node.id for node in nodes)))))


@pytest.mark.parametrize(
    ("size", "op", "parameters", "multiplied"),
    [
        ((3, 32, 32), ops.Conv(16, (3, 3), bias=True), 448, 432 * 1024),
        ((3, 32, 32), ops.Conv(16, (3, 3), (2, 2)), 432, 432 * 256),
        ((4, 10), ops.Conv(8, (5,), groups=2), 8 * 2 * 5, 8 * 2 * 5 * 10),
        ((2, 4, 4, 4), ops.Conv(3, (3, 3, 3), dilation=(2, 2, 2)), 2 * 3 * 27, 2 * 3 * 27 * 64),
        ((8, 6, 6), ops.Depthwise((3, 3), bias=True), 8 * 9 + 8, 8 * 9 * 36),
        ((8, 6, 6), ops.Depthwise((3, 3), (2, 2), multiplier=2), 16 * 9, 16 * 9 * 9),
        ((20,), ops.Dense(7), 20 * 7 + 7, 20 * 7),
        ((20,), ops.Classify(10, bias=False), 200, 200),
        ((8, 6, 6), ops.BatchNorm(), 16, 0),
        ((8, 6, 6), ops.BatchNorm(scale=False), 8, 0),
        ((8, 6, 6), ops.BatchNorm(scale=False, shift=False), 0, 0),
        ((8, 6, 6), ops.LayerNorm(), 16, 0),
        ((8, 6, 6), ops.Scale(), 1, 0),
        ((8, 6, 6), ops.Pool("max", (3, 3)), 0, 0),
        ((8, 6, 6), ops.ResponseNorm(), 0, 0),
    ],
)
def test_parameters_and_macs_are_those_counted_by_hand(size: Size, op: Op, parameters: int, multiplied: int):
    assert (one(size, op).parameters, one(size, op).macs) == (parameters, multiplied)


def test_weights_have_canonical_shapes():
    assert weights(ops.Conv(6, (3, 5), groups=2, bias=True), (4, 8, 8)) == {"kernel": (6, 2, 3, 5), "bias": (6,)}
    assert weights(ops.Depthwise((3,), multiplier=2), (4, 8)) == {"kernel": (8, 1, 3)}
    assert weights(ops.Dense(7), (5,)) == {"kernel": (7, 5), "bias": (7,)}
    assert weights(ops.Scale(), (4, 8)) == {"scale": ()}
    assert weights(ops.Activation(), (4, 8)) == {}


def test_running_statistics_are_remembered_but_not_trained():
    assert buffers(ops.BatchNorm(), (4, 8)) == {"mean": (4,), "variance": (4,)}
    assert buffers(ops.LayerNorm(), (4, 8)) == {}


def test_peak_memory_of_a_chain_is_its_widest_pair():
    chain = network((1, 10), Node("a", ops.Conv(5, (1,)), ("x",)), Node("b", ops.Conv(2, (1,)), ("a",)))
    assert costs(chain).peak_memory == 4 * (50 + 20)
    assert costs(chain).training_memory == 4 * (10 + 50 + 20)


def test_a_skip_keeps_its_source_alive():
    skip = network(
        (5, 10),
        Node("a", ops.Conv(20, (1,)), ("x",)),
        Node("b", ops.Conv(5, (1,)), ("a",)),
        Node("sum", ops.Merge("add"), ("x", "b")),
    )
    assert costs(skip).peak_memory == 4 * (50 + 200 + 50)


def test_a_node_is_freed_once_though_read_twice():
    twice = network((5, 10), Node("sum", ops.Merge("add"), ("x", "x")), Node("end", ops.Identity(), ("sum",)))
    assert costs(twice).peak_memory == 4 * (50 + 50)


def test_a_training_step_is_three_passes_of_two_operations_a_mac():
    assert training_flops(100, 32) == 6 * 100 * 32


def test_an_open_architecture_has_no_costs():
    with pytest.raises(SpecError, match=r"'pick'.*has no shape before it is decided"):
        costs(network((3, 8), Node("a", ops.Identity(), ("x",)), Node("pick", ops.Pick(), ("x", "a"))))


@settings(deadline=None, max_examples=60)
@given(networks())
def test_costs_hold_together(network: Architecture):
    counted, found = costs(network), shapes(network)
    assert 0 < counted.peak_memory <= counted.training_memory
    assert all(min(size) >= 1 for size in found.values())
    for node in network:
        if not weights(node.op, found[node.inputs[0]] if node.inputs else ()):
            assert macs(node.op, found[node.inputs[0]] if node.inputs else (), found[node.id]) == 0


def test_a_network_of_pools_reads_smaller_images_with_the_same_weights():
    net = Architecture(
        (
            Node("x", ops.Input((3, 9, 8))),
            Node("c", ops.Conv(4, (3, 3)), ("x",)),
            Node("p", ops.GlobalPool(), ("c",)),
            Node("y", ops.Classify(2), ("p",)),
        )
    )
    other = at_scale(net, 0.5)
    assert other["x"].op == ops.Input((3, 4, 4))
    assert costs(other).parameters == costs(net).parameters
    assert costs(other).macs < costs(net).macs
    assert at_scale(net, 1) is net


def test_a_network_of_one_size_is_refused_by_name():
    net = Architecture(
        (Node("x", ops.Input((3, 8, 8))), Node("f", ops.Flatten(), ("x",)), Node("y", ops.Classify(2), ("f",)))
    )
    with pytest.raises(SpecError, match="'y' reads inputs of one size only"):
        at_scale(net, 0.5)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "extent", "expected"),
    [(2, 1, 1, 32, 31), (2, 2, 1, 31, 15), (3, 2, 1, 7, 3), (3, 1, 2, 5, 1), (3, 3, 1, 8, 2)],
)
def test_without_padding_only_whole_windows_count(kernel: int, stride: int, dilation: int, extent: int, expected: int):
    op = ops.Conv(4, (kernel,), (stride,), (dilation,), padding="valid")
    assert shape(op, (2, extent)) == (4, expected)


def test_a_window_larger_than_the_input_does_not_fit_without_padding():
    with pytest.raises(SpecError, match=r"spans \(5,\) does not fit into \(4,\)"):
        shape(ops.Pool("max", (3,), dilation=(2,), padding="valid"), (2, 4))


def test_auxiliary_heads_cost_only_in_training():
    body = (Node("c", ops.Conv(4, (3, 3)), ("x",)), Node("p", ops.GlobalPool(), ("c",)))
    head = (Node("h/flat", ops.Flatten(), ("c",)), Node("h", ops.Classify(2, auxiliary=0.4), ("h/flat",)))
    end = Node("y", ops.Classify(2), ("p",))
    without, found = costs(network((3, 5, 5), *body, end)), costs(network((3, 5, 5), *body, *head, end))
    assert (found.parameters, found.macs, found.peak_memory) == (without.parameters, without.macs, without.peak_memory)
    assert without.training_parameters == without.parameters
    assert found.training_parameters == found.parameters + 100 * 2 + 2
    assert found.training_macs == found.macs + 100 * 2
    assert found.training_memory == without.training_memory + 4 * (100 + 2)
