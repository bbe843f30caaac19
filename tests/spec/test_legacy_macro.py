import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.legacy.macro import branch_id, build_macro, skip_id
from amla.spec.legacy.nodes import RESPONSE, Nodes
from amla.spec.macro import Layer, Macro, Widener, read_macro
from amla.spec.values import SpecError

ENVELOPE = tuple((f"Branch{n}", op) for n, op in enumerate(("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep"), 1))
ONE = (("Branch1", "1x1"),)


def built(macro: Macro, width: int, size: int = 32, dropout: float = 0.2) -> Architecture:
    """Return a macro network between the stem of 2018, with response normalisation, and its head."""
    nodes = Nodes()
    image = nodes.add("image", ops.Input((3, size, size)))
    stem = nodes.convolved("stem/relu", image, ops.Conv(width, (1, 1), bias=True))
    outputs = build_macro(nodes, macro, nodes.add("stem", RESPONSE, stem), width, dropout)
    nodes.add("head", ops.GlobalPool("mean"), outputs[-1])
    nodes.add("logits", ops.Classify(10), "head")
    return Architecture(tuple(nodes.nodes))


def envelopes(*stages: int, width: int, skips: bool) -> Macro:
    items: list[Layer | Widener] = []
    for stage, layers in enumerate(stages):
        items += [Widener()] if stage else []
        for _ in range(layers):
            inputs = tuple(range(len(items) - 1, 0, -1)) if skips else None
            items.append(Layer(ENVELOPE, width << stage, inputs))
    return Macro(tuple(items))


def test_the_network_that_the_search_of_2018_began_with_has_its_parameters():
    assert costs(built(envelopes(2, 2, 2, width=64, skips=True), 64)).parameters == 1_839_274


def test_the_envelope_of_the_comparison_of_2018_has_its_parameters():
    assert round(costs(built(envelopes(10, 1, 1, 1, width=128, skips=False), 128)).parameters / 1e6, 1) == 13.0


def test_a_layer_that_names_no_inputs_reads_a_1x1_convolution_all_the_same():
    network = built(Macro((Layer(ONE, 4, ()), Layer(ONE, 4))), 4)
    joined = network["stage0/cell0/join/conv"]
    assert (joined.inputs, joined.op) == (("stem",), ops.Conv(4, (1, 1), bias=True))
    assert "stage0/cell1/join" not in network


def test_skips_are_halved_until_resolutions_meet_and_scaled():
    macro = Macro((Layer(ONE, 4), Widener(), Layer(ONE, 8), Widener(), Layer(ONE, 16, (1, 0))))
    network = built(macro, 4)
    merged = network["stage2/cell0/in"]
    assert merged.inputs == ("widen1", "stage2/cell0/from-stage0-cell0", "stage2/cell0/from-stem")
    skip = network["stage2/cell0/from-stage0-cell0"]
    assert skip.op == ops.Scale(0.5, 0.01)
    assert skip.inputs == ("stage2/half2/stage0-cell0-dropout",)
    once = "widen0/half1/stage0-cell0-dropout"  # which the widener reads too
    assert network["stage2/half2/stage0-cell0-dropout"].inputs == (once,)
    assert once in network["widen0"].inputs
    assert network["stage2/cell0/join/conv"].op == ops.Conv(
        16, (1, 1), bias=True
    )  # 8 of the pool, 8 of the convolution


def test_the_last_node_of_a_stage_is_its_output():
    macro = Macro((Layer(ONE, 4), Layer(ONE, 4), Widener(), Layer(ONE, 8, (1, 0)), Widener(), Layer(ONE, 16, (2, 1))))
    network = built(macro, 4)
    last = {node.id.partition("/")[0]: node.id for node in network}
    assert [last[f"stage{n}"] for n in range(3)] == [f"stage{n}/cell{1 - bool(n)}/dropout" for n in range(3)]


def test_a_branch_has_its_share_of_the_channels_rounded_down():
    network = built(Macro((Layer(ENVELOPE, 64),)), 64)
    widths = {network[f"{branch}/conv"].op.channels for branch in network["stage0/cell0"].inputs}
    assert widths == {10}


def test_a_layer_with_fewer_channels_than_branches_is_refused():
    with pytest.raises(SpecError, match="'stage0/cell0' has 5 channels for 6 branches"):
        built(Macro((Layer(ENVELOPE, 5),)), 5)


def test_odd_resolutions_meet_since_halves_are_rounded_up_everywhere():
    macro = read_macro([{"filters": {"B": "1x1"}}, {"widener": {}}, {"filters": {"B": "1x1"}, "inputs": [1]}], 4)
    assert costs(built(macro, 4, size=9)).parameters > 0


def test_branches_with_one_op_in_a_cell_have_addresses_of_their_own():
    network = built(Macro((Layer((("Branch0", "3x3"), ("Branch1", "3x3")), 4),)), 4)
    assert network["stage0/cell0"].inputs == ("stage0/cell0/Branch0-3x3", "stage0/cell0/Branch1-3x3")


def test_a_branch_called_by_its_op_is_addressed_by_it():
    assert branch_id("stage0/cell1", "3x3", "3x3") == "stage0/cell1/3x3"
    assert branch_id("stage0/cell1", "3x3-a", "3x3") == "stage0/cell1/3x3-a"
    assert branch_id("stage0/cell1", "3x3sep", "3x3") == "stage0/cell1/3x3sep-3x3"
    assert skip_id("stage0/cell1", "stem") == "stage0/cell1/from-stem"


def test_there_is_dropout_after_every_layer_unless_it_is_0():
    macro = Macro((Layer(ONE, 4),))
    assert built(macro, 4, dropout=0.3)["stage0/cell0/dropout"].op == ops.Dropout(0.3)
    assert "stage0/cell0/dropout" not in built(macro, 4, dropout=0.0)
