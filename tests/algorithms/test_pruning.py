"""How firmly windows say what leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.algorithms.pruning import Pruning, averaged, stability
from amla.spaces.envelope import envelope
from amla.spec.decisions import Decisions
from amla.trials.trial import Table

SPACE = envelope((3, 8, 8), 4, width=8, cells=(2, 1), max_cells=(2, 1), branches=("1x1", "3x3", "5x5"))
ALIKE = Pruning(SPACE, quota=9, share=1 / 3, skip_share=0.0, growing_only=False, alike=True)


def lowest(table: Table) -> frozenset[str]:
    return frozenset(sorted(table, key=lambda node: (table[node], node))[:2])


def test_the_mean_is_of_what_all_windows_have_read():
    assert averaged([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": 2.0}
    assert averaged([]) == {}


@given(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True), st.integers(1, 6))
def test_windows_that_say_the_same_are_firm(nodes: list[str], count: int):
    table = {node: float(ord(node)) for node in nodes}
    assert stability([table] * count, lowest, np.random.default_rng(0)) == 1


def test_where_nothing_leaves_there_is_nothing_to_disagree_about():
    assert stability([{"a": 1.0}, {"a": 2.0}], lambda table: frozenset(), np.random.default_rng(0)) == 1


@pytest.mark.parametrize(("noise", "least", "most"), [(0.1, 0.99, 1.0), (3.0, 0.5, 0.95), (1000.0, 0.2, 0.8)])
def test_the_noisier_windows_are_the_less_firm(noise: float, least: float, most: float):
    rng = np.random.default_rng(1)
    windows = [{f"n{i}": float(i + noise * rng.normal()) for i in range(8)} for _ in range(9)]
    assert least <= stability(windows, lowest, np.random.default_rng(0)) <= most


def readings(*cells: tuple[float, float, float]) -> Table:
    """Return what the branches 1x1, 3x3 and 5x5 of three cells read."""
    names = ("stage0/cell0", "stage0/cell1", "stage1/cell0")
    return {
        f"{cell}/{branch}": reading
        for cell, of in zip(names, cells, strict=True)
        for branch, reading in zip(("1x1", "3x3", "5x5"), of, strict=True)
    }


def kinds(leaving: frozenset[str]) -> set[str]:
    return {branch.rpartition("/")[2] for branch in leaving}


def test_of_cells_kept_alike_the_kind_of_the_lowest_mean_rank_leaves_all():
    """5x5 is last in two of three cells; by the mean reading it would be first."""
    found = ALIKE.leaving(SPACE.initial(), readings((2, 3, 1), (3, 2, 1), (1, 2, 99)))
    assert kinds(found) == {"5x5"}
    assert len(found) == 3


def test_a_cell_keeps_its_last_branch_also_if_its_kind_leaves():
    kept = {**SPACE.initial(), "stage1/cell0": ("stage1/cell0/5x5",)}
    worth = readings((2, 3, 1), (2, 3, 1), (0, 0, 1))
    assert ALIKE.leaving(kept, worth) == {"stage0/cell0/5x5", "stage0/cell1/5x5"}


def test_other_prunings_of_cells_kept_alike_keep_them_alike():
    worth, rng = readings((1, 2, 3), (1, 2, 3), (1, 2, 3)), np.random.default_rng(0)
    drawn = [ALIKE.leaving(SPACE.initial(), ALIKE.nearby(SPACE.initial(), worth, rng)) for _ in range(20)]
    assert {frozenset(kinds(leaving)) for leaving in drawn} == {frozenset({kind}) for kind in ("1x1", "3x3", "5x5")}
    assert {len(leaving) for leaving in drawn} == {3}


GROWING = envelope((3, 8, 8), 4, width=8, cells=(1, 1), max_cells=(3, 2), branches=("1x1", "3x3", "5x5"))


def rules(alike: bool) -> Pruning:
    return Pruning(GROWING, quota=9, share=1 / 3, skip_share=0.0, growing_only=False, alike=alike)


def live(decisions: Decisions) -> Decisions:
    """Return decisions without those about cells that a network does not have."""
    return GROWING.space.read(GROWING.space.close(decisions))


def depths(found: Pruning, decisions: Decisions) -> list[int]:
    cells = found.cells(live(decisions))
    return [sum(cell in stage.cells for cell in cells) for stage in GROWING.stages]


def test_every_stage_grows_that_may_or_those_that_are_named():
    found, kept = rules(alike=False), live(GROWING.initial())
    first, second = (stage.depth for stage in GROWING.stages)
    assert depths(found, found.grown(kept, kept)) == [2, 2]
    assert depths(found, found.grown(kept, kept, {second})) == [1, 2]
    assert live(found.grown(kept, kept, ())) == kept
    deeper = live(found.grown(kept, kept))
    assert depths(found, found.grown(deeper, deeper, {first, second})) == [3, 2]


def test_the_stages_drawn_to_grow_are_some_of_those_that_may():
    found, rng = rules(alike=False), np.random.default_rng(0)
    first, second = (stage.depth for stage in GROWING.stages)
    drawn = {found.some_growing(live(GROWING.initial()), rng) for _ in range(40)}
    assert drawn == {frozenset(), frozenset({first}), frozenset({second}), frozenset({first, second})}
    assert {found.some_growing(live(GROWING.deepest()), rng) for _ in range(9)} == {frozenset()}


@pytest.mark.parametrize("alike", [True, False])
def test_a_new_cell_is_whole_unless_cells_are_kept_alike(alike: bool):
    found, kept = rules(alike), live(GROWING.initial())
    cells = ("stage0/cell0", "stage1/cell0")
    worth = {f"{cell}/{branch}": place for cell in cells for place, branch in enumerate(("5x5", "1x1", "3x3"))}
    network = GROWING.space.close(found.grown(kept, found.pruned(kept, worth, {})))
    for old, new in (("stage0/cell0", "stage0/cell1"), ("stage1/cell0", "stage1/cell1")):
        assert kinds(frozenset(network[old].inputs)) <= kinds(frozenset(network[new].inputs))
        assert len(network[new].inputs) == (2 if alike else 3)
