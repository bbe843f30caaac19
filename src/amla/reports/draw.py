"""Networks as pictures: the backbone down the page, what was pruned dashed, what was added ringed. SVG."""

from collections.abc import Mapping, Sequence

from amla.reports.key import key
from amla.reports.marks import NOTE_LETTER, block, lines, note, notes
from amla.reports.markup import escaped
from amla.reports.palette import STEPS, Theme, style_sheet
from amla.reports.scene import Scene, compose
from amla.reports.worth import worth
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import Shapes, shapes
from amla.spec.values import SpecError

MARGIN, NARROWEST = 12.0, 140.0  # around everything, and the least width within
LOW, HIGH = 20.0, 30.0  # the height of a box without and with a value
TITLE, SUBTITLE = 20.0, 15.0  # the heights of the lines of the head

View = tuple[float, float, float, float]  # x, y, width, height


def draw(
    architecture: Architecture,
    *,
    before: Architecture | None = None,
    values: Mapping[NodeId, float] | None = None,
    width: int | None = None,
    title: str = "",
    subtitle: str = "",
    slots: Architecture | None = None,
    among: Sequence[Architecture] = (),
    statistic: str = "",
    scale: tuple[float, float] | None = None,
    legend: bool = True,
    theme: Theme = "auto",
) -> str:
    """Return `architecture`, open or closed, as one SVG element.

    Blocks of `before` that are gone are dashed, new ones ringed. `values`, readings of `statistic`, colour blocks by
    worth, from `scale[0]` to `scale[1]` (by default their own range), and make learned skips as thick as they are
    large. All branches of the open architecture `slots`, and all blocks of `among`, keep their places, drawn or not,
    so that the drawings of a growth line up. `width` is in pixels. With the theme "auto" the colours follow the
    reader's light or dark scheme, and CSS properties of the page, such as `--amla-conv`, go before.
    """
    scene = compose(architecture, before, slots, among, HIGH if values else LOW)
    valued = worth(values or {}, statistic, scale, [scene.blocks[i] for i in scene.blocks if i not in scene.gone])
    found = {**_shapes(before), **_shapes(architecture)}
    beside, left, right = notes(scene, found)
    right = max(right, left + NARROWEST, left + 7.7 * len(title), left + NOTE_LETTER * len(subtitle))
    entries, bottom = key(scene, valued, left, right, scene.layout.bottom + 14) if legend else ("", scene.layout.bottom)
    top = -bool(title) * TITLE - bool(subtitle) * SUBTITLE
    view = (left - MARGIN, top - MARGIN, right - left + 2 * MARGIN, bottom - top + 2 * MARGIN)
    content = (
        _paper(view),
        note(left, top + 6, title, "title") if title else "",
        note(left, -10, subtitle, "quiet start") if subtitle else "",
        *lines(scene, valued),
        *(block(shown, scene, valued, found) for shown in scene.blocks.values()),
        *beside,
        entries,
    )
    kinds = {shown.kind for shown in scene.blocks.values() if not shown.is_mark} | {"other"}
    rules = style_sheet(theme, [*sorted(kinds), *(f"step{step}" for step in range(STEPS) if values)])
    words = f"<title>{escaped(title or 'Network')}</title><desc>{escaped(_in_words(scene, subtitle))}</desc>"
    return _svg(view, width, f"amla-{theme}", f"{words}<style>{rules}</style>{''.join(content)}")


def _svg(view: View, width: int | None, class_: str, content: str) -> str:
    wide, box = width or view[2], " ".join(f"{number:.0f}" for number in view)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{class_}" role="img" width="{wide:.0f}" '
        f'height="{wide / view[2] * view[3]:.0f}" viewBox="{box}">{content}</svg>'
    )


def _paper(view: View) -> str:
    x, y, width, height = view
    return f'<rect class="paper" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}"/>'


def _in_words(scene: Scene, subtitle: str) -> str:
    """Return what a drawing shows, for those who cannot see it."""
    boxes = [block for block in scene.blocks.values() if not block.is_mark and block.id not in scene.gone]
    parts = [subtitle] if subtitle else []
    parts.append(f"{len(boxes)} blocks from {boxes[0].label} to {boxes[-1].label}" if boxes else "no blocks")
    for name, addresses in (("added", scene.new), ("pruned", scene.gone)):
        if addresses:
            parts.append(f"{name}: {', '.join(sorted(addresses))}")
    return "; ".join(parts) + "."


def _shapes(architecture: Architecture | None) -> Shapes:
    """Return the shapes of all nodes; none of an open architecture, whose widths are undecided."""
    try:
        return shapes(architecture) if architecture else {}
    except SpecError:
        return {}
