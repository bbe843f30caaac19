"""Every op in PyTorch: its shape, its weights and its multiply-accumulates are what the specification counts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import OPS_2D
from torch.utils.flop_counter import FlopCounterMode

from amla.backends.initial import initial
from amla.backends.torch.layers import layer
from amla.backends.torch.network import Network, read_arrays, write_arrays
from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import costs, macs, shape, shapes, weights
from amla.spec.ops import Op, Size


def counted_by_torch(module: torch.nn.Module, inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(inputs)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("extent", [7, 8, 9])
@pytest.mark.parametrize("op", OPS_2D, ids=lambda op: f"{op.kind}-{OPS_2D.index(op)}")
def test_an_op_has_the_shape_weights_and_macs_that_are_counted(op: Op, extent: int) -> None:
    source = (4, extent, extent + 1)
    module = layer(op, source)
    for tensor in module.parameters():
        torch.nn.init.normal_(tensor)
    for name, tensor in module.named_buffers():
        if name in ("mean", "variance"):
            torch.nn.init.ones_(tensor)
    output = module(torch.randn(2, *source))
    assert tuple(output.shape[1:]) == shape(op, source)
    assert {name: tuple(p.shape) for name, p in module.named_parameters()} == weights(op, source)
    module.eval()
    if not ((isinstance(op, ops.Pool) and op.reduce == "mean") or isinstance(op, ops.ResponseNorm)):
        # torch's mean pool over a ragged edge, and the sum over neighbours, are convolutions without weights
        assert counted_by_torch(module, torch.randn(1, *source)) == macs(op, source, shape(op, source))


@pytest.mark.parametrize("op", [ops.Dense(5), ops.Dense(5, bias=False), ops.Classify(7)])
def test_a_linear_op_has_what_is_counted(op: Op) -> None:
    module = layer(op, (6,))
    assert {name: tuple(p.shape) for name, p in module.named_parameters()} == weights(op, (6,))
    assert counted_by_torch(module, torch.randn(1, 6)) == macs(op, (6,), shape(op, (6,)))


@pytest.mark.parametrize("source", [(4, 9), (4, 8), (4, 5, 6, 7)])
def test_series_and_volumes_are_computed_too(source: Size) -> None:
    rank = len(source) - 1
    for op in (
        ops.Conv(6, (3,) * rank, stride=(2,) * rank),
        ops.Depthwise((5,) * rank),
        ops.Pool("max", (2,) * rank, (2,) * rank),
        ops.Pool("mean", (3,) * rank, (2,) * rank),
        ops.ResponseNorm(2),
        ops.BatchNorm(),
    ):
        module = layer(op, source)
        for tensor in (*module.parameters(), *module.buffers()):
            torch.nn.init.ones_(tensor)
        assert tuple(module(torch.randn(2, *source)).shape[1:]) == shape(op, source)


def test_padding_is_split_evenly_the_odd_one_at_the_far_end() -> None:
    module = layer(ops.Conv(1, (2,)), (1, 3))
    torch.nn.init.ones_(module.kernel)
    assert module(torch.tensor([[[1.0, 2.0, 4.0]]])).flatten().tolist() == [3.0, 6.0, 4.0]


def test_padding_takes_no_part_in_a_pool() -> None:
    x = torch.tensor([[[-1.0, -2.0, -4.0]]])
    assert layer(ops.Pool("max", (3,)), (1, 3))(x).flatten().tolist() == [-1.0, -1.0, -2.0]
    assert layer(ops.Pool("mean", (3,)), (1, 3))(x).flatten().tolist() == pytest.approx([-1.5, -7 / 3, -3.0])
    assert layer(ops.Pool("mean", (2,)), (1, 3))(x).flatten().tolist() == pytest.approx([-1.5, -3.0, -4.0])
    assert layer(ops.Pool("max", (2,), (2,)), (1, 3))(x).flatten().tolist() == [-1.0, -4.0]


def test_response_norm_is_krizhevskys() -> None:
    op = ops.ResponseNorm(radius=1, alpha=0.5, beta=0.75, bias=2.0)
    x = torch.randn(1, 4, 2, 2)
    squares = (x * x).numpy()[0]
    expected = np.empty_like(squares)
    for c in range(4):
        window = squares[max(0, c - 1) : c + 2].sum(0)
        expected[c] = x[0, c].numpy() / (2.0 + 0.5 * window) ** 0.75
    np.testing.assert_allclose(layer(op, (4, 2, 2))(x)[0].numpy(), expected, rtol=1e-5)


def test_layer_norm_of_images_has_gradients_where_the_images_have_none() -> None:
    for channels in (1, 4):
        module = layer(ops.LayerNorm(), (channels, 4, 2))
        for tensor in module.parameters():
            torch.nn.init.ones_(tensor)
        module(torch.randn(3, channels, 4, 2).to(memory_format=torch.channels_last)).square().sum().backward()
        assert all(tensor.grad is not None for tensor in module.parameters())


def test_an_op_that_torch_lacks_is_named() -> None:
    with pytest.raises(NotImplementedError, match="cannot compute Pick"):
        layer(ops.Pick(), (3,))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_random_networks_cost_what_torch_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(5, 12))
    skips = ("add", "concat", "none")[seed % 3]
    space = envelope(
        (int(rng.integers(1, 4)), size, size),
        5,
        width=int(rng.integers(6, 20)),
        cells=(1, 1),
        max_cells=(3, 2),
        skips=skips,
    )
    architecture = space.space.sample(rng)
    network = Network(architecture).eval()
    write_arrays(network.tensors(), initial(architecture, seed))
    counted = costs(architecture)
    assert sum(p.numel() for p in network.parameters()) == counted.parameters
    assert counted_by_torch(network, torch.randn(1, *architecture.nodes[0].op.shape)) == counted.macs


def test_every_node_has_the_shape_that_is_inferred() -> None:
    space = envelope((3, 9, 9), 5, width=12, cells=(2, 1), max_cells=(3, 2))
    architecture = space.space.close(space.space.fullest())
    network = Network(architecture)
    write_arrays(network.tensors(), initial(architecture, 0))
    network.watch(node.id for node in architecture)
    network(torch.randn(2, 3, 9, 9))
    assert {node_id: tuple(t.shape[1:]) for node_id, t in network.seen.items()} == shapes(architecture)


def test_watching_does_not_change_what_is_computed() -> None:
    space = envelope((1, 8, 8), 3, width=8, cells=(2,), max_cells=(2,))
    architecture = space.space.close(space.initial())
    network = Network(architecture).eval()
    write_arrays(network.tensors(), initial(architecture, 0))
    x = torch.randn(2, 1, 8, 8)
    plain = network(x)
    network.watch(node.id for node in architecture)
    assert torch.equal(network(x), plain)
    norm = network.seen["stem/norm"]
    assert norm.min() < 0, "a ReLU has overwritten what was watched"


def test_arrays_go_out_and_in_by_name() -> None:
    nodes = (
        Node("x", ops.Input((2, 4, 4))),
        Node("c", ops.Conv(3, (3, 3)), ("x",)),
        Node("n", ops.BatchNorm(), ("c",)),
    )
    network = Network(Architecture(nodes))
    arrays = initial(Architecture(nodes), 0)
    write_arrays(network.tensors(), arrays)
    assert sorted(arrays) == ["c.kernel", "n.mean", "n.scale", "n.shift", "n.variance"]
    for name, array in read_arrays(network.tensors()).items():
        np.testing.assert_array_equal(array, arrays[name])
    write_arrays(network.tensors(), {"c.kernel": np.zeros((1, 1, 1, 1), np.float32), "gone": np.zeros(3, np.float32)})
    np.testing.assert_array_equal(read_arrays(network.tensors())["c.kernel"], arrays["c.kernel"])
