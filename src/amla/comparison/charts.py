"""The charts of a comparison: every run's test accuracy, the best so far against what was spent, size and accuracy."""

from collections.abc import Iterator, Mapping, Sequence

from amla.comparison.judgement import OnTask
from amla.comparison.standing import Standing
from amla.evidence.anytime import Anytime
from amla.evidence.ranks import Ranking
from amla.reports.names import metric_name
from amla.reports.palette import Theme
from amla.reports.vega import Chart, chart, colour, quantity

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")  # Okabe & Ito 2008
UNITS = {
    "trials": "networks tried",
    "steps": "steps of training",
    "flops": "operations of training",
    "joules": "joules of training",
    "seconds": "seconds of training",
}
UNITS_OF_TABLES = {"trials": "networks tried", "seconds": "simulated seconds"}
MANY = 30  # runs of a contender, whose dots lie on one another
POWERS = tuple(digit * 10**power for power in range(8) for digit in (1, 3))  # along a logarithmic axis
LEAST_REGRET = 0.01  # points
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
    x = quantity("accuracy", f"test {metric_name(found.metric)}", ".1%")
    # A few bad runs among many would press all others together; they are drawn at the axis' end.
    x["scale"] |= {"domainMin": min(_low(s) for s in found.standings), "clamp": True}
    ink = colour("ink", theme)
    hues = colours(found, theme)
    tip = [{"field": "name", "title": "contender"}, {"field": "seed"}, _tested(found)]
    layer = [
        {
            "mark": {"type": "circle", "size": 46, "opacity": 0.6 if len(runs) <= MANY * len(names) else 0.2},
            "encoding": {"x": x, "color": hues | {"legend": None}, "tooltip": tip},
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
    said = (
        f"Test {metric_name(found.metric)} of every run on {found.called}, by contender, with means and 95 % intervals."
    )
    return chart(runs, theme, said, encoding={"y": y}, layer=layer, height=ROW * len(names) + 10)


def anytime(found: OnTask, measure: str, theme: Theme = "auto") -> Chart | None:
    """Return the median of the best validation so far against what was spent, with a band between the quartiles."""
    curves = found.curves.get(measure, {})
    rows = [row for name, curve in curves.items() for row in _rows(name, curve)]
    if not rows:
        return None
    unit = (UNITS_OF_TABLES if found.known else UNITS)[measure]
    x = quantity("spent", unit, "~s")
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
    best = f"The best {metric_name(found.metric)} that was seen so far"
    said = f"{best} on {found.called} against {unit}: median and quartiles of runs."
    return chart(rows, theme, said, encoding={"x": x, "color": colours(found, theme, curves)}, layer=[band, line, near])


def regret(found: OnTask, measure: str, theme: Theme = "auto") -> Chart | None:
    """Return how far what is chosen so far tests below the best of a table: median and quartiles, both axes by powers.

    None where there is no table. What is nearer than LEAST_REGRET is drawn there, as 0 has no place on such an axis.
    """
    curves = found.incumbents.get(measure, {})
    if found.known is None or not curves:
        return None
    best = found.known.best
    rows = [
        {"name": name, "spent": s, **{key: max(LEAST_REGRET, 100 * (best - at)) for key, at in read.items()}}
        for name, curve in curves.items()
        for s, read in _readings(curve)
        if s > 0
    ]
    x = quantity("spent", UNITS_OF_TABLES[measure], "~s")
    y = quantity("median", "points below the best", "~r")
    x["scale"], y["scale"] = {"type": "log", "nice": False}, {"type": "log", "nice": False}
    x["axis"]["values"] = POWERS
    y["axis"]["values"] = [LEAST_REGRET * power for power in POWERS]
    band = {
        "mark": {"type": "area", "opacity": 0.14, "interpolate": "step-after"},
        "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
    }
    tip = [
        {"field": "name", "title": "contender"},
        {"field": "spent", "format": ".3s"},
        {"field": "median", "format": ".2f", "title": "points below the best"},
    ]
    line = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {"y": y, "tooltip": tip},
    }
    said = f"How far what is chosen so far tests below the best of the table on {found.called}: median and quartiles."
    encoding = {"x": x, "color": colours(found, theme, curves)}
    return chart(rows, theme, said, encoding=encoding, layer=[band, line])


def ranks(found: Ranking, theme: Theme = "auto") -> Chart:
    """Return a critical-difference diagram (Demšar 2006): mean ranks, and bars over what cannot be told apart."""
    names = list(found.ranks)
    rows: list[Chart] = [{"name": name, "rank": rank} for name, rank in found.ranks.items()]
    bars = [
        {"name": name, "first": found.ranks[group[0]], "last": found.ranks[group[-1]], "of": ", ".join(group)}
        for group in found.groups
        for name in group[:1]
    ]
    ink = colour("ink", theme)
    y = {"field": "name", "type": "nominal", "sort": names, "axis": {"title": None, "labelLimit": 260}}
    x = quantity("rank", "mean rank, 1 being best", "~r")
    x["scale"] = {"domain": [1, len(names)]}
    layer = [
        {
            "data": {"values": bars},
            "mark": {"type": "bar", "height": 5, "opacity": 0.25, "color": ink},
            "encoding": {
                "x": {"field": "first", "type": "quantitative"},
                "x2": {"field": "last"},
                "tooltip": [{"field": "of", "title": "not told apart"}],
            },
        },
        {
            "mark": {"type": "circle", "size": 70, "color": ink, "opacity": 1},
            "encoding": {"x": x, "tooltip": [{"field": "name"}, {"field": "rank", "format": ".2f"}]},
        },
    ]
    said = f"Mean ranks over {found.tasks} tasks; bars join those that cannot be told apart."
    return chart(rows, theme, said, encoding={"y": y}, layer=layer, height=ROW * len(names) + 10)


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
        "color": colours(found, theme),
    }
    layer = [
        {"mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.2}},
        {
            "mark": {"type": "circle", "size": 60, "opacity": 1},
            "encoding": {"tooltip": [{"field": "name"}, {"field": "parameters", "format": ","}, _tested(found)]},
        },
    ]
    metric = metric_name(found.metric)
    said = f"Test {metric} against parameters on {found.called}: runs that none of the same contender beats."
    return chart(rows, theme, said, encoding=encoding, layer=layer)


def _tested(found: OnTask) -> Chart:
    return {"field": "accuracy", "title": metric_name(found.metric), "format": ".2%"}


def _low(standing: Standing) -> float:
    """Return where the axis shall begin at the latest: at the worst of few runs; of many at the first quartile.

    The interval of the mean is never cut.
    """
    several = sorted(standing.accuracies.values())
    return min(several[len(several) // 4], standing.low) if len(several) > MANY else several[0]


def _rows(name: str, curve: Anytime) -> list[Chart]:
    return [{"name": name, "spent": spent, **read} for spent, read in _readings(curve)]


def _readings(curve: Anytime) -> Iterator[tuple[float, dict[str, float]]]:
    for spent, median, low, high in zip(curve.spent, curve.median, curve.low, curve.high, strict=True):
        yield spent, {"median": median, "low": low, "high": high}


def colours(found: OnTask, theme: Theme, shown: Mapping[str, object] | None = None) -> Chart:
    """Return the colours of contenders, the same on all tasks; controls come last, the rest of them grey."""
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
    return [s.name for s in sorted(found.standings, key=lambda standing: (standing.is_control, standing.name))]
