"""What each branch was worth, construction by construction, and when it was pruned: tiles, cell by cell."""

from collections import Counter
from collections.abc import Iterator

from amla.reports.descent import cells, is_growth, parents
from amla.reports.growth import ranking
from amla.reports.numbers import reading
from amla.reports.palette import STEPS, Theme
from amla.reports.vega import Chart, colour, config
from amla.reports.worth import step_of
from amla.spec.architecture import NodeId
from amla.trials.history import History

TILE, ROW = 24, 16  # the width and the height of a tile in pixels
COLUMNS = 6  # cells side by side at most


def branch_worth(history: History, statistic: str | None = None, theme: Theme = "auto") -> Chart | None:
    """Return the readings of `statistic` at every branch, a cross where it was pruned; None if none was measured.

    The statistic is by default the one that compared the branches.
    """
    probe = statistic or ranking(history)
    rows = list(_rows(history, probe)) if probe else []
    values = [row["value"] for row in rows if step_of(row["value"], 0.0, 1.0) is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    for row in rows:
        row["step"] = step_of(row.pop("value"), low, high)
    order = _in_order(history)
    by_cell = {cell: {row["branch"] for row in rows if row["cell"] == cell} for cell in order}
    shared = len(set(map(frozenset, by_cell.values()))) == 1
    return {
        "description": f"{probe} of every branch in every construction, cell by cell; a cross where it was pruned.",
        "data": {"values": rows},
        "facet": {"field": "cell", "type": "nominal", "sort": order, "title": None, "header": {"labelAnchor": "start"}},
        "columns": min(COLUMNS, max(Counter(cell.rpartition("/")[0] for cell in order).values())),
        "spacing": {"row": 14, "column": 22},
        "resolve": {"scale": {"y": "shared" if shared else "independent"}},
        "spec": {
            "width": {"step": TILE},
            "height": {"step": ROW},
            "encoding": _places(history, list(dict.fromkeys(row["branch"] for row in rows))),
            "layer": [_tiles(str(probe), low, high, theme), _crosses(theme)],
        },
        "config": config(theme),
    }


def _rows(history: History, probe: str) -> Iterator[Chart]:
    """Yield a row for each branch of each measured construction, and one without step where a branch is gone."""
    grown_from = parents(history, is_growth(history))
    for trial in history.done:
        parent = grown_from[trial.id]
        before = cells(parent.proposal.architecture) if parent else {}
        now, readings = cells(trial.proposal.architecture), trial.measurement.statistics.get(probe, {})
        for cell, branches in now.items():
            for branch in (*branches, *(gone for gone in before.get(cell, ()) if gone not in branches)):
                value = readings.get(branch, float("nan")) if branch in branches else float("nan")
                yield {
                    "cell": cell,
                    "branch": branch.removeprefix(f"{cell}/"),
                    "trial": str(trial.id),
                    "value": value,
                    "reading": reading(value),
                    "gone": branch not in branches,
                }


def _in_order(history: History) -> list[NodeId]:
    """Return all cells, those of one stage together."""
    networks = [trial.proposal.architecture for trial in reversed(history.done)]
    found = list(dict.fromkeys(cell for network in networks for cell in cells(network)))
    stages = list(dict.fromkeys(cell.rpartition("/")[0] for cell in found))
    return sorted(found, key=lambda cell: stages.index(cell.rpartition("/")[0]))


def _places(history: History, branches: list[str]) -> Chart:
    trials = [str(trial.id) for trial in history.done]
    quiet = {"title": None, "domain": False, "grid": False}
    return {
        "x": {"field": "trial", "type": "nominal", "scale": {"domain": trials}, "axis": {**quiet, "labelAngle": 0}},
        "y": {"field": "branch", "type": "nominal", "sort": branches, "axis": quiet},
    }


def _tiles(probe: str, low: float, high: float, theme: Theme) -> Chart:
    steps = list(range(STEPS))
    legend = {
        "title": f"{probe} {reading(low)} to {reading(high)}",
        "orient": "top",
        "direction": "horizontal",
        "symbolType": "square",
        "columns": STEPS,
        "columnPadding": 0,
        "labelExpr": "''",
    }
    scale = {"domain": steps, "range": [colour(f"step{step}", theme) for step in steps]}
    tip = [{"field": "branch"}, {"field": "trial", "title": "construction"}, {"field": "reading", "title": probe}]
    return {
        "transform": [{"filter": "isValid(datum.step)"}],
        "mark": {"type": "rect", "stroke": colour("paper", theme), "strokeWidth": 1.5, "cornerRadius": 3},
        "encoding": {"color": {"field": "step", "type": "ordinal", "scale": scale, "legend": legend}, "tooltip": tip},
    }


def _crosses(theme: Theme) -> Chart:
    return {
        "transform": [{"filter": "datum.gone"}],
        "mark": {"type": "text", "text": "×", "fontSize": 13, "color": colour("gone", theme)},
    }
