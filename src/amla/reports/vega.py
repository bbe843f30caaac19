"""What all charts share: the frame of a Vega-Lite specification, its colours and its type."""

from collections.abc import Sequence
from typing import Any

from amla.reports.palette import COLOURS, FONT, Theme

Chart = dict[str, Any]
HEIGHT = 220  # of a chart, in pixels; its width is that of its place


def chart(rows: Sequence[Chart], theme: Theme, description: str, **parts: Any) -> Chart:
    """Return a specification that draws `rows`; `description` is for those who cannot see it."""
    return {
        "description": description,
        "data": {"values": list(rows)},
        "width": "container",
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": config(theme),
        **parts,
    }


def quantity(field: str, title: str | None, form: str | None = None) -> Chart:
    """Return how a number is laid out along an axis, which need not begin at 0; `form` is a format of d3."""
    ticks: Chart = {"tickCount": 5, "title": title}
    if form:  # as an expression, which formats each label by itself: "0" and "2k" rather than "0k" and "2k"
        ticks["labelExpr"] = f"format(datum.value, '{form}')"
    return {"field": field, "type": "quantitative", "scale": {"zero": False, "nice": True}, "axis": ticks}


def colour(name: str, theme: Theme) -> str:
    """Return a colour: a CSS custom property that the page sets, or with a theme of its own the colour itself."""
    return f"var(--amla-{name})" if theme == "auto" else COLOURS[name][theme == "dark"]


def config(theme: Theme) -> Chart:
    """Return the look of charts: quiet axes, no frame, the page's own font."""
    muted, ink, line = (colour(name, theme) for name in ("muted", "ink", "rule"))
    labels = {
        "labelColor": muted,
        "titleColor": muted,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": 400,
    }
    return {
        "background": None if theme == "auto" else colour("paper", theme),
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **labels,
            "gridColor": line,
            "domainColor": line,
            "tickColor": line,
            "ticks": False,
            "labelPadding": 6,
        },
        "axisX": {"domain": True, "grid": False, "titleAlign": "right", "titleAnchor": "end"},
        "axisY": {"domain": False},
        "legend": {**labels, "offset": 6, "titleOrient": "left", "symbolSize": 120},
        "header": {"labelColor": ink, "labelFontSize": 11, "labelFontWeight": 600, "titleColor": muted},
        "text": {"color": ink},
    }
