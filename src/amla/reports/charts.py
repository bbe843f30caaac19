"""The charts of a report: learning curves, and accuracy against what it cost. None where there is nothing to draw."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import isfinite
from typing import Literal

from amla.reports.names import metric_name
from amla.reports.numbers import count, is_share, metric_reading
from amla.reports.palette import STEPS, Theme
from amla.reports.vega import Chart, chart, colour, quantity
from amla.spec.costs import costs
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import TrialId

POINTS = 240  # of a learning curve; more cannot be told apart
NAMED = 12  # lines that a legend can name, and points that can have a label
UNITS = ((7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))  # the first is from when on


def learning(
    curves: Mapping[TrialId, Sequence[Progress]],
    value: Literal["loss", "accuracy"],
    winner: TrialId | None = None,
    theme: Theme = "auto",
) -> Chart | None:
    """Return training loss or accuracy over optimiser steps: a line for each trial, a thick one for the winner."""
    rows = [
        {"trial": str(trial), "step": line.step, "value": getattr(line, value), "winner": trial == winner}
        for trial, curve in curves.items()
        for line in _thinned(curve)
        if isfinite(getattr(line, value))
    ]
    if not rows:
        return None
    trials = list(dict.fromkeys(str(row["trial"]) for row in rows))
    legend = {"title": "construction", "orient": "top", "symbolType": "stroke", "symbolStrokeWidth": 3}
    encoding = {
        "x": quantity("step", "optimiser step", "~s"),
        "y": quantity("value", None, ".0%" if value == "accuracy" else None),
        "color": {
            "field": "trial",
            "type": "nominal",
            "sort": None,
            "scale": {"domain": trials, "range": _shades(trials, str(winner), theme)},
            "legend": legend if 1 < len(trials) <= NAMED else None,
        },
    }
    tip = [
        {"field": "trial", "title": "construction"},
        {"field": "step", "format": ","},
        {"field": "value", "title": value, "format": ".1%" if value == "accuracy" else ".3f"},
    ]
    thick = {"condition": {"test": "datum.winner", "value": 2.6}, "value": 1.5}
    layer = [
        {"mark": {"type": "line", "interpolate": "monotone"}, "encoding": {"strokeWidth": thick}},
        {"mark": {"type": "point", "size": 90, "opacity": 0}, "encoding": {"tooltip": tip}},
    ]
    return chart(rows, theme, f"Training {value} over optimiser steps.", encoding=encoding, layer=layer)


def against_parameters(
    history: History, metric: str = "accuracy", winner: TrialId | None = None, theme: Theme = "auto"
) -> Chart | None:
    """Return the validation metric of every measured closed network against its parameters."""
    size = {
        trial.id: costs(trial.proposal.architecture).parameters
        for trial in history.done
        if not trial.proposal.architecture.is_open
    }
    rows = [
        {**row, "x": size[row["id"]], "cost": count(size[row["id"]])}
        for row in _rows(history, metric, winner)
        if row["id"] in size
    ]
    return _points(rows, quantity("x", "parameters", "~s"), metric, "parameters", theme)


def against_time(
    history: History, metric: str = "accuracy", winner: TrialId | None = None, theme: Theme = "auto"
) -> Chart | None:
    """Return the validation metric of every measured trial, and the best so far, against the time spent until then."""
    spent = accumulate(trial.outcome.seconds if trial.outcome else 0.0 for trial in history.finished)
    at = {trial.id: seconds for trial, seconds in zip(history.finished, spent, strict=True)}
    length, unit = next((length, unit) for least, length, unit in UNITS if max(at.values(), default=0.0) >= least)
    rows = [
        {**row, "x": at[row["id"]] / length, "cost": f"{at[row['id']] / length:.1f}"}
        for row in _rows(history, metric, winner)
    ]
    best = {
        "transform": [{"sort": [{"field": "x"}], "window": [{"op": "max", "field": "value", "as": "best"}]}],
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.4, "color": colour("edge", theme)},
        "encoding": {"y": {"field": "best"}},
    }
    return _points(rows, quantity("x", f"{unit} spent"), metric, unit, theme, [best])


def _rows(history: History, metric: str, winner: TrialId | None) -> list[Chart]:
    found = ((trial.id, trial.measurement.metrics.get(metric)) for trial in history.done)
    return [
        {"id": trial, "value": value, "reading": metric_reading(metric, value), "winner": trial == winner}
        for trial, value in found
        if value is not None and isfinite(value)
    ]


def _points(
    rows: list[Chart], x: Chart, metric: str, cost: str, theme: Theme, below: Sequence[Chart] = ()
) -> Chart | None:
    """Return a chart of one point a trial; the winner's is dark and large, and has a name however many there are."""
    if not rows:
        return None
    won, ink = {"test": "datum.winner"}, colour("ink", theme)
    tip = [
        {"field": "id", "title": "construction"},
        {"field": "reading", "title": metric_name(metric)},
        {"field": "cost", "title": cost},
    ]
    dots = {
        "mark": {"type": "circle", "opacity": 1, "stroke": colour("paper", theme), "strokeWidth": 1},
        "encoding": {
            "size": {"condition": {**won, "value": 150}, "value": 80},
            "color": {"condition": {**won, "value": ink}, "value": colour("step5", theme)},
            "tooltip": tip,
        },
    }
    text = {"type": "text", "dy": -13, "fontSize": 11, "color": ink}
    names = [
        {"transform": [{"filter": rest}], "mark": mark, "encoding": {"text": {"field": "id"}}}
        for rest, mark in (("datum.winner", {**text, "fontWeight": 700}), ("!datum.winner", text))
        if rest == "datum.winner" or len(rows) <= NAMED
    ]
    y = quantity("value", None, ".0%" if is_share(metric) else None)
    said = f"Validation {metric_name(metric)} against {cost}, a point for each construction."
    return chart(rows, theme, said, encoding={"x": x, "y": y}, layer=[*below, dots, *names])


def _thinned(curve: Sequence[Progress]) -> list[Progress]:
    stride = -(-len(curve) // POINTS) or 1
    return [*curve[:-1:stride], *curve[-1:]]


def _shades(trials: Sequence[str], winner: str, theme: Theme) -> list[str]:
    """Return a colour for each trial, later ones deeper; the winner's, or that of a single line, is the ink."""
    deepest, palest = STEPS - 2, 3
    steps = [palest + place * (deepest - palest) // max(len(trials) - 1, 1) for place in range(len(trials))]
    alone = len(trials) == 1
    return [
        colour("ink" if alone or trial == winner else f"step{step}", theme)
        for trial, step in zip(trials, steps, strict=True)
    ]
