"""The plane of a roofline: logarithmic axes, where places on it are in pixels, and the roof in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, ceil, cos, degrees, floor, log10, radians, sin

from amla.reports.geometry import Box
from amla.reports.labels import LETTER, LINE, Place, Spot, meet
from amla.reports.numbers import reading
from amla.reports.vega import Chart

WIDTH, HEIGHT = 760, 430  # of the plot, in pixels
ABOVE = 6.0  # how far its texts stand off the roof
AS_GOOD = 0.97  # of the peak: matrix products as fast as that have no line of their own
_ROOF_LETTER = 6.6  # the room of a letter of these, which are bold


@dataclass(frozen=True)
class Ceiling:
    """What nothing surpasses: `peak` in GFLOP and `bandwidth` in GB a `second`, which says of which clock.

    `product` is what a product of matrices reaches, where other arithmetic is faster.
    """

    peak: float
    bandwidth: float
    second: str = "CPU-second"
    product: float | None = None

    @property
    def ridge(self) -> float:
        """FLOP per byte where the roof's slope meets its level."""
        return self.peak / self.bandwidth

    def at(self, intensity: float) -> float:
        """Return the GFLOP a second that the roof allows."""
        return min(self.peak, self.bandwidth * intensity)


@dataclass(frozen=True)
class Written:
    """A text at the roof, by the middle of its foot and its angle in degrees, and the room that it takes."""

    text: str
    x: float
    y: float
    angle: float
    room: tuple[Box, ...]


@dataclass(frozen=True)
class Plane:
    """The ends of both axes: intensity in FLOP per byte, rate in GFLOP a second."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    @classmethod
    def around(cls, ceiling: Ceiling, places: Sequence[Place]) -> "Plane":
        """Return a plane that holds these intensities and rates, and enough of the roof to be one."""
        across, up = [x for x, _ in places], [y for _, y in places]
        low_x, high_x = min([ceiling.ridge / 8, *across]) / 1.6, max([ceiling.ridge * 8, *across]) * 1.6
        return cls(low_x, high_x, min([ceiling.peak / 60, *up]) / 1.8, max([ceiling.peak, *up]) * 1.9)

    def x(self, intensity: float) -> float:
        """Return where an intensity is, in pixels from the left."""
        return WIDTH * log10(intensity / self.low_x) / log10(self.high_x / self.low_x)

    def y(self, rate: float) -> float:
        """Return where a rate is, in pixels from the top."""
        return HEIGHT * (1 - log10(rate / self.low_y) / log10(self.high_y / self.low_y))

    def datum(self, place: Place) -> dict[str, float]:
        """Return which intensity and rate a place in pixels means."""
        x, y = place
        return {
            "intensity": self.low_x * (self.high_x / self.low_x) ** (x / WIDTH),
            "rate": self.low_y * (self.high_y / self.low_y) ** (1 - y / HEIGHT),
        }

    def roof(self, ceiling: Ceiling) -> list[Place]:
        """Return the corners of the roof in pixels, from where it enters the plane."""
        start = max(self.low_x, self.low_y / ceiling.bandwidth)
        corners = ((start, start * ceiling.bandwidth), (ceiling.ridge, ceiling.peak), (self.high_x, ceiling.peak))
        return [(self.x(intensity), self.y(rate)) for intensity, rate in corners]

    def product(self, ceiling: Ceiling) -> list[Place]:
        """Return the ends of the level of matrix products in pixels; nothing if that is about the peak."""
        if ceiling.product is None or ceiling.product > AS_GOOD * ceiling.peak:
            return []
        y = self.y(ceiling.product)
        return [(self.x(ceiling.product / ceiling.bandwidth), y), (float(WIDTH), y)]

    def written(self, ceiling: Ceiling, spots: Sequence[Spot]) -> list[Written]:
        """Return the texts at the slope and at the level of the roof, away from the spots as far as can be."""
        (left, low), (ridge, peak), (right, _) = self.roof(ceiling)
        slope = f"memory {reading(ceiling.bandwidth)} GB/s"
        level = f"peak {reading(ceiling.peak)} GFLOP/s"
        angle = degrees(atan2(low - peak, ridge - left))
        half = _ROOF_LETTER * len(level) / 2
        along = [(left + (ridge - left) * share, low + (peak - low) * share) for share in (0.5, 0.35, 0.65, 0.25)]
        across = [(right - half - 4, peak), (ridge + half + 4, peak), ((right + ridge) / 2, peak)]
        return [_free(slope, along, angle, spots), _free(level, across, 0.0, spots)]

    def axes(self, ceiling: Ceiling) -> Chart:
        """Return how both axes are encoded."""
        across = {"titleAngle": 0, "titleAlign": "left", "titleX": 0, "titleY": -9, "titleBaseline": "bottom"}
        return {
            "x": _axis("intensity", self.low_x, self.high_x, "FLOP per byte moved", {}),
            "y": _axis("rate", self.low_y, self.high_y, f"GFLOP per {ceiling.second}", across),
        }


def _axis(field: str, low: float, high: float, title: str, more: Chart) -> Chart:
    steps = (1, 2, 5) if log10(high / low) < 2.2 else (1,)
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    ticks = [step * 10.0**power for power in decades for step in steps if low <= step * 10.0**power <= high]
    axis = {"values": ticks, "title": title, "grid": True, "domain": False, "labelExpr": "format(datum.value, '~r')"}
    scale = {"type": "log", "domain": [low, high], "nice": False}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": {**axis, **more}}


def _free(text: str, places: Sequence[Place], angle: float, spots: Sequence[Spot]) -> Written:
    """Return a text at the first of the places that no spot covers, or at the first."""
    found = [_written(text, x, y, angle) for x, y in places]
    marks = [Box(spot.x, spot.y, 2 * spot.radius, 2 * spot.radius) for spot in spots]
    return next((w for w in found if not any(meet(box, mark) for box in w.room for mark in marks)), found[0])


def _written(text: str, x: float, y: float, angle: float) -> Written:
    """Return a text whose foot is a little above a place on a line of that angle; its room is a box for each letter."""
    along, up = (cos(radians(angle)), -sin(radians(angle))), (-sin(radians(angle)), -cos(radians(angle)))
    middle = ABOVE + LINE / 2
    offsets = [_ROOF_LETTER * (place - (len(text) - 1) / 2) for place in range(len(text))]
    room = tuple(
        Box(x + up[0] * middle + along[0] * off, y + up[1] * middle + along[1] * off, LETTER, LINE) for off in offsets
    )
    return Written(text, x + up[0] * ABOVE, y + up[1] * ABOVE, angle, room)
