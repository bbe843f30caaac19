import numpy as np
import pytest

from amla.spaces.envelope import BRANCHES, Envelope, envelope
from amla.spaces.space import SpaceError
from amla.spec import ops
from amla.spec.architecture import Architecture
from amla.spec.costs import costs, shapes
from amla.spec.ops import Size
from amla.spec.values import SpecError

SIZES = {1: (2, 20), 2: (3, 9, 8), 3: (1, 5, 6, 7)}
FEW = ("1x1", "3x3", "3x3sep")


def small(shape: Size = (3, 8, 8), **options: object) -> Envelope:
    return envelope(shape, 4, **{"width": 8, "cells": (1, 2), "max_cells": (3, 2), "branches": FEW} | options)


def draws(found: Envelope, count: int = 10) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [found.space.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("shape", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("skips", ["add", "concat", "none"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_every_cell_is_as_wide_as_its_stage(shape: Size, skips: str, dropout: float):
    found = small(shape, skips=skips, dropout=dropout, head_dropout=dropout)
    for closed in draws(found):
        sizes = shapes(closed)
        for number, stage in enumerate(found.stages):
            spatial = tuple(-(-extent // 2**number) for extent in shape[1:])
            for cell in stage.cells:
                assert sizes.get(cell.branches, (8 * 2**number, *spatial)) == (8 * 2**number, *spatial)
            assert sizes[stage.depth] == (8 * 2**number, *spatial)
        assert sizes["logits"] == (4,)


def test_the_structure_is_stem_stages_wideners_and_head():
    found = small()
    template = found.space.template
    assert [stage.depth for stage in found.stages] == ["stage0", "stage1"]
    assert [[cell.branches for cell in stage.cells] for stage in found.stages] == [
        ["stage0/cell0", "stage0/cell1", "stage0/cell2"],
        ["stage1/cell0", "stage1/cell1"],
    ]
    assert template.nodes[0].op == ops.Input((3, 8, 8))
    assert template["stage0"].inputs == ("stage0/cell0", "stage0/cell1", "stage0/cell2")
    assert template["stage0/cell1"].inputs == ("stage0/cell1/1x1", "stage0/cell1/3x3", "stage0/cell1/3x3sep")
    assert template["stage0/cell1"].op == ops.Pick(1, 3, "concat", width=8)
    assert template["stage1/cell0"].op.width == 16
    assert template["widen0"].inputs == ("widen0/pool", "widen0/conv")
    assert template.output.op == ops.Classify(4)


def test_a_cell_reads_the_one_before_and_skips_from_all_earlier_in_its_stage():
    found = small(cells=(1,), max_cells=(3,))
    template = found.space.template
    assert [cell.skips for cell in found.stages[0].cells] == [None, "stage0/cell1/in", "stage0/cell2/in"]
    before, *scaled = template["stage0/cell2/in"].inputs
    assert before == "stage0/cell1"
    assert scaled == ["stage0/cell2/from-stem", "stage0/cell2/from-cell0"]
    assert template["stage0/cell2/in"].op == ops.Pick(1, 3, "add", fixed=1)
    assert [template[skip].inputs for skip in scaled] == [("stem",), ("stage0/cell0",)]
    assert template[scaled[0]].op == ops.Scale(0.5, 0.01)


def test_concatenated_skips_are_brought_back_to_the_width():
    closed = small(cells=(3,), max_cells=(3,), skips="concat")
    closed = closed.space.close(closed.initial())
    assert shapes(closed)["stage0/cell2/in"] == (24, 8, 8)
    assert closed["stage0/cell2/join/conv"].op == ops.Conv(8, (1, 1))


def test_without_skips_cells_only_read_the_one_before():
    template = small(skips="none").space.template
    assert not any(isinstance(node.op, ops.Scale) for node in template)
    assert template["stage0/cell2/1x1/conv"].inputs == ("stage0/cell1",)


def test_skips_with_dropout_read_what_was_dropped_out():
    template = small(dropout=0.1).space.template
    assert template["stage0/cell2/from-cell0"].inputs == ("stage0/cell0/dropout",)
    assert template["stage0"].inputs[0] == "stage0/cell0/dropout"


def test_a_branch_is_convolution_normalisation_and_activation():
    template = small().space.template
    assert template["stage0/cell0/3x3/conv"].op == ops.Conv(None, (3, 3))
    assert template["stage0/cell0/3x3/norm"].inputs == ("stage0/cell0/3x3/conv",)
    assert template["stage0/cell0/3x3"].op == ops.Activation("relu")
    assert template["stage0/cell0/3x3sep/depthwise"].op == ops.Depthwise((3, 3))
    assert template["stage0/cell0/3x3sep/conv"].op == ops.Conv(None, (1, 1))


def test_the_initial_network_has_all_branches_all_skips_and_few_cells():
    found = small(cells=(2, 1))
    closed = found.space.close(found.initial())
    assert closed["stage0"].inputs == ("stage0/cell1",)
    assert closed["stage1"].inputs == ("stage1/cell0",)
    assert "stage0/cell2" not in closed
    assert len(closed["stage0/cell1"].inputs) == len(FEW)
    assert closed["stage0/cell1/in"].inputs == ("stage0/cell0", "stage0/cell1/from-stem")
    assert found.space.read(closed).items() <= found.initial().items()


def test_the_fullest_network_keeps_every_branch():
    found = small()
    closed = found.space.close(found.space.fullest())
    assert all(len(closed[cell].inputs) == len(FEW) for cell in ("stage0/cell0", "stage1/cell0"))


def test_kernels_have_an_axis_for_every_axis_of_the_input():
    assert small((3, 8)).space.template["stage0/cell0/3x3/conv"].op.kernel == (3,)
    assert small((3, 4, 4, 4)).space.template["stage0/cell0/3x3/conv"].op.kernel == (3, 3, 3)
    uneven = small(branches=("1x3", "7x1sep")).space.template
    assert uneven["stage0/cell0/1x3/conv"].op.kernel == (1, 3)
    assert uneven["stage0/cell0/7x1sep/depthwise"].op.kernel == (7, 1)


def test_parameters_are_those_counted_by_hand():
    found = envelope((3, 4, 4), 2, width=4, cells=(1,), max_cells=(1,), branches=("1x1", "3x3sep"))
    stem, one, separable, head = 4 * 3 * 9 + 8, 2 * 4 + 4, 4 * 9 + 2 * 4 + 4, 4 * 2 + 2
    assert costs(found.space.close(found.initial())).parameters == stem + one + separable + head


def test_the_branches_are_those_of_the_paper():
    assert envelope((3, 8, 8), 10).space.template["stage0/cell0"].inputs == tuple(f"stage0/cell0/{b}" for b in BRANCHES)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"cells": (), "max_cells": ()}, r"cells \[\] and max_cells \[\] must say one number for every stage"),
        ({"cells": (1,)}, r"cells \[1\] and max_cells \[3, 2\] must say one number for every stage"),
        ({"cells": (0, 1)}, "stage 0 starts with 0 cells and may have 3; say 1 <= cells <= max_cells"),
        ({"cells": (1, 3)}, "stage 1 starts with 3 cells and may have 2"),
        ({"branches": ()}, r"branches are \[\]; name at least one, and none twice"),
        ({"branches": ("1x1", "1x1")}, "name at least one, and none twice"),
        ({"width": 2}, "width is 2, but each of 3 branches needs a channel; take 3 or more"),
        ({"branches": ("4x4",)}, "branch '4x4' names no odd kernel of 2 axes; write for example '3x3' or '3x3sep'"),
        ({"branches": ("3x5x7",)}, "branch '3x5x7' names no odd kernel of 2 axes"),
        ({"branches": ("big",)}, "branch 'big' names no odd kernel"),
        ({"branches": ("-3x3",)}, "branch '-3x3' names no odd kernel"),
        ({"branches": ("sep",)}, "branch 'sep' names no odd kernel"),
    ],
)
def test_bad_arguments_are_told(options: dict[str, object], rule: str):
    with pytest.raises(SpaceError, match=rule):
        small(**options)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: small((3, 0)), "input.shape"),
        (lambda: small(dropout=1.0), "dropout.rate is 1.0"),
        (lambda: envelope((3, 8, 8), 0), "classify.classes is 0"),
    ],
)
def test_arguments_that_no_network_can_have_are_told(make: object, rule: str):
    with pytest.raises(SpecError, match=rule):
        make()


