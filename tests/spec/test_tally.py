"""Counting closings without making them gives what counting them does."""

import numpy as np
import pytest
from test_closing import SPACES

from amla.spaces.envelope import envelope
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.closing import Closing
from amla.spec.costs import costs
from amla.spec.tally import Tally, tally_of
from amla.spec.values import SpecError

MORE = SPACES | {"blocks": nasbench_macro((3, 8, 8), 2, width=2, last=4)}


def tally(template: Architecture) -> Tally | None:
    return tally_of(Closing(template, {}))


def picked(pick: ops.Pick, *branches: ops.Op) -> Architecture:
    nodes = [Node(f"b{number}", op, ("x",)) for number, op in enumerate(branches)]
    return Architecture((Node("x", ops.Input((2, 8))), *nodes, Node("y", pick, tuple(node.id for node in nodes))))


@pytest.mark.parametrize("space", MORE.values(), ids=MORE.keys())
def test_both_ways_of_counting_agree(space: Space):
    counting, rng = tally_of(Closing(space.template, space.tied)), np.random.default_rng(0)
    assert counting is not None
    for _ in range(30):
        decisions = space.draw(rng)
        found = costs(space.close(decisions))
        assert counting.used(decisions) == (found.parameters, found.macs)
        assert counting.peak_memory(decisions) == found.peak_memory


def test_what_may_not_be_kept_is_refused():
    counting = tally(picked(ops.Pick(), ops.Activation(), ops.Identity()))
    assert counting is not None
    for decisions in ({}, {"y": ("b0", "b1")}):
        with pytest.raises(SpecError):
            counting.used(decisions)
        with pytest.raises(SpecError):
            counting.peak_memory(decisions)


@pytest.mark.parametrize(
    "template",
    [
        picked(ops.Pick(), ops.Conv(3, (1,)), ops.Conv(4, (1,))),
        picked(ops.Pick(1, 2, "concat"), ops.Conv(3, (1,)), ops.Conv(3, (1,))),
        picked(ops.Pick(), ops.Identity(), ops.Conv(3, (1, 1))),
        envelope((1, 6, 6), 2, width=6).space.template,
    ],
    ids=["widths", "numbers", "what does not fit", "shares"],
)
def test_where_shapes_depend_on_decisions_it_cannot_count(template: Architecture):
    assert tally(template) is None


def test_a_fixed_number_of_branches_is_counted():
    template = picked(ops.Pick(2, 2, "concat"), *[ops.Conv(3, (1,))] * 3)
    counting = tally(template)
    assert counting is not None
    assert counting.used({"y": ("b0", "b2")}) == (2 * 3 * 2, 2 * 3 * 2 * 8)
    assert counting.peak_memory({"y": ("b0", "b2")}) == 4 * (6 + 6) * 8
