"""The charts of a report in their places on the page: each with a caption, and its specification beside it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from amla.reports.charts import against_parameters, against_time, learning
from amla.reports.headline import chosen
from amla.reports.heat import branch_worth
from amla.reports.markup import Html, Section, element, scrolling, section
from amla.reports.names import metric_name
from amla.reports.report import Report
from amla.reports.vega import Chart
from amla.trials.progress import Progress
from amla.trials.trial import TrialId


def learning_curves(report: Report) -> Section | None:
    """Return how the constructions and the final network learned; None without curves."""
    trial = chosen(report)
    best = trial.id if trial else None
    search, final = _curves(report, "search"), {0: joined(_curves(report, "final").values())}
    return _plots(
        "curves",
        "How they learned",
        ("Training loss of each construction", learning(search, "loss", best)),
        ("Training accuracy of each construction", learning(search, "accuracy", best)),
        ("Training loss of the final network", learning(final, "loss")),
        ("Training accuracy of the final network", learning(final, "accuracy")),
    )


def accuracy_and_cost(report: Report) -> Section | None:
    """Return what the constructions reached against what they cost; None before the first was measured."""
    trial = chosen(report)
    best = trial.id if trial else None
    metric = f"Validation {metric_name(report.metric)}"
    return _plots(
        "cost",
        "What it reached for what",
        (f"{metric} and parameters", against_parameters(report.history, report.metric, best)),
        (f"{metric} and time, with the best so far", against_time(report.history, report.metric, best)),
    )


def worth_of_branches(report: Report) -> Section | None:
    """Return what each branch was worth, and when it was pruned; None if no probe watched branches."""
    spec = branch_worth(report.history)
    if spec is None:
        return None
    text = (
        "Each row is a branch, each column a construction; deeper is worth more, and a cross marks where it was pruned."
    )
    return section("worth", "What each branch was worth", element("p", text), scrolling(canvas(spec, "tiles"), text))


def _plots(anchor: str, title: str, *charts: tuple[str, Chart | None]) -> Section | None:
    figures = [
        element("figure", element("figcaption", caption), canvas(spec, "canvas")) for caption, spec in charts if spec
    ]
    return section(anchor, title, element("div", *figures, class_="charts")) if figures else None


def canvas(spec: Chart, class_: str) -> Html:
    """Return the place of a chart, and its specification as JSON that no text in it can break out of."""
    written = json.dumps(spec, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    place = element("div", element("noscript", "Charts need JavaScript; the tables hold the same numbers."))
    return element("div", place, element("script", Html(written), type="application/json"), class_=class_)


def joined(legs: Iterable[Sequence[Progress]]) -> list[Progress]:
    """Return the curves of a lineage as one; a leg that was not finished is replaced by the one that tried again."""
    line: list[Progress] = []
    before = 0
    for leg in legs:
        line = [told for told in line if told.step <= before]
        line += [replace(told, step=before + told.step) for told in leg]
        if leg and leg[-1].step >= leg[-1].budget:
            before += leg[-1].budget
    return line


def _curves(report: Report, stage: str) -> dict[TrialId, list[Progress]]:
    """Return the curves of a stage by trial, in the order of trials."""
    names = (name.partition("/") for name in report.curves)
    trials = sorted(int(trial) for found, _, trial in names if found == stage and trial.isdecimal())
    return {trial: list(report.curves[f"{stage}/{trial}"]) for trial in trials}
