"""What readings of branches make of networks."""

from math import nan

import numpy as np
import pytest

from amla.comparison.branches import Branches
from amla.probes import chance
from amla.spaces.envelope import envelope

KINDS = ("1x1", "3x3", "3x3sep")
SPACE = envelope((1, 8, 8), 2, width=6, cells=(1, 1), max_cells=(2, 2), branches=KINDS)
BRANCHES = Branches(SPACE)
SIZES = {branch: KINDS.index(branch.rpartition("/")[2]) for branch in BRANCHES.nodes}  # 1x1 is the weakest


def network(*kinds: str, cells: int = 2):
    kept = {c.branches: tuple(f"{c.branches}/{kind}" for kind in kinds) for s in SPACE.stages for c in s.cells}
    return SPACE.space.close({**SPACE.as_deep_as(cells), **kept})


def test_all_cells_are_watched_and_every_network_has_no_others():
    assert len(BRANCHES.nodes) == 4 * len(KINDS)
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = SPACE.space.sample(rng)
        cells = [cell.branches for stage in SPACE.stages for cell in stage.cells if cell.branches in drawn]
        assert {branch for cell in cells for branch in drawn[cell].inputs} <= set(BRANCHES.nodes)
        assert 0 <= BRANCHES.worth(drawn, SIZES) <= 1


@pytest.mark.parametrize(
    ("kinds", "worth"),
    [
        (("1x1",), 0),
        (("3x3",), 0.5),
        (("3x3sep",), 1),
        (("1x1", "3x3sep"), 0.5),
        (("3x3", "3x3sep"), 0.75),
        (KINDS, 0.5),
    ],
)
def test_a_network_is_worth_the_mean_rank_of_its_branches(kinds: tuple[str, ...], worth: float):
    assert BRANCHES.worth(network(*kinds), SIZES) == worth


def test_depth_makes_no_difference():
    assert BRANCHES.worth(network("3x3", cells=1), SIZES) == BRANCHES.worth(network("3x3", cells=2), SIZES)


def test_equal_readings_share_a_rank_and_what_was_not_read_is_weakest():
    equal = {branch: 1.0 if size else 0.0 for branch, size in SIZES.items()}
    assert BRANCHES.worth(network("3x3"), equal) == BRANCHES.worth(network("3x3sep"), equal) == 0.75
    unread = {branch: nan if branch.endswith("/3x3sep") else 1.0 for branch in SIZES}
    assert BRANCHES.worth(network("3x3sep"), unread) == 0


def test_only_the_order_counts():
    readings = {branch: chance(0, branch) for branch in BRANCHES.nodes}
    other = {branch: 100 * reading**3 - 7 for branch, reading in readings.items()}
    drawn = SPACE.space.sample(np.random.default_rng(1))
    assert BRANCHES.worth(drawn, readings) == BRANCHES.worth(drawn, other)


def test_a_cell_that_has_no_choice_says_nothing():
    alone = Branches(envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(1,), branches=("3x3",)))
    assert alone.worth(alone.whole, dict.fromkeys(alone.nodes, 3.0)) == 0.5
