"""The charts of a comparison: every run's test accuracy, the best so far against what was spent, size and accuracy."""

from collections.abc import Mapping, Sequence

from amla.comparison.judgement import OnTask
from amla.evidence.anytime import Anytime
from amla.reports.palette import Theme
from amla.reports.vega import Chart, chart, colour, quantity

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")  # Okabe & Ito 2008
UNITS = {
    "trials": "networks tried",
    "steps": "steps of training",
    "flops": "operations of training",
    "seconds": "seconds of training",
}
ROW = 26  # pixels of a contender


def accuracies(found: OnTask, theme: Theme = "auto") -> Chart | None:
    """Return a row of dots a contender, one a run, with the mean and its 95 % interval; the best contender first."""
    runs = [
        {"name": s.name, "seed": seed, "accuracy": accuracy}
        for s in found.standings
        for seed, accuracy in s.accuracies.items()
    ]
    if not runs:
        return None
    shares = [accuracy for s in found.standings for accuracy in s.accuracies.values()]
    least, most = min(shares), max(shares)
    means = [
        {"name": s.name, "mean": s.mean, "low": max(s.low, least - 0.02), "high": min(s.high, most + 0.02)}
        for s in found.standings
    ]
    names = [s.name for s in found.standings]
    y = {"field": "name", "type": "nominal", "sort": names, "axis": {"title": None, "labelLimit": 260}}
    x = quantity("accuracy", "test accuracy", ".1%")
    ink = colour("ink", theme)
    colours = _colours(found, theme)
    tip = [{"field": "name", "title": "contender"}, {"field": "seed"}, {"field": "accuracy", "format": ".2%"}]
    layer = [
        {
            "mark": {"type": "circle", "size": 46, "opacity": 0.6},
            "encoding": {"x": x, "color": colours | {"legend": None}, "tooltip": tip},
        },
        {
            "data": {"values": means},
            "mark": {"type": "rule", "strokeWidth": 1.6, "color": ink},
            "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}},
        },
        {
            "data": {"values": means},
            "mark": {"type": "tick", "thickness": 2.4, "size": 15, "color": ink},
            "encoding": {"x": {"field": "mean", "type": "quantitative"}},
        },
    ]
    said = f"Test accuracy of every run on {found.task}, by contender, with means and 95 % intervals."
    return chart(runs, theme, said, encoding={"y": y}, layer=layer, height=ROW * len(names) + 10)


def anytime(found: OnTask, measure: str, theme: Theme = "auto") -> Chart | None:
    """Return the median of the best validation so far against what was spent, with a band between the quartiles."""
    curves = found.curves.get(measure, {})
    rows = [row for name, curve in curves.items() for row in _rows(name, curve)]
    if not rows:
        return None
    x = quantity("spent", UNITS[measure], "~s")
    band = {
        "mark": {"type": "area", "opacity": 0.14, "interpolate": "step-after"},
        "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
    }
    line = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {"y": quantity("median", None, ".0%")},
    }
    tip = [
        {"field": "name", "title": "contender"},
        {"field": "spent", "format": ".3s"},
        {"field": "median", "format": ".2%"},
    ]
    near = {
        "mark": {"type": "point", "size": 90, "opacity": 0},
        "encoding": {"y": {"field": "median", "type": "quantitative"}, "tooltip": tip},
    }
    said = (
        f"The best validation accuracy so far on {found.task} against {UNITS[measure]}: median and quartiles of runs."
    )
    return chart(
        rows, theme, said, encoding={"x": x, "color": _colours(found, theme, curves)}, layer=[band, line, near]
    )


def against_size(found: OnTask, theme: Theme = "auto") -> Chart | None:
    """Return test accuracy against parameters, a point a run, and the front of each contender."""
    rows = [
        {"name": name, "parameters": cost, "accuracy": worth}
        for name, points in found.fronts.items()
        for cost, worth in points
    ]
    if not rows:
        return None
    encoding = {
        "x": quantity("parameters", "parameters", "~s"),
        "y": quantity("accuracy", None, ".1%"),
        "color": _colours(found, theme),
    }
    layer = [
        {"mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.2}},
        {
            "mark": {"type": "circle", "size": 60, "opacity": 1},
            "encoding": {
                "tooltip": [
                    {"field": "name"},
                    {"field": "parameters", "format": ","},
                    {"field": "accuracy", "format": ".2%"},
                ]
            },
        },
    ]
    said = f"Test accuracy against parameters on {found.task}: those runs of each contender that none of its own beats."
    return chart(rows, theme, said, encoding=encoding, layer=layer)


def _rows(name: str, curve: Anytime) -> list[Chart]:
    columns = zip(curve.spent, curve.median, curve.low, curve.high, strict=True)
    return [{"name": name, "spent": s, "median": m, "low": low, "high": high} for s, m, low, high in columns]


def _colours(found: OnTask, theme: Theme, shown: Mapping[str, object] | None = None) -> Chart:
    """Return the colours of contenders, the same in all charts; those of controls come last, the rest of them grey."""
    names = _in_order(found)
    domain = [name for name in names if shown is None or name in shown]
    scale = [PALETTE[min(names.index(name), len(PALETTE) - 1)] for name in domain]
    legend = {
        "title": None,
        "orient": "top",
        "columns": 3,
        "symbolType": "stroke",
        "symbolOpacity": 1,
        "symbolStrokeWidth": 3,
        "labelLimit": 220,
    }
    return {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": domain, "range": scale},
        "legend": legend,
    }


def _in_order(found: OnTask) -> Sequence[str]:
    return [s.name for s in sorted(found.standings, key=lambda standing: (standing.is_control, -standing.mean))]
