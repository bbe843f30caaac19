"""The chart of whole fronts: one line a run, of what it offers for each of what it costs."""

from amla.comparison.charts import colours
from amla.comparison.judgement import OnTask
from amla.reports.costs import cost_title
from amla.reports.names import metric_name
from amla.reports.numbers import is_share
from amla.reports.palette import Theme
from amla.reports.vega import Chart, chart, quantity


def fronts(found: OnTask, theme: Theme = "auto") -> Chart | None:
    """Return the front of every run, a step line each; None where there is more than one cost, or none."""
    if found.trade is None or len(found.trade.costs) != 1:
        return None
    (cost,) = found.trade.costs
    rows = [
        {"name": name, "run": f"{name} {seed}", "seed": seed, "cost": of, "reached": reached}
        for name, runs in found.trade.fronts.items()
        for seed, points in runs.items()
        for reached, of in points
    ]
    metric = metric_name(found.metric)
    y = quantity("reached", metric, ".1%" if is_share(found.metric) else "~g")
    y["scale"] |= {"domainMin": found.trade.corner[0], "clamp": True}  # what is worse counts nothing
    encoding = {
        "x": quantity("cost", cost_title(cost).lower(), "~s"),
        "y": y,
        "color": colours(found, theme, found.trade.fronts),
        "detail": {"field": "run"},
    }
    tip = [
        {"field": "name"},
        {"field": "seed"},
        {"field": "cost", "format": ","},
        {"field": "reached", "format": ".2%" if is_share(found.metric) else ".3~g"},
    ]
    layer = [
        {"mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1, "opacity": 0.45}},
        {"mark": {"type": "circle", "size": 14, "opacity": 0.6}, "encoding": {"tooltip": tip}},
    ]
    said = f"The fronts of {metric} and {cost_title(cost).lower()} of every run on {found.called}, by contender."
    return chart(rows, theme, said, encoding=encoding, layer=layer)
