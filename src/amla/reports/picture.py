"""Drawings and charts as PNG, for where SVG cannot go."""

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