def test_a_stage_deeper_than_any_search_grows_is_refused():
    with pytest.raises(SpaceError, match="stage 1 may have 5000 cells; more than 64 are never grown"):
        envelope((1, 8, 8), 3, cells=(1, 1), max_cells=(4, 5000))


class TestPools:
    def test_the_first_cell_of_each_stage_halves_the_resolution_after_its_convolutions(self):
        found = small((3, 9, 9), skeleton="pools", growth=(1, 3), cells=(2, 2), max_cells=(3, 2))
        closed = found.space.close(found.initial())
        sizes = shapes(closed)
        assert closed["stem/conv"].op == ops.Conv(24, (2, 2), bias=True, padding="valid")
        assert sizes["stem"] == (24, 8, 8)
        assert [sizes[stage.depth] for stage in found.stages] == [(8, 4, 4), (24, 2, 2)]
        assert closed["stage1/cell0/3x3sep/pool"].inputs == ("stage1/cell0/3x3sep/conv",)
        assert "stage1/cell1/3x3sep/pool" not in closed
        assert closed["head"].op == ops.GlobalPool("max")

    def test_skips_come_from_cells_of_the_same_stage(self):
        template = small(skeleton="pools", cells=(1, 1), max_cells=(3, 3)).space.template
        assert template["stage1/cell2/in"].inputs == ("stage1/cell1", "stage1/cell2/from-cell0")
        assert "stage1/cell1/in" not in template

    @pytest.mark.parametrize("shape", SIZES.values(), ids=SIZES.keys())
    def test_all_kinds_of_input_fit(self, shape: Size):
        shape = (shape[0], *(extent + 8 for extent in shape[1:]))
        for closed in draws(small(shape, skeleton="pools", stem_stride=2)):
            assert shapes(closed)["logits"] == (4,)

    def test_two_branches_may_be_alike(self):
        closed = small(branches=("3x3-a", "3x3-b", "5x5sep-c"))
        closed = closed.space.close(closed.initial())
        kernels = [closed[f"stage0/cell0/{name}/conv"].op.kernel for name in ("3x3-a", "3x3-b", "5x5sep-c")]
        assert kernels == [(3, 3), (3, 3), (1, 1)]
        assert closed["stage0/cell0/5x5sep-c/depthwise"].op == ops.Depthwise((5, 5))


