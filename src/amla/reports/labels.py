"""Where labels of points stand, so that none covers another, a point, or a line. Lengths in pixels, y grows down."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, cos, hypot, radians, sin
from typing import Literal

from amla.reports.geometry import Box

LETTER, LINE = 6.3, 13.0  # the room of a letter and of a line of text
AWAY = (5.0, 13.0, 24.0, 38.0, 54.0, 75.0, 100.0)  # how far from its point a label may stand, the nearer the better
NEAR = 10.0  # a label that is farther away, or not straight beside or above its point, has a line that leads to it
_ANGLES = (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200, 68, 292, 112, 248)  # degrees, the best first
_GRAIN = 4.0  # the size of the boxes that stand for a line, side by side

Align = Literal["left", "center", "right"]
Place = tuple[float, float]


@dataclass(frozen=True)
class Spot:
    """A point that is drawn as a circle, and what is to be written at it, or at another of the same text, if at all."""

    x: float
    y: float
    radius: float
    text: str = ""


@dataclass(frozen=True)
class Label:
    """A text at a place, and from where a line leads to it, if it stands far from its point."""

    text: str
    x: float
    y: float
    align: Align
    leader: tuple[Place, Place] | None = None


def placed(
    spots: Sequence[Spot], lines: Iterable[Sequence[Place]], taken: Iterable[Box], width: float, height: float
) -> list[Label | None]:
    """Return a label for each spot; earlier ones choose first. None where there is no text, no room, or it is there."""
    marks = [Box(spot.x, spot.y, 2 * spot.radius, 2 * spot.radius) for spot in spots]
    filled = [*taken, *(box for line in lines for box in _along(line))]
    found, written = list[Label | None](), {""}
    for number, spot in enumerate(spots):
        others = [mark for place, mark in enumerate(marks) if place != number]
        label = None if spot.text in written else _best(spot, filled, others, Box(width / 2, height / 2, width, height))
        if label:
            written.add(label.text)
            filled += [box_of(label), *_along(label.leader or ())]
        found.append(label)
    return found


def box_of(label: Label) -> Box:
    """Return the room that a label takes."""
    width = LETTER * len(label.text)
    shift = {"left": width / 2, "center": 0.0, "right": -width / 2}[label.align]
    return Box(label.x + shift, label.y, width, LINE)


def meet(one: Box, other: Box) -> bool:
    """Return whether two boxes have a place in common."""
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 and abs(one.y - other.y) < (one.height + other.height) / 2
    )


def _best(spot: Spot, filled: Sequence[Box], others: Sequence[Box], frame: Box) -> Label | None:
    """Return the best label: near, and a line that leads to it crosses nothing, or at least no text."""
    around = (_beside(spot, away, angle) for away in AWAY for angle in _ANGLES)
    free = [label for label in around if _has_room(box_of(label), [*filled, *others], frame)]
    crossing = ([*filled, *others], filled)
    return next((label for forbidden in crossing for label in free if _clear(label, forbidden)), None)


def _has_room(box: Box, filled: Sequence[Box], frame: Box) -> bool:
    inside = frame.left <= box.left and box.right <= frame.right and frame.top <= box.top and box.bottom <= frame.bottom
    return inside and not any(meet(box, other) for other in filled)


def _clear(label: Label, forbidden: Sequence[Box]) -> bool:
    """Return whether the line that leads to a label, if any, crosses nothing that is forbidden."""
    return not any(meet(piece, box) for piece in _along(label.leader or ()) for box in forbidden)


def _beside(spot: Spot, away: float, angle: float) -> Label:
    """Return a label that stands so far away from the edge of a spot."""
    across, up = round(cos(radians(angle)), 6), -round(sin(radians(angle)), 6)
    x = spot.x + across * (spot.radius + away)
    y = spot.y + up * (spot.radius + away + LINE / 2)
    align: Align = "left" if across > 0 else "right" if across < 0 else "center"
    if away < NEAR and not (across and up):
        return Label(spot.text, x, y, align)
    start = spot.x + across * spot.radius, spot.y + up * spot.radius
    return Label(spot.text, x, y, align, (start, (x - 2 * across, y - up * (LINE / 2 - 2 * abs(across)))))


def _along(line: Sequence[Place]) -> list[Box]:
    """Return small boxes that stand for a line."""
    boxes = []
    for (x, y), (to_x, to_y) in pairwise(line):
        steps = max(1, ceil(hypot(to_x - x, to_y - y) / _GRAIN))
        boxes += [
            Box(x + (to_x - x) * step / steps, y + (to_y - y) * step / steps, _GRAIN, _GRAIN)
            for step in range(steps + 1)
        ]
    return boxes
