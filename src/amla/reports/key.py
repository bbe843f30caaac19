"""The key of a drawing: what its colours, its lines and its outlines mean."""

from collections.abc import Iterator

from amla.reports.marks import NOTE_LETTER, note
from amla.reports.numbers import reading
from amla.reports.palette import STEPS
from amla.reports.scene import Scene
from amla.reports.worth import Worth

LINE, SAMPLE, STEP = 15.0, 16.0, 11.0  # the height of a line, the width of a sample, and of a step of the scale
NAMES = {
    "conv": "convolution",
    "separable": "separable convolution",
    "pool": "pooling",
    "linear": "linear layer",
    "identity": "identity",
}


def key(scene: Scene, worth: Worth, left: float, right: float, top: float) -> tuple[str, float]:
    """Return the key, set in lines between `left` and `right` from `top` on, and where it ends."""
    x, y, pieces = left, top, list[str]()
    for sample, width, text in _entries(scene, worth):
        whole = width + 5 + NOTE_LETTER * len(text) + 12
        if x + whole - 12 > right and x > left:
            x, y = left, y + LINE
        pieces.append(
            f'<g transform="translate({x:.1f},{y:.1f})">{sample}{note(width + 5, 11, text, "quiet start")}</g>'
        )
        x += whole
    return "".join(pieces), y + LINE if pieces else top


def _entries(scene: Scene, worth: Worth) -> Iterator[tuple[str, float, str]]:
    """Yield a sample, its width, and what it means; only of what the drawing shows."""
    shown = [block for block in scene.blocks.values() if block.id not in scene.gone]
    if worth.values:
        steps = "".join(f'<g class="step{step}">{_swatch(step * STEP, STEP)}</g>' for step in range(STEPS))
        yield steps, STEPS * STEP, f"{worth.statistic or 'value'} {reading(worth.low)} to {reading(worth.high)}"
    else:
        kinds = {block.kind for block in shown}
        yield from (
            (f'<g class="{kind}">{_swatch(0, SAMPLE)}</g>', SAMPLE, NAMES[kind]) for kind in NAMES if kind in kinds
        )
    if any(wire.beside and wire.name not in scene.gone for wire in scene.layout.routes):
        yield f'<path class="track" d="M0,8H{SAMPLE}"/>', SAMPLE, "learned skip"
    if scene.new:
        yield f'<g class="new">{_swatch(0, SAMPLE, "ring")}</g>', SAMPLE, "added"
    if scene.gone:
        yield f'<g class="gone">{_swatch(0, SAMPLE)}</g>', SAMPLE, "pruned"


def _swatch(x: float, width: float, style: str = "") -> str:
    look = f' class="{style}"' if style else ""
    return f'<rect{look} x="{x:.0f}" y="3" width="{width:.0f}" height="10" rx="2"/>'