class TestBounds:
    def test_every_network_is_as_wide_as_the_bounds_allow(self):
        found = small((3, 16, 16), width=64, macs=400_000, parameters=20_000, branches=BRANCHES)
        for closed in draws(found, 20):
            cost = costs(closed)
            assert cost.macs <= 400_000
            assert cost.parameters <= 20_000
            decisions = found.space.read(closed)
            wider = small((3, 16, 16), width=closed["stem/conv"].op.channels + 1, branches=BRANCHES)
            beyond = costs(wider.space.close(decisions))
            assert beyond.macs > 400_000 or beyond.parameters > 20_000

    def test_no_network_is_wider_than_the_space(self):
        found = small(width=10, macs=10**9)
        assert all(closed["stem/conv"].op.channels == 10 for closed in draws(found, 5))

    def test_what_cannot_be_narrow_enough_is_not_accepted(self):
        found = small(width=10, parameters=100)
        assert not found.space.accepts(found.space.close(found.initial()))
        with pytest.raises(SpaceError, match="the smallest one found has 265 parameters, where 100 are allowed"):
            found.space.sample(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"growth": (1,)}, r"growth is \[1\]; it must say for each of 2 stages how wide it is, 1 first"),
        ({"growth": (2, 4)}, "it must say for each of 2 stages how wide it is, 1 first"),
        ({"growth": (1, 1)}, "a widener adds channels, so each stage must have 1.5 times"),
        ({"growth": (1, -1), "skeleton": "pools"}, "it must say for each of 2 stages how wide it is, 1 first"),
    ],
)
def test_growth_that_cannot_be_is_refused(options: dict[str, object], rule: str):
    with pytest.raises(SpaceError, match=rule):
        small(**options)
