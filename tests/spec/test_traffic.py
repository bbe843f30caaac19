"""Operations and bytes of passes: the products of kernels as `costs` counts them, everything else by hand."""

from math import prod

import pytest
from hypothesis import given
from random_networks import networks

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import costs, shapes
from amla.spec.traffic import Work, backward, forward, inner

IMAGE = (4, 6, 6)  # 144 elements


@pytest.mark.parametrize(
    ("op", "sources", "target", "there", "back"),
    [
        (ops.Conv(8, (3, 3)), [IMAGE], (8, 6, 6), (2 * 10368, 144 + 288 + 288), (4 * 10368, 2 * 720)),
        (ops.Depthwise((3, 3)), [IMAGE], IMAGE, (2 * 1296, 144 + 144 + 36), (4 * 1296, 2 * 324)),
        (ops.Dense(5), [(7,)], (5,), (2 * 35 + 5, 7 + 5 + 40), (4 * 35 + 5, 2 * 52)),
        (ops.BatchNorm(), [IMAGE], IMAGE, (5 * 144, 3 * 144), (8 * 144, 5 * 144)),
        (ops.Activation(), [IMAGE], IMAGE, (144, 2 * 144), (144, 3 * 144)),
        (ops.DropPath(0.2), [IMAGE], IMAGE, (144, 2 * 144), (144, 2 * 144)),
        (ops.Pool("mean", (2, 2), (2, 2)), [IMAGE], (4, 3, 3), (4 * 36, 144 + 36), (4 * 36, 144 + 36)),
        (ops.Pool("max", (2, 2), (2, 2)), [IMAGE], (4, 3, 3), (4 * 36, 144 + 72), (36, 144 + 72)),
        (ops.GlobalPool("mean"), [IMAGE], (4,), (144, 148), (144, 148)),
        (ops.GlobalPool("max"), [IMAGE], (4,), (144, 152), (4, 152)),
        (ops.Merge("add"), [IMAGE] * 3, IMAGE, (2 * 144, 4 * 144), (0, 0)),
        (ops.Merge("concat"), [IMAGE, IMAGE], (8, 6, 6), (0, 4 * 144), (0, 0)),
        (ops.Merge("concat"), [IMAGE], IMAGE, (0, 0), (0, 0)),
        (ops.Identity(), [IMAGE], IMAGE, (0, 0), (0, 0)),
        (ops.Flatten(), [IMAGE], (144,), (0, 0), (0, 0)),
        (ops.Input(IMAGE), [], IMAGE, (0, 0), (0, 0)),
    ],
    ids=lambda given: given.kind if hasattr(given, "kind") else None,
)
def test_what_an_operation_takes(op, sources, target, there, back):
    assert forward(op, sources, target, 1) == Work(there[0], 4 * there[1])
    assert backward(op, sources, target, 1) == Work(back[0], 4 * back[1])


def test_weights_move_once_however_large_the_batch():
    one, two, three = (forward(ops.Dense(5, bias=False), [(7,)], (5,), batch) for batch in (1, 2, 3))
    assert three.bytes - two.bytes == two.bytes - one.bytes == 4 * 12
    assert one.bytes == 4 * (12 + 35)


def test_nobody_needs_the_gradient_of_an_image():
    conv = ops.Conv(8, (3, 3))
    assert backward(conv, [IMAGE], (8, 6, 6), 1, inner=False) == forward(conv, [IMAGE], (8, 6, 6), 1)
    assert backward(ops.Pool("max", (2, 2)), [IMAGE], IMAGE, 1, inner=False) == Work(0, 0)


def test_inner_is_what_lies_behind_anything_trained():
    network = Architecture(
        (
            Node("image", ops.Input(IMAGE)),
            Node("pool", ops.Pool("max", (2, 2), (2, 2)), ("image",)),
            Node("conv", ops.Conv(4, (3, 3)), ("pool",)),
            Node("sum", ops.Merge("add"), ("conv", "pool")),
            Node("head", ops.GlobalPool(), ("sum",)),
            Node("logits", ops.Classify(3), ("head",)),
        )
    )
    assert inner(network) == {"sum", "head", "logits"}


@given(networks())
def test_the_products_are_those_that_costs_counts(network: Architecture):
    found = shapes(network)
    products = 0
    for node in network:
        sources = [found[source] for source in node.inputs]
        if isinstance(node.op, ops.Conv | ops.Depthwise | ops.Dense | ops.Classify):
            flops = forward(node.op, sources, found[node.id], 3).flops
            products += flops - 3 * _biases(node.op, found[node.id])
    assert products == 2 * 3 * costs(network).macs


def _biases(op: ops.Op, target: ops.Size) -> int:
    return prod(target) if getattr(op, "bias", False) else 0
