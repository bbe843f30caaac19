"""The marks of a drawing: blocks, lines, and notes beside the rows. Pieces of SVG; every text in them is escaped."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from math import hypot

from amla.reports.blocks import Block, describe
from amla.reports.geometry import Box, Route, Wire
from amla.reports.markup import escaped
from amla.reports.numbers import extent, reading
from amla.reports.scene import Scene, shortened
from amla.reports.worth import Worth
from amla.spec.architecture import NodeId
from amla.spec.costs import Shapes

CORNER = 5.0  # the radius of a corner of a line
RING = 2.2  # how far a ring stands off its box
NOTE_GAP, NOTE_LETTER = 9.0, 4.9  # between the rows and the notes, and the width of a letter of a note


def lines(scene: Scene, worth: Worth) -> list[str]:
    """Return the lines: what is gone below, then links, then learned skips, each bridging what it crosses."""
    tracks = [wire.name for wire in scene.layout.routes if wire.beside]
    plain, faded, beside = list[str](), list[str](), defaultdict[NodeId, list[tuple[str, str]]](list)
    for wire, route in scene.layout.routes.items():
        path, gone = _path(route), bool(scene.gone & {wire.source, wire.target, wire.name})
        if wire.beside:
            drawn = (path, _track(wire, path, gone, worth, tracks))
            beside[wire.source].insert(0 if gone else len(beside[wire.source]), drawn)
        elif gone:
            faded.append(f'<path class="gone" d="{path}"/>')
        else:
            plain.append(f'<path d="{path}"/>')
    bridged = [
        piece
        for members in beside.values()
        for piece in (*(f'<path class="halo" d="{path}"/>' for path, _ in members), *(line for _, line in members))
    ]
    return [*faded, *plain, *bridged]


def block(block: Block, scene: Scene, worth: Worth, shapes: Shapes) -> str:
    """Return a block: a box with its label, a bar for a concatenation, a dot for a sum."""
    box = scene.layout.boxes[block.id]
    value = worth.of(block)
    classes, tip = _classes(block, scene, worth, value), escaped(_tip(block, worth, value, shapes))
    radius = min(4.0, box.height / 2)
    ring = _rectangle(box, radius + RING, RING, ' class="ring"') if "new" in classes and not block.is_mark else ""
    return (
        f'<g class="{" ".join(classes)}" data-node="{escaped(block.id)}"><title>{tip}</title>'
        f"{ring}{_rectangle(box, radius)}{_label(block, box, value)}</g>"
    )


def notes(scene: Scene, shapes: Shapes) -> tuple[list[str], float, float]:
    """Return cells' names to the left of the rows and shapes to the right; and how far these reach."""
    parents = {address.rpartition("/")[0] for address in scene.blocks}
    names, sizes = list[tuple[float, str]](), list[tuple[float, str]]()
    stage = last = ""
    for row in scene.layout.rows:
        shown = [scene.blocks[address] for address in row if address in scene.blocks]
        if len(row) != 1 or not shown or shown[0].id in scene.gone:
            continue
        only, y = shown[0], scene.layout.boxes[row[0]].y + 3
        size = extent(shapes[only.nodes[-1]]) if only.nodes[-1] in shapes else ""
        if is_cell := only.is_mark and only.id in parents:
            above, _, name = only.id.rpartition("/")
            names.append((y, only.id if above != stage else name))
            stage = above
        if size and size != last and (is_cell or not only.is_mark):
            sizes.append((y, size))
            last = size
    left, right = scene.layout.left - NOTE_GAP, scene.layout.right + NOTE_GAP
    texts = [note(left, y, text, "quiet end") for y, text in names]
    texts += [note(right, y, text, "quiet start") for y, text in sizes]
    longest = [max((len(text) for _, text in found), default=0) for found in (names, sizes)]
    return texts, left - NOTE_LETTER * longest[0], right + NOTE_LETTER * longest[1]


def note(x: float, y: float, text: str, classes: str) -> str:
    """Return a line of text."""
    return f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}">{escaped(text)}</text>'


def _track(wire: Wire, path: str, gone: bool, worth: Worth, tracks: list[NodeId]) -> str:
    value = worth.values.get(wire.name)
    known = "" if value is None else f": {reading(value)}"
    look = (
        ' class="track gone"'
        if gone
        else f' class="track" style="stroke-width:{worth.thickness(wire.name, tracks):.2f}"'
    )
    return f'<path{look} data-node="{escaped(wire.name)}" d="{path}"><title>{escaped(wire.name)}{known}</title></path>'


def _path(route: Route) -> str:
    points = route.points
    if route.smooth:
        return f"M{_at(points[0])}" + "".join(_bend(a, b) for a, b in pairwise(points))
    pieces = [f"M{_at(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(
            CORNER,
            hypot(corner[0] - before[0], corner[1] - before[1]) / 2,
            hypot(after[0] - corner[0], after[1] - corner[1]) / 2,
        )
        pieces.append(f"L{_at(_towards(corner, before, radius))}Q{_at(corner)} {_at(_towards(corner, after, radius))}")
    return "".join((*pieces, f"L{_at(points[-1])}"))


def _bend(a: tuple[float, float], b: tuple[float, float]) -> str:
    if abs(a[0] - b[0]) < 0.5:
        return f"L{_at(b)}"
    middle = (a[1] + b[1]) / 2
    return f"C{_at((a[0], middle))} {_at((b[0], middle))} {_at(b)}"


def _towards(start: tuple[float, float], end: tuple[float, float], length: float) -> tuple[float, float]:
    whole = hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    return start[0] + (end[0] - start[0]) * length / whole, start[1] + (end[1] - start[1]) * length / whole


def _at(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _classes(block: Block, scene: Scene, worth: Worth, value: float | None) -> list[str]:
    colour: str = "other" if worth.values else block.kind
    if value is not None and (step := worth.step(value)) is not None:
        colour = f"step{step}"
    shape = ["mark"] if block.is_mark else []
    look = [colour] if not block.is_mark or value is not None or block.kind == "pick" else []
    return [*shape, *look, *(["gone"] if block.id in scene.gone else ["new"] if block.id in scene.new else [])]


def _tip(block: Block, worth: Worth, value: float | None, shapes: Mapping[NodeId, tuple[int, ...]]) -> str:
    parts = [block.id, ", ".join(describe(op) for op in block.ops)]
    if block.nodes[-1] in shapes:
        parts.append(extent(shapes[block.nodes[-1]]))
    if value is not None:
        parts.append(f"{worth.statistic or 'value'} {reading(value)}")
    return "\n".join(parts)


def _rectangle(box: Box, radius: float, off: float = 0.0, more: str = "") -> str:
    return (
        f'<rect{more} x="{box.left - off:.1f}" y="{box.top - off:.1f}" width="{box.width + 2 * off:.1f}" '
        f'height="{box.height + 2 * off:.1f}" rx="{radius:.1f}"/>'
    )


def _label(block: Block, box: Box, value: float | None) -> str:
    if block.is_mark and block.kind != "pick":
        return ""
    name = escaped(shortened(block.label))
    if value is None or box.height < 24:
        return f'<text x="{box.x:.1f}" y="{box.y + 3.5:.1f}">{name}</text>'
    return (
        f'<text x="{box.x:.1f}" y="{box.y - 2:.1f}">{name}</text>'
        f'<text class="value" x="{box.x:.1f}" y="{box.y + 9:.1f}">{escaped(reading(value))}</text>'
    )
