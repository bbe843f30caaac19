"""Micro cells of 2018: what the format means, where the program of 2018 did otherwise."""

from typing import Any

import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture
from amla.spec.costs import shapes
from amla.spec.legacy.fields import Fields
from amla.spec.legacy.micro import build_micro, read_micro
from amla.spec.legacy.nodes import Nodes
from amla.spec.values import SpecError


def node(kind: str, *inputs: str, **more: int) -> dict[str, Any]:
    return {"node": {"type": kind, **more}, "input": list(inputs)}


def network(*order: str, **cells: dict[str, Any]) -> Architecture:
    """Return the network of these cells on a stem of 8 channels and 16 x 16 places; node1 is -1, node2 is 0."""
    given = {name: {"node1": -1, "node2": 0, **cell} for name, cell in cells.items()}
    micro = read_micro(Fields({"type": "micro", "network": list(order), **given}, "arch"))
    nodes = Nodes()
    stem = nodes.add("stem", ops.Input((8, 16, 16)))
    build_micro(nodes, micro, stem)
    return Architecture(tuple(nodes.nodes))


CELL = {"node3": node("3x3sep", "node1"), "node4": node("3x3", "node2"), "node5": node("concat", "node3", "node4")}


def test_a_normal_cell_keeps_the_resolution_whatever_strides_it_names():
    found = network(
        "normal", normal={"node3": node("1x1", "node1", stride=2), "node4": node("concat", "node3", "node2")}
    )
    assert shapes(found)[found.output.id] == (16, 16, 16)


def test_a_reduction_cell_halves_the_resolution_and_doubles_the_channels():
    found = shapes(network("reduction", "normal", reduction=CELL, normal=CELL))
    assert found["cell0"] == (32, 8, 8)
    assert found["cell1/node3"] == (16, 8, 8)


def test_separable_convolutions_have_strides():
    found = network("reduction", reduction=CELL)
    assert found["cell0/node3/depthwise"].op == ops.Depthwise((3, 3), (2, 2))
    assert found["cell0/node3/conv"].op == ops.Conv(16, (1, 1))


def test_what_reads_no_input_of_a_reduction_cell_has_no_stride():
    cell = {"node3": node("3x3maxpool", "node2"), "node4": node("5x5sep", "node3")}
    found = shapes(network("reduction", reduction=cell))
    assert found["cell0/node3"][1:] == found["cell0/node4"][1:] == (8, 8)


def test_a_cell_reads_the_output_before_the_last_brought_to_its_own_resolution():
    cell = {"node3": node("add", "node1", "node2")}
    reducing = {"node3": node("3x3", "node2")}
    found = network("normal", "reduction", "normal", normal=cell, reduction=reducing)
    assert found["cell2/node1/conv"].inputs == ("cell0/half1",)
    assert found["cell2/node2/conv"].inputs == ("cell1",)


def test_averages_are_pools_and_dilated_convolutions_are_dilated():
    cell = {
        "node3": node("3x3avg", "node1"),
        "node4": node("5x5dilated", "node3"),
        "node5": node("2x2maxpool", "node4"),
    }
    found = network("normal", normal=cell)
    assert found["cell0/node3"].op == ops.Pool("mean", (3, 3), (1, 1))
    assert found["cell0/node4/conv"].op == ops.Conv(8, (5, 5), (1, 1), (2, 2))
    assert found["cell0/node5"].op == ops.Pool("max", (2, 2), (1, 1))


def test_summands_of_other_channels_are_brought_to_those_of_the_cell():
    cell = {"node3": node("concat", "node1", "node2"), "node4": node("add", "node3", "node2")}
    found = network("normal", normal=cell)
    assert shapes(found)["cell0/node3"] == (16, 16, 16)
    assert shapes(found)["cell0"] == (8, 16, 16)


def test_a_dense_node_makes_an_auxiliary_head_that_is_no_cell():
    head = {"node1": 0, "node2": node("dense", "node1", outputs=10)}
    found = network("normal", "aux", "normal", normal=CELL, aux=head)
    assert found.heads == {"auxiliary0": 0.4}
    assert found["auxiliary0/mean"].inputs == ("cell0",)
    assert found["cell1/node1/conv"].inputs == ("stem",)


def test_nodes_that_reach_no_output_are_left_out():
    found = network("normal", normal={"node3": node("7x7", "node1"), "node4": node("3x3", "node2")})
    assert "cell0/node3" not in found


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"node3": node("9x", "node1")}, r"arch\.c\.node3\.node\.type is '9x'; known are"),
        ({"node3": node("3x3", "node1", "node2")}, r"arch\.c\.node3\.input is .*; '3x3' reads exactly one"),
        ({"node3": node("3x3", "node9")}, r"arch\.c\.node3 reads \['node9'\]"),
        ({"node3": node("add", "node4"), "node4": node("add", "node3")}, r"arch\.c\.node3 reads \['node4'\]"),
        ({"node3": -2}, r"arch\.c\.node3 is -2; an input is -1"),
        ({"node3": {"input": ["node1"]}}, r"arch\.c\.node3 needs a node and its input"),
        ({}, r"arch\.c needs an input"),
    ],
)
def test_what_is_no_cell_is_told_with_its_address(cell: dict[str, Any], message: str):
    with pytest.raises(SpecError, match=message):
        network("c", c=cell)


def test_a_cell_that_is_not_there_is_named():
    with pytest.raises(SpecError, match=r"arch\.network names 'other', of which there is no cell"):
        network("other", normal=CELL)


def test_a_reduction_cell_that_does_not_reduce_is_refused():
    with pytest.raises(SpecError, match="cell0 is a reduction cell, but"):
        network("reduction", reduction={"node3": node("3x3", "node1", stride=1)})
