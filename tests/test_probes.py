"""Probes by name, what they watch, and what they read."""

import numpy as np
import pytest

from amla.probes import PROBES, Gate, Moments, ProbeError, chance, probe, scaling, watched
from amla.spaces.envelope import envelope

SPACE = envelope((3, 8, 8), 4, width=12, cells=(2,), max_cells=(2,), branches=("1x1", "3x3sep"))
NETWORK = SPACE.space.close(SPACE.initial())
MOMENTS = Moments(np.array([1.0, 0.0]), np.array([2.0, 7.0]))


def test_every_probe_exists_by_cost_too():
    for name, found in PROBES.items():
        assert probe(name) is found
        by_cost = probe(f"{name}_per_mac")
        assert (by_cost.name, by_cost.of, by_cost.per_mac) == (f"{name}_per_mac", found.of, True)
        assert by_cost.read is found.read


@pytest.mark.parametrize("name", ["", "mss", "_per_mac", "msss_per_mac_per_mac"])
def test_a_probe_that_is_not_there_is_an_error_that_names_all(name: str):
    with pytest.raises(ProbeError, match=f"There is no probe '{name}'; there are msss, .*_per_mac"):
        probe(name)


@pytest.mark.parametrize(
    ("name", "reading"),
    [("msss", 4.5), ("msss_sum", 9), ("norm", 3), ("variance", 4), ("variance_sum", 8), ("mean", 0.5), ("mean_sum", 1)],
)
def test_readings_of_moments(name: str, reading: float):
    assert probe(name).read(MOMENTS) == reading


def test_readings_of_gates_and_scales():
    gate, scales = Gate(mean=-1.0, size=2.0, square=5.0), np.array([-3.0, 1.0])
    assert [probe(name).read(gate) for name in ("taylor", "taylor_signed", "fisher")] == [2, 1, 5]
    assert [probe(name).read(scales) for name in ("scale", "scale_signed")] == [2, -1]


def test_branches_are_watched_unless_said_otherwise_and_skips_for_their_scales():
    branches = tuple(f"stage0/cell{cell}/{branch}" for cell in (0, 1) for branch in ("1x1", "3x3sep"))
    assert watched(probe("taylor"), NETWORK, ()) == branches
    assert watched(probe("scale"), NETWORK, ()) == ("stage0/cell1/from-stem",)
    assert watched(probe("scale"), NETWORK, branches[:1]) == branches[:1]
    with pytest.raises(ProbeError, match="'scale' reads learned scales, but 'stage0/cell0/1x1/conv' has none"):
        watched(probe("scale"), NETWORK, ("stage0/cell0/1x1/conv",))


def test_a_branch_has_the_scales_of_its_normalisation():
    assert scaling(NETWORK, "stage0/cell0/1x1") == "stage0/cell0/1x1/norm"
    assert scaling(NETWORK, "stage0/cell1/from-stem") == "stage0/cell1/from-stem"
    assert scaling(NETWORK, "image") is None


def test_chance_is_a_function_of_seed_and_node_and_spread_evenly():
    assert chance(1, "a") == chance(1, "a") != chance(2, "a") != chance(2, "b")
    drawn = np.array([chance(seed, "a") for seed in range(2000)])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.03
