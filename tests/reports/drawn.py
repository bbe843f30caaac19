"""What can be read off a drawing, and networks to draw."""

from dataclasses import dataclass
from xml.etree import ElementTree

from hypothesis import strategies as st

from amla.spec import ops
from amla.spec.architecture import Architecture, Node

SVG = "{http://www.w3.org/2000/svg}"
OPS = (
    ops.Conv(4, (3, 3)),
    ops.Depthwise((3, 3)),
    ops.Pool("max", (3, 3)),
    ops.Identity(),
    ops.Scale(),
    ops.Activation(),
    ops.Zero(),
)


@dataclass(frozen=True)
class Mark:
    """A block of a drawing: its address, its rectangle, and its classes."""

    id: str
    x: float
    y: float
    width: float
    height: float
    classes: frozenset[str]
    texts: tuple[str, ...]

    def meets(self, other: "Mark") -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


def parsed(svg: str) -> ElementTree.Element:
    """Return a drawing's root; raises ParseError if it is not well-formed."""
    return ElementTree.fromstring(svg)  # noqa: S314 - of our own making


def marks(svg: str) -> list[Mark]:
    """Return the blocks of a drawing."""
    found = []
    for group in parsed(svg).iter(f"{SVG}g"):
        if (node := group.get("data-node")) is not None:
            rectangle = group.findall(f"{SVG}rect")[-1]
            x, y, width, height = (float(rectangle.get(name, "")) for name in ("x", "y", "width", "height"))
            classes = frozenset(group.get("class", "").split())
            texts = tuple(text.text or "" for text in group.findall(f"{SVG}text"))
            found.append(Mark(node, x, y, width, height, classes, texts))
    return found


def by_id(svg: str) -> dict[str, Mark]:
    found = marks(svg)
    assert len({mark.id for mark in found}) == len(found)
    return {mark.id: mark for mark in found}


def tracks(svg: str) -> dict[str, str]:
    """Return the classes of the learned skips of a drawing, by the address of their Scale."""
    paths = parsed(svg).iter(f"{SVG}path")
    return {path.get("data-node", ""): path.get("class", "") for path in paths if path.get("data-node")}


@st.composite
def networks(draw: st.DrawFn, most: int = 40) -> Architecture:
    """Any network of one shape: merges of any earlier nodes, chains, learned skips, several outputs unused."""
    nodes = [Node("in", ops.Input((4, 8, 8)))]
    for number in range(1, draw(st.integers(1, most))):
        near = nodes[-12:]
        sources = draw(st.lists(st.sampled_from(near), min_size=1, max_size=4, unique_by=lambda node: node.id))
        inputs = tuple(node.id for node in sources)
        op = draw(st.sampled_from(OPS)) if len(inputs) == 1 and draw(st.booleans()) else ops.Merge("add")
        above = draw(st.sampled_from(("", "cell0/", "cell1/")))
        nodes.append(Node(f"{above}n{number}", op, inputs))
    return Architecture(tuple(nodes))
