"""Chains are folded into the block they serve, learned skips become tracks, and every node is somewhere."""

from drawn import networks
from hypothesis import given, settings
from searches import ENVELOPE

from amla.reports.blocks import Link, describe, fold
from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node

FIRST = ENVELOPE.space.close(ENVELOPE.initial())


def test_a_branch_is_one_block() -> None:
    folded = fold(FIRST)
    branch = folded.blocks["stage0/cell1/3x3sep"]
    assert branch.label == "3x3sep"
    assert branch.kind == "separable"
    assert [node.rsplit("/", 1)[-1] for node in branch.nodes] == ["depthwise", "conv", "norm", "3x3sep"]


def test_what_follows_under_an_address_belongs_to_it() -> None:
    assert fold(FIRST).blocks["head"].nodes == ("head", "head/dropout")
    space = envelope((1, 8, 8), 2, width=12, dropout=0.1)
    assert fold(space.space.close(space.initial())).blocks["stage0/cell0"].nodes[-1] == "stage0/cell0/dropout"


def test_a_learned_skip_is_a_track() -> None:
    folded = fold(FIRST)
    assert folded.tracks["stage0/cell1/from-stem"] == Link("stem", "stage0/cell1/in", "stage0/cell1/from-stem")
    assert "stage0/cell1/from-stem" not in folded.blocks


def test_a_merge_of_one_merge_is_passed_through_unless_it_joins_elsewhere() -> None:
    assert "stage0" not in fold(FIRST).blocks
    assert Link("stage0/cell1", "widen0/pool") in fold(FIRST).links
    assert "stage0" in fold(FIRST, junctions=["stage0"]).blocks


def test_a_cell_of_one_branch_keeps_its_merge_and_its_branch() -> None:
    space = ENVELOPE.space
    decisions = {**ENVELOPE.initial(), "stage0/cell0": ("stage0/cell0/3x3",)}
    folded = fold(space.close(decisions))
    assert folded.blocks["stage0/cell0"].kind == "concat"
    assert Link("stage0/cell0/3x3", "stage0/cell0") in folded.links


def test_a_side_exit_is_not_folded_away() -> None:
    network = Architecture(
        (
            Node("in", ops.Input((3, 4, 4))),
            Node("a/conv", ops.Conv(3, (1, 1)), ("in",)),
            Node("a", ops.Activation(), ("a/conv",)),
            Node("sum", ops.Merge("add"), ("a", "a/conv")),
        )
    )
    assert set(fold(network).blocks) == {"in", "a/conv", "a", "sum"}


@settings(max_examples=100, deadline=None)
@given(networks())
def test_every_node_is_in_one_block_or_a_track_or_passed_through(network: Architecture) -> None:
    folded = fold(network)
    inside = [node for block in folded.blocks.values() for node in block.nodes]
    assert len(inside) == len(set(inside))
    left = {node.id for node in network} - set(inside) - set(folded.tracks)
    assert all(isinstance(network[node].op, ops.Merge) and len(network[node].inputs) == 1 for node in left)
    assert {end for link in folded.links for end in (link.source, link.target)} <= set(folded.blocks)


def test_ops_are_described_in_words() -> None:
    assert describe(ops.Conv(8, (3, 3), (2, 2))) == "3×3 convolution, stride 2×2 to 8 channels"
    assert describe(ops.Pick(1, 6, "concat")) == "undecided: concatenation of 1 to 6 of its inputs"
    assert describe(ops.BatchNorm()) == "batch norm"
    assert describe(ops.DropPath(0.2)) == "drop path up to 0.2"
