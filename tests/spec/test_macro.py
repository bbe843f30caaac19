import pytest

from amla.spec.macro import Layer, Macro, Widener, read_macro, written_macro
from amla.spec.values import SpecError

PLAIN = [
    {"filters": {"Branch1": "1x1", "Branch2": "3x3sep"}, "outputs": 8, "inputs": []},
    {"filters": {"Branch2": "3x3sep"}, "outputs": 8, "inputs": [0]},
    {"widener": {}},
    {"filters": {"Branch1": "1x1"}, "outputs": 16, "inputs": "all"},
    {"widener2": {}, "inputs": [1, 3]},
    {"filters": {"Branch1": "5x5"}, "outputs": 32},
]


def test_both_dialects_say_the_same():
    assert read_macro({"type": "macro", "network": PLAIN}, 8) == read_macro(PLAIN, 8)


@pytest.mark.parametrize("dialect", ["amla", "env"])
def test_what_is_written_is_read_as_the_same(dialect):
    plain = PLAIN if dialect == "env" else {"type": "macro", "network": PLAIN}
    assert written_macro(read_macro(plain, 8), dialect) == plain


def test_all_means_every_cell_but_the_one_before():
    macro = read_macro(PLAIN, 8)
    assert macro.sources(3) == (0, 1, 2)
    assert macro.sources(0) == ()
    assert macro.sources(5) is None


def test_stages_lie_between_wideners():
    assert [len(stage) for stage in read_macro(PLAIN, 8).stages] == [2, 1, 1]


def test_a_stage_that_grows_leaves_the_addresses_of_the_others():
    layer = Layer((("1x1", "1x1"),), 4)
    before, after = Macro((layer, Widener(), layer)), Macro((layer, layer, Widener(), layer))
    assert before.addresses == ("stem", "stage0/cell0", "widen0", "stage1/cell0")
    assert set(before.addresses) < set(after.addresses)


def test_outputs_that_are_left_out_double_at_wideners():
    plain = [{"filters": {"Branch0": "3x3"}}, {"widener": {}}, {"filters": {"Branch0": "3x3"}}]
    assert [layer.outputs for (layer,) in read_macro(plain, 64).stages] == [64, 128]


def test_branches_are_in_the_order_of_their_names():
    (layer,) = read_macro([{"filters": {"Branch2": "3x3", "Branch10": "1x1"}}], 8).items
    assert layer == Layer((("Branch10", "1x1"), ("Branch2", "3x3")), 8)


@pytest.mark.parametrize(
    ("plain", "why"),
    [
        ({"type": "micro", "network": PLAIN}, "network.type is 'micro'"),
        ({"type": "macro", "network": PLAIN, "cell": {}}, r"network has \['cell'\]"),
        ({"type": "macro"}, "network.network is 'None'"),
        ([], r"network is '\[\]'"),
        ("macro", "network is 'macro'"),
        ([3], r"network\[0\] is 3"),
        ([{"filters": {"B": "3x3"}, "stride": 2}], r"network\[0\] has \['filters', 'stride'\]"),
        ([{"auxiliary": {}}], r"network\[0\] has \['auxiliary'\]"),
        ([{"filters": {}}], r"network\[0\]: filters are \[\]"),
        ([{"filters": ["3x3"]}], r"network\[0\].filters is \['3x3'\]"),
        ([{"filters": {"B": 3}}], r"network\[0\].filters is \{'B': 3\}"),
        ([{"filters": {"B": "11x11"}}], r"network\[0\]: filters.B is '11x11'"),
        ([{"filters": {"a/b": "3x3"}}], r"network\[0\]: filters has a branch 'a/b'"),
        ([{"filters": {"B": "3x3"}, "outputs": "8"}], r"network\[0\].outputs is '8'"),
        ([{"filters": {"B": "3x3"}, "outputs": -1}], r"network\[0\]: outputs is -1"),
        ([{"filters": {"B": "3x3"}, "inputs": 1}], r"network\[0\].inputs is 1"),
        ([{"filters": {"B": "3x3"}, "inputs": [0]}], r"network\[0\].inputs names cell 0; this is cell 1"),
    ],
)
def test_what_is_not_understood_is_told_with_its_address(plain, why):
    with pytest.raises(SpecError, match=why):
        read_macro(plain, 8)
