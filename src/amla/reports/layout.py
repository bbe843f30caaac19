"""Where the blocks of a network stand: the backbone down the page, the branches of a cell fanned out.

A block's row is its longest path from the input; rows are centred on x = 0. A link to the next row is drawn between
the two rows; a longer one goes straight down where nothing is in the way, and else through a lane beside the rows.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from amla.reports.geometry import Box, Layout, Route, Slot, Wire
from amla.reports.lanes import Lane, along, lanes, runs
from amla.reports.rows import CLEARANCE, Rows, in_rows
from amla.spec.architecture import NodeId

TIGHT, LOOSE, CROSSED = 12.0, 18.0, 32.0  # between rows: of marks only, others, where links cross
SLIM = 8.0  # the height up to which a block is a mark
RUN = 10.0  # what a gap between rows gains when a lane runs through it


def arrange(slots: Sequence[Slot], wires: Sequence[Wire]) -> Layout:
    """Return the layout. `slots` are in canonical order, which decides among equals. Raises ValueError on a cycle."""
    rows = in_rows(slots, wires)
    columns = _columns(wires, rows)
    found = lanes(
        [wire for wire in wires if wire.beside or (wire.drawn and wire not in columns)], rows, _reach(rows, columns)
    )
    edges = _edges(rows, wires, found)
    boxes = {
        slot.id: Box(rows.spans[slot.id].x, sum(edges[rows.ranks[slot.id]]) / 2, rows.spans[slot.id].width, slot.height)
        for slot in slots
    }
    routes = _between(columns, rows, boxes, edges)
    routes |= along({wire: lane for wire, lane in found.items() if wire.drawn}, boxes, rows, edges)
    across = [lane.x for lane in found.values()]
    left = min([*across, *(box.left for box in boxes.values())], default=0.0)
    right = max([*across, *(box.right for box in boxes.values())], default=0.0)
    return Layout(boxes, routes, rows.members, left, right, edges[-1][1])


def _columns(wires: Sequence[Wire], rows: Rows) -> dict[Wire, float]:
    """Return at which x each drawn wire goes down that needs no lane: where it starts, or where it ends."""
    columns: dict[Wire, float] = {}
    for wire in wires:
        if wire.beside or not wire.drawn:
            continue
        start = rows.spans[wire.source].x
        for x in (start, rows.landing(wire.target, start)):
            first, last = rows.ranks[wire.source], rows.ranks[wire.target]
            if last - first == 1 or (rows.are_clear(x, first, last) and not _is_taken(wire, x, columns, rows)):
                columns[wire] = x
                break
    return columns


def _is_taken(wire: Wire, x: float, columns: Mapping[Wire, float], rows: Rows) -> bool:
    """Return whether another long wire, from another block to another block, goes down at `x` past the same row."""
    return any(
        abs(x - taken) < CLEARANCE
        and max(rows.ranks[other.source], rows.ranks[wire.source]) + 1
        < min(rows.ranks[other.target], rows.ranks[wire.target])
        and wire.source != other.source
        and wire.target != other.target
        for other, taken in columns.items()
    )


def _reach(rows: Rows, columns: Mapping[Wire, float]) -> list[tuple[float, float]]:
    """Return how far each row reaches to the left and to the right of 0, with the wires that pass it."""
    reach = [(-rows.spans[row[0]].left, rows.spans[row[-1]].right) for row in rows.members]
    for wire, x in columns.items():
        for rank in range(rows.ranks[wire.source] + 1, rows.ranks[wire.target]):
            reach[rank] = (max(reach[rank][0], -x), max(reach[rank][1], x))
    return reach


def _edges(rows: Rows, wires: Sequence[Wire], found: Mapping[Wire, Lane]) -> list[tuple[float, float]]:
    """Return the top and the bottom of every row."""
    heights = [max(rows.slots[slot].height for slot in row) for row in rows.members]
    crossed = _crossed([w for w in wires if not w.beside and rows.ranks[w.target] - rows.ranks[w.source] == 1], rows)
    through = {gap for lane in set(found.values()) for gap in runs(lane, rows)}
    edges, y = [], 0.0
    for rank, height in enumerate(heights):
        edges.append((y, y + height))
        slim = height <= SLIM and rank + 1 < len(heights) and heights[rank + 1] <= SLIM
        y += height + (CROSSED if rank in crossed else TIGHT if slim else LOOSE) + (RUN if rank in through else 0)
    return edges


def _crossed(wires: Sequence[Wire], rows: Rows, columns: Mapping[Wire, float] | None = None) -> set[int]:
    """Return the gaps, by the row above, in which wires shift sideways from several blocks to several blocks."""
    shifting: dict[int, list[Wire]] = defaultdict(list)
    for wire in wires:
        start = rows.spans[wire.source].x
        if abs(rows.landing(wire.target, start) - start) > 1:
            shifting[_gap(wire, rows, columns)].append(wire)
    return {
        gap
        for gap, found in shifting.items()
        if len({wire.source for wire in found}) > 1 and len({wire.target for wire in found}) > 1
    }


def _gap(wire: Wire, rows: Rows, columns: Mapping[Wire, float] | None) -> int:
    """Return the gap in which a wire shifts sideways: above its target if it goes down where it starts."""
    stays = columns is None or columns[wire] == rows.spans[wire.source].x
    return rows.ranks[wire.target] - 1 if stays else rows.ranks[wire.source]


def _between(
    columns: Mapping[Wire, float], rows: Rows, boxes: Mapping[NodeId, Box], edges: Sequence[tuple[float, float]]
) -> dict[Wire, Route]:
    """Return the routes of the wires that need no lane."""
    crossed = _crossed(list(columns), rows, columns)
    routes = {}
    for wire in columns:
        source, target = boxes[wire.source], boxes[wire.target]
        gap = _gap(wire, rows, columns)
        start, end = (source.x, source.bottom), (rows.landing(wire.target, source.x), target.top)
        if abs(start[0] - end[0]) < 1:
            routes[wire] = Route((start, (start[0], end[1])))
            continue
        above, below = edges[gap][1], edges[gap + 1][0]
        turns = (above, below) if gap in crossed else ((above + below) / 2,) * 2
        routes[wire] = Route((start, (start[0], turns[0]), (end[0], turns[1]), end), smooth=gap in crossed)
    return routes
