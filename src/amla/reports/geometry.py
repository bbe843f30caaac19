"""What a layout is made of: slots and wires go in, boxes and routes come out. Lengths are in pixels, y grows down."""

from collections.abc import Mapping
from dataclasses import dataclass

from amla.spec.architecture import NodeId


@dataclass(frozen=True)
class Slot:
    """A place kept for a block, whether or not it is drawn; a bar gets as wide as the row of blocks that it reads."""

    id: NodeId
    width: float
    height: float
    drawn: bool = True
    is_bar: bool = False


@dataclass(frozen=True)
class Wire:
    """A link between two slots; one `beside` the rows is a track. `name` tells parallel ones apart."""

    source: NodeId
    target: NodeId
    name: str = ""
    beside: bool = False
    drawn: bool = True


@dataclass(frozen=True)
class Box:
    """A placed slot, by its centre."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Its left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """Its upper edge."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Route:
    """The corners of a line; `smooth` if a piece that shifts sideways is a curve, else corners are right angles."""

    points: tuple[tuple[float, float], ...]
    smooth: bool = False


@dataclass(frozen=True)
class Layout:
    """Boxes of all slots, routes of the drawn wires, the slots row by row, and the extent; the top is 0."""

    boxes: Mapping[NodeId, Box]
    routes: Mapping[Wire, Route]
    rows: tuple[tuple[NodeId, ...], ...]
    left: float
    right: float
    bottom: float
