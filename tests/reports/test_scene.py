"""Of the networks of a growth every block has a place of its own, the branches of a cell in one row."""

from amla.reports.scene import compose
from amla.spaces.envelope import Envelope, envelope
from amla.spec.architecture import Architecture

SPACE = envelope(
    (3, 16, 16), 4, width=8, skeleton="pools", growth=(1, 2), cells=(1, 1), max_cells=(3, 2), skips="none",
    branches=("1x1", "3x3", "5x5"),
)  # fmt: skip


def network(space: Envelope, cells: int, branches: tuple[str, ...]) -> Architecture:
    """Return a network whose first stage has so many cells, of such branches all."""
    first, *_ = space.stages
    kept = {
        cell.branches: tuple(f"{cell.branches}/{branch}" for branch in branches)
        for stage in space.stages
        for cell in stage.cells
    }
    depth = space.space.template[first.depth].inputs[cells - 1 : cells]
    return space.space.close({**space.initial(), **kept, first.depth: depth})


def test_the_branches_of_a_cell_stand_in_one_row_whatever_cell_they_read() -> None:
    """1x1 leaves before the first stage grows, so it is never read there by anything behind its second cell."""
    whole = network(SPACE, 1, ("1x1", "3x3", "5x5"))
    deeper, deepest = network(SPACE, 2, ("3x3", "5x5")), network(SPACE, 3, ("3x3",))
    among = (whole, deeper, deepest)
    rows = [
        compose(now, before, None, among, 20.0).layout.rows for now, before in zip(among, (None, *among), strict=False)
    ]
    assert rows[0] == rows[1] == rows[2]
    places = {block: number for number, row in enumerate(rows[0]) for block in row}
    for cell in ("stage0/cell0", "stage1/cell0"):
        assert len({places[f"{cell}/{branch}"] for branch in ("1x1", "3x3", "5x5")}) == 1
    assert places["stage1/cell0/1x1"] > places["stage0/cell2"]
