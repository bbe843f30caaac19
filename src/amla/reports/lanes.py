"""Lanes beside the rows of a drawing: one for all long links that leave a block, nested by colouring intervals."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amla.reports.geometry import Box, Route, Wire
from amla.reports.rows import Rows
from amla.spec.architecture import NodeId

MARGIN, PITCH = 10.0, 7.0  # between rows and lanes, and between lanes
BALANCE = 6  # how many lanes more the right side may have before the left is used
SPREAD = 3.0  # between links that enter a block at the same side
Reach = list[tuple[float, float]]  # how far each row reaches to the left and to the right of 0, both positive


@dataclass(frozen=True)
class Lane:
    """A vertical line at `x`, by which `source` is read from row `first` to row `last`."""

    source: NodeId
    targets: tuple[NodeId, ...]
    beside: bool
    first: int
    last: int
    x: float

    @property
    def side(self) -> int:
        """-1 for a lane to the left of the rows, 1 for one to the right."""
        return 1 if self.x > 0 else -1


def lanes(wires: Sequence[Wire], rows: Rows, reach: Reach) -> dict[Wire, Lane]:
    """Return the lane of each of `wires`."""
    buses: dict[tuple[NodeId, bool], list[Wire]] = defaultdict(list)
    for wire in wires:
        buses[wire.source, wire.beside].append(wire)
    unplaced = [_lane(source, beside, members, rows) for (source, beside), members in buses.items()]
    placed: list[Lane] = []
    found: dict[Wire, Lane] = {}
    for lane in sorted(unplaced, key=lambda lane: (lane.last - lane.first, lane.first)):
        right, left = (_beside(lane, side, placed, reach) for side in (1, -1))
        on_right = _cost(right, placed, rows) <= _cost(left, placed, rows) + BALANCE
        placed.append(right if on_right else left)
        found |= dict.fromkeys(buses[lane.source, lane.beside], placed[-1])
    return found


def runs(lane: Lane, rows: Rows) -> set[int]:
    """Return the gaps, by the row above, in which a lane runs to blocks that it cannot reach from the side."""
    below = {lane.first} if _is_obstructed(lane.source, lane.side, rows) else set()
    return below | {rows.ranks[target] - 1 for target in lane.targets if _is_obstructed(target, lane.side, rows)}


def along(
    found: Mapping[Wire, Lane], boxes: Mapping[NodeId, Box], rows: Rows, edges: Sequence[tuple[float, float]]
) -> dict[Wire, Route]:
    """Return the routes of wires through their lanes; `edges` are the top and bottom of every row."""
    entering: dict[tuple[NodeId, int], list[Lane]] = defaultdict(list)
    leaving = {(lane.source, lane.side) for lane in found.values()}
    for wire, lane in found.items():
        if lane not in entering[wire.target, lane.side]:
            entering[wire.target, lane.side].append(lane)
    routes = {}
    for wire, lane in found.items():
        rivals = sorted(entering[wire.target, lane.side], key=lambda lane: abs(lane.x))
        shift = (2 * rivals.index(lane) + 1 - len(rivals)) * min(SPREAD, 12 / len(rivals)) / 2
        if (wire.target, lane.side) in leaving:
            shift -= SPREAD + 1
        meets = bool(entering[wire.source, lane.side])
        start = _out(lane, boxes[wire.source], meets, rows, edges)
        routes[wire] = Route((*start, *_into(lane, wire.target, boxes[wire.target], shift, rows, edges)))
    return routes


def _lane(source: NodeId, beside: bool, members: Sequence[Wire], rows: Rows) -> Lane:
    targets = tuple(dict.fromkeys(wire.target for wire in members))
    return Lane(source, targets, beside, rows.ranks[source], max(rows.ranks[target] for target in targets), 0.0)


def _beside(lane: Lane, side: int, placed: Sequence[Lane], reach: Reach) -> Lane:
    """Return `lane` as near to the rows as the lanes allow that are there."""
    offset = MARGIN + max(row[side > 0] for row in reach[lane.first : lane.last + 1])
    rivals = [o for o in placed if o.side == side and o.first < lane.last and lane.first < o.last]
    for taken in sorted(abs(rival.x) for rival in rivals):
        if abs(taken - offset) < PITCH:
            offset = taken + PITCH
    return Lane(lane.source, lane.targets, lane.beside, lane.first, lane.last, side * offset)


def _cost(lane: Lane, placed: Sequence[Lane], rows: Rows) -> int:
    inner = sum(o.side == lane.side and o.first < lane.last and lane.first < o.last for o in placed)
    return inner + 20 * len(runs(lane, rows))


def _is_obstructed(slot: NodeId, side: int, rows: Rows) -> bool:
    return rows.members[rows.ranks[slot]][-1 if side > 0 else 0] != slot


def _out(
    lane: Lane, box: Box, meets: bool, rows: Rows, edges: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    if _is_obstructed(lane.source, lane.side, rows):
        y = edges[lane.first][1] + 6
        return [(box.x, box.bottom), (box.x, y), (lane.x, y)]
    y = box.y + (min(SPREAD, box.height / 2) if meets else 0)
    return [(box.right if lane.side > 0 else box.left, y), (lane.x, y)]


def _into(
    lane: Lane, target: NodeId, box: Box, shift: float, rows: Rows, edges: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    if _is_obstructed(target, lane.side, rows):
        y = edges[rows.ranks[target]][0] - 6 + shift / 2
        return [(lane.x, y), (box.x, y), (box.x, box.top)]
    edge, y = box.right if lane.side > 0 else box.left, box.y + shift
    if abs(shift) < box.height / 2:
        return [(lane.x, y), (edge, y)]
    return [(lane.x, y), (edge + 9 * lane.side, y), (edge, box.y)]
