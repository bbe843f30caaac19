"""The networks of a search that no other one beats in what a search is for and in what they cost."""

from collections.abc import Sequence

from amla.reports.costs import cost_name, cost_reading, cost_title
from amla.reports.headline import chosen
from amla.reports.markup import Html, Section, element, row, section, table
from amla.reports.names import metric_name
from amla.reports.numbers import metric_reading
from amla.reports.report import Report
from amla.trials.trial import Trial


def front(report: Report) -> Section | None:
    """Return the Pareto front of what was trained; None where there is no choice: of fewer than two networks."""
    if len(report.front) < 2:
        return None
    best = chosen(report)
    metric = metric_name(report.metric)
    words = " and ".join(cost_name(cost) for cost in report.costs)
    text = f"Of those trained equally long, no network is better than one of these in {metric} and in {words}."
    head = {"Construction": False, f"Validation {metric}": True, **{cost_title(cost): True for cost in report.costs}}
    rows = [_row(report, trial, best is not None and best.id == trial.id) for trial in report.front]
    return section("front", "What may be had for what", element("p", text), table("The Pareto front", head, rows))


def _row(report: Report, trial: Trial, is_chosen: bool) -> Html:
    metrics = trial.measurement.metrics
    badge = element("span", "chosen", class_="badge") if is_chosen else None
    cells: Sequence[str] = [
        metric_reading(report.metric, metrics[report.metric]),
        *(cost_reading(cost, metrics[cost]) for cost in report.costs),
    ]
    name = element("span", str(trial.id), badge)
    return row(name, *cells, numbers=range(len(cells)), class_="chosen" if is_chosen else None)
