"""Drawings and charts as pictures: charts as SVG, and both as PNG, for where SVG cannot go."""

import re

from amla.reports.palette import COLOURS
from amla.reports.vega import Chart

WIDTH = 640  # of a chart whose width would be that of its place on a page, in pixels


def to_png(picture: str | Chart, scale: float = 2.0) -> bytes:
    """Return a drawing (SVG) or a chart (a Vega-Lite specification) as PNG, `scale` dots to a pixel.

    Its colours must be settled: raises ValueError for one made with the theme "auto".
    """
    import vl_convert

    if "var(--" in str(picture):
        raise ValueError('A picture made with theme="auto" takes its colours from a page; use "light" or "dark".')
    if isinstance(picture, str):
        return bytes(vl_convert.svg_to_png(picture, scale=scale))
    wide = {**picture, "width": WIDTH} if picture.get("width") == "container" else picture
    return bytes(vl_convert.vegalite_to_png(wide, scale=scale))


def to_svg(chart: Chart, name: str) -> str:
    """Return a chart made with the theme "auto" as SVG of that class name, which follows its reader's scheme.

    Its colours are the light ones; a style sheet, for those who know such, has the dark ones for a dark scheme.
    """
    import vl_convert

    drawn = str(vl_convert.vegalite_to_svg(chart))
    used = dict.fromkeys(re.findall(r'(fill|stroke)="var\(--amla-([\w-]+)\)"', drawn))
    dark = "".join(f'.{name} [{what}="{COLOURS[paint][0]}"]{{{what}:{COLOURS[paint][1]}}}' for what, paint in used)
    style = f"<style>@media (prefers-color-scheme:dark){{{dark}}}</style>"
    ground = '<rect width="100%" height="100%" fill="{}"/>'.format(COLOURS["paper"][0])
    settled = re.sub(r"var\(--amla-([\w-]+)\)", lambda found: COLOURS[found[1]][0], drawn)
    head, rest = settled.replace('class="marks"', f'class="{name}"', 1).split(">", 1)
    return f"{head}>{style}{ground}{rest}"
