"""The roofline of a machine, and operations below it: how fast each is, against how much it computes for each byte.

Williams, Waterman and Patterson 2009. What stands at the slope of the roof is as fast as memory lets it be, and what
stands at its level as fast as the machine computes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

from amla.reports.geometry import Box
from amla.reports.labels import LETTER, LINE, Label, Place, Spot, placed
from amla.reports.names import Family
from amla.reports.numbers import percent, reading
from amla.reports.palette import Theme
from amla.reports.plane import HEIGHT, WIDTH, Ceiling, Plane, Written
from amla.reports.vega import Chart, chart, colour

LABELS = 18  # of the heaviest operations
LEAST_AREA, AREA = 30.0, 1000.0  # of a dot, in square pixels: the least, and that of the heaviest one
HEAVY = 0.08  # the least share of the time that gets so large a dot: many light ones would hide each other
SAME_AREA = 90.0  # of dots that have no weight
FAMILIES: dict[Family, str] = {  # and their colours
    "convolution": "conv-line",
    "depthwise": "separable-line",
    "pooling": "pool-line",
    "normalisation": "track",
    "linear": "linear-line",
    "other": "mark",
}


@dataclass(frozen=True)
class Dot:
    """An operation: FLOP per byte, GFLOP a second, and its share of the time, None where that means nothing.

    A `hollow` one is a backward pass, and is joined with the dot before it.
    """

    name: str
    family: Family
    intensity: float
    rate: float
    share: float | None = None
    hollow: bool = False


def roofline(
    ceiling: Ceiling,
    dots: Sequence[Dot],
    title: str,
    subtitle: Sequence[str],
    theme: Theme = "auto",
    whole: Dot | None = None,
) -> Chart:
    """Return the chart; `whole` is a training step as a whole, a diamond."""
    plane = Plane.around(ceiling, [(dot.intensity, dot.rate) for dot in (*dots, *([whole] if whole else []))])
    ordered = sorted(dots, key=lambda dot: (-(dot.share or 0.0), dot.hollow))
    spots, labels = arranged(plane, ceiling, ordered, dots, whole)
    layers = [
        *_ceiling(plane, ceiling, plane.written(ceiling, spots), theme),
        *_pairs(dots, theme),
        *([_dots(ceiling, ordered, theme)] if dots else []),
        *([_whole(whole, theme)] if whole else []),
        *_labels(plane, [label for label in labels if label], theme),
    ]
    said = "Operations by how much they compute for each byte moved and how fast they are, below what the machine can."
    drawn = chart([], theme, said, encoding=plane.axes(ceiling), layer=layers)
    heading = {
        "text": title,
        "subtitle": list(subtitle),
        "anchor": "start",
        "frame": "group",
        "offset": 14,
        "fontSize": 15,
        "fontWeight": 600,
        "color": colour("ink", theme),
        "subtitleColor": colour("muted", theme),
        "subtitleFontSize": 11.5,
        "subtitlePadding": 5,
        "subtitleLineHeight": 16,
    }
    return {**drawn, "width": WIDTH, "height": HEIGHT, "autosize": "pad", "padding": 18, "title": heading}


def arranged(
    plane: Plane, ceiling: Ceiling, ordered: Sequence[Dot], dots: Sequence[Dot], whole: Dot | None
) -> tuple[list[Spot], list[Label | None]]:
    """Return where dots are, the heaviest first but for the whole, and their labels, None where there is no room."""
    named = list(dict.fromkeys(dot.name for dot in ordered))[:LABELS]
    spots = [
        Spot(*_place(plane, dot), sqrt(_area(dot, ordered) / pi) + 1, _text(dot) if dot.name in named else "")
        for dot in ordered
    ]
    if whole:
        spots.insert(0, Spot(*_place(plane, whole), 10, whole.name))
    pairs = [[_place(plane, end) for end in pair] for pair in _joined(dots)]
    lines = [plane.roof(ceiling), plane.product(ceiling), *pairs]
    taken = [box for written in plane.written(ceiling, spots) for box in written.room]
    for place, said, side in _sides(plane, ceiling):
        width = LETTER * len(said)
        taken.append(Box(place[0] + width / 2 * (1 if side == "left" else -1), place[1], width, LINE))
    return spots, placed(spots, lines, taken, WIDTH, HEIGHT)


def _place(plane: Plane, dot: Dot) -> Place:
    return plane.x(dot.intensity), plane.y(dot.rate)


def _area(dot: Dot, dots: Sequence[Dot]) -> float:
    if dot.share is None:
        return SAME_AREA
    return max(LEAST_AREA, AREA * dot.share / max(HEAVY, *(each.share or 0.0 for each in dots)))


def _text(dot: Dot) -> str:
    return dot.name if dot.share is None else f"{dot.name} · {percent(dot.share, 0)}"


def _joined(dots: Sequence[Dot]) -> list[tuple[Dot, Dot]]:
    """Return the forward and the backward pass of each operation that has both."""
    return [(dots[place - 1], dot) for place, dot in enumerate(dots) if dot.hollow]


def _ceiling(plane: Plane, ceiling: Ceiling, texts: Sequence[Written], theme: Theme) -> list[Chart]:
    """Return the roof, what lies above it, and what is written about it."""
    roof = [{**plane.datum(corner), "top": plane.high_y} for corner in plane.roof(ceiling)]
    ink, muted = colour("ink", theme), colour("muted", theme)
    text: Chart = {"type": "text", "tooltip": None}
    bold: Chart = {**text, "fontSize": 11.5, "fontWeight": 600, "color": ink, "baseline": "bottom"}
    quiet: Chart = {**text, "fontSize": 11, "fontStyle": "italic", "color": muted}
    beyond = {"type": "area", "color": colour("input", theme), "opacity": 0.8, "tooltip": None}
    line = {"type": "line", "color": ink, "strokeWidth": 2, "tooltip": None}
    return [
        {"data": {"values": roof}, "mark": beyond, "encoding": {"y2": {"field": "top"}}},
        *_product(plane, ceiling, theme),
        {"data": {"values": roof}, "mark": line},
        *(
            _words(plane, (each.x, each.y), each.text, {**bold, "align": "center", "angle": 360 - each.angle})
            for each in texts
        ),
        *(
            _words(plane, place, said, {**quiet, "align": side, "baseline": "middle"})
            for place, said, side in _sides(plane, ceiling)
        ),
    ]


def _product(plane: Plane, ceiling: Ceiling, theme: Theme) -> list[Chart]:
    """Return a thin line for what matrix products reach, if that is less than the peak."""
    line = plane.product(ceiling)
    mark = {"type": "line", "color": colour("muted", theme), "strokeDash": [4, 3], "strokeWidth": 1, "tooltip": None}
    return [{"data": {"values": [plane.datum(end) for end in line]}, "mark": mark}] if line else []


def _sides(plane: Plane, ceiling: Ceiling) -> list[tuple[Place, str, str]]:
    """Return what is said at the foot of the plot about what lies to the left and to the right of the ridge."""
    ridge, y = plane.x(ceiling.ridge), HEIGHT - 11.0
    return [((ridge - 9, y), "bound by memory", "right"), ((ridge + 9, y), "bound by arithmetic", "left")]


def _words(plane: Plane, place: Place, text: str, mark: Chart) -> Chart:
    row = {**plane.datum(place), "text": text}
    return {"data": {"values": [row]}, "mark": mark, "encoding": {"text": {"field": "text"}}}


def _rules(rows: Sequence[Chart], paint: str, width: float) -> list[Chart]:
    """Return a thin line for each row, from its place to (x2, y2)."""
    mark = {"type": "rule", "color": paint, "strokeWidth": width, "tooltip": None}
    ends = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    return [{"data": {"values": list(rows)}, "mark": mark, "encoding": ends}] if rows else []


def _pairs(dots: Sequence[Dot], theme: Theme) -> list[Chart]:
    rows = [{"intensity": a.intensity, "rate": a.rate, "x2": b.intensity, "y2": b.rate} for a, b in _joined(dots)]
    return _rules(rows, colour("edge", theme), 1)


def _dots(ceiling: Ceiling, dots: Sequence[Dot], theme: Theme) -> Chart:
    shown = [family for family in FAMILIES if any(dot.family == family for dot in dots)]
    scale = {"domain": shown, "range": [colour(FAMILIES[family], theme) for family in shown]}
    legend = {"orient": "top", "title": None, "offset": 30, "symbolType": "circle", "labelFontSize": 11.5}
    by_family = {"field": "family", "type": "nominal", "scale": scale}
    tip = [
        {"field": "name", "title": "operation"},
        {"field": "intensity", "title": "FLOP per byte", "format": ".3~r"},
        {"field": "rate", "title": "GFLOP/s", "format": ".3~r"},
        {"field": "reached", "title": "of its roof"},
        {"field": "share", "title": "share of the time"},
    ]
    paper = colour("paper", theme)
    return {
        "data": {"values": [_row(ceiling, dot, dots) for dot in dots]},
        "mark": {"type": "point", "filled": False, "opacity": 1},
        "encoding": {
            "size": {"field": "area", "type": "quantitative", "scale": None, "legend": None},
            "fill": {"condition": {"test": "datum.hollow", "value": paper}, **by_family, "legend": legend},
            "stroke": {"condition": {"test": "!datum.hollow", "value": paper}, **by_family, "legend": legend},
            "strokeWidth": {"condition": {"test": "datum.hollow", "value": 1.8}, "value": 1},
            "tooltip": tip if any(dot.share is not None for dot in dots) else tip[:-1],
        },
    }


def _row(ceiling: Ceiling, dot: Dot, dots: Sequence[Dot]) -> Chart:
    return {
        "name": f"{dot.name}, backward" if dot.hollow else dot.name,
        "family": dot.family,
        "intensity": dot.intensity,
        "rate": dot.rate,
        "area": _area(dot, dots),
        "hollow": dot.hollow,
        "reached": percent(dot.rate / ceiling.at(dot.intensity), 0),
        "share": "" if dot.share is None else percent(dot.share),
    }


def _whole(whole: Dot, theme: Theme) -> Chart:
    look = {"color": colour("ink", theme), "stroke": colour("paper", theme), "strokeWidth": 1.5}
    mark = {"type": "point", "shape": "diamond", "filled": True, "opacity": 1, "size": 190, **look}
    row = {"intensity": whole.intensity, "rate": whole.rate, "name": whole.name, "reading": reading(whole.rate)}
    tip = [{"field": "name", "title": " "}, {"field": "reading", "title": "GFLOP/s"}]
    return {"data": {"values": [row]}, "mark": mark, "encoding": {"tooltip": tip}}


def _labels(plane: Plane, labels: Sequence[Label], theme: Theme) -> list[Chart]:
    """Return the names of the heaviest operations, as far as there is room, and lines that lead to them."""
    led = [
        {**plane.datum(label.leader[0]), "x2": end["intensity"], "y2": end["rate"]}
        for label in labels
        if label.leader and (end := plane.datum(label.leader[1]))
    ]
    look: Chart = {"type": "text", "baseline": "middle", "fontSize": 11, "color": colour("ink", theme), "tooltip": None}
    words = [_words(plane, (label.x, label.y), label.text, {**look, "align": label.align}) for label in labels]
    return [*_rules(led, colour("muted", theme), 0.8), *words]
