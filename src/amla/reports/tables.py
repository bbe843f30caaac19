"""The tables of a report: its constructions, what failed, the classes, and the circumstances."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from amla.reports.growth import Construction
from amla.reports.headline import REASONS, chosen, standing
from amla.reports.markup import Content, Html, Section, element, row, section, table
from amla.reports.names import metric_title
from amla.reports.numbers import MINUS, count, duration, metric_reading, percent, reading, whole
from amla.reports.report import Report
from amla.spec.architecture import NodeId

LONGEST = 200  # rows of the table of constructions; of more, the best


def constructions_table(report: Report, steps: Sequence[Construction]) -> Section | None:
    """Return what each construction did and reached; None before the first."""
    if not steps:
        return None
    best = chosen(report)
    grown = any(step.changed for step in steps)
    shown = steps if len(steps) <= LONGEST else sorted(steps, key=lambda step: -(step.metric or 0))[:LONGEST]
    head = {"Construction": False, metric_title(report.metric): True, "Loss": True, "Parameters": True, "MACs": True}
    head |= (
        {"Cells": True, "Width": True, "Branches": True}
        | ({"Pruned, added": False} if grown else {})
        | {"Skips": True, "Steps": True, "Time": True}
    )
    rows = (_construction(report, step, grown, best is not None and best.id == step.trial) for step in shown)
    caption = (
        f"Each construction in turn: the {len(shown)} best of {len(steps)}"
        if len(shown) < len(steps)
        else "Each construction in turn"
    )
    key = (
        element(
            "p",
            "−9 +6: so many branches went, and so many came. A click says which, what each was worth by the "
            "statistic, and its rank among those it competed with, 1 being the weakest. In brackets: skips that went.",
        )
        if grown
        else None
    )
    return section("constructions", "The constructions", key, table(caption, head, rows))


def failures(report: Report) -> Section | None:
    """Return the constructions that have no measurement, and why; None if there are none."""
    rows = [
        row(
            f"Construction {trial.id}",
            REASONS[outcome.reason],
            element("code", outcome.message),
            duration(outcome.seconds),
            numbers=(2,),
        )
        for trial in report.history.failed
        if (outcome := trial.outcome) and outcome.kind == "failure"
    ]
    head = {"Construction": False, "What happened": False, "Message": False, "After": True}
    return (
        section("failures", "What failed", table("Constructions that could not be measured", head, rows))
        if rows
        else None
    )


def classes(report: Report) -> Section | None:
    """Return how many test examples of each class were right, the weakest class first; None if nobody counted."""
    rights = {name: right / all_ for name, (right, all_) in report.classes.items() if all_}
    rows = [
        row(name, percent(rights[name]), _meter(rights[name]), f"{whole(right)} of {whole(all_)}", numbers=(0, 2))
        for name, (right, all_) in sorted(report.classes.items(), key=lambda item: rights.get(item[0], 0.0))
        if name in rights
    ]
    head = {"Class": False, "Right": True, "": False, "Examples": True}
    return (
        section("classes", "Class by class", table("Test accuracy of each class, the weakest first", head, rows))
        if rows
        else None
    )


def errors(report: Report) -> Section | None:
    """Return how far what is predicted is from the truth, of every number; None where classes are."""
    found = report.verdict.errors if report.verdict else {}
    rows = [row(name, reading(mean), reading(root), numbers=(0, 1)) for name, (mean, root) in found.items()]
    head = {"Number": False, "Mean error": True, "Root of the mean square": True}
    said = "Errors on the test part, in the units of each number"
    return section("errors", "How far off it is", table(said, head, rows)) if rows else None


def circumstances(report: Report) -> Section | None:
    """Return versions, hardware and seeds; None if they were not noted."""
    rows = [row(name, value) for name, value in report.environment.items()]
    return (
        section(
            "environment", "Circumstances", table("Where and with what it ran", {"What": False, "Value": False}, rows)
        )
        if rows
        else None
    )


def _construction(report: Report, step: Construction, grown: bool, is_best: bool) -> Html:
    badge = element("span", standing(report), class_="badge") if is_best else None
    heir = element("small", f" weights of {step.inherits}") if step.inherits is not None else None
    again = element("small", f" network of {step.repeats}, again") if step.repeats is not None else None
    plain = element("small", " plain, not searched for") if step.trial in report.plain else None
    name = element("span", str(step.trial), heir, again, plain, badge)
    cells: list[Content] = [
        _outcome(report, step),
        _or_blank(step.loss, reading),
        _or_blank(step.parameters, count),
        _or_blank(step.macs, count),
        " + ".join(map(str, step.cells.values())),
        " · ".join(map(str, step.widths)),
        str(step.branches or ""),
    ]
    cells += [_changes(step)] if grown else []
    cells += [_skips(step), whole(step.steps), _or_blank(step.seconds, duration)]
    numbers = {0, 1, 2, 3, 4, 5, 6, *range(7 + grown, 10 + grown)}
    look = "chosen" if is_best else "failed" if step.failure else None
    return row(name, *cells, numbers=numbers, class_=look)


def _outcome(report: Report, step: Construction) -> str:
    if step.failure:
        return REASONS[step.failure.reason]
    if step.metric is None:
        return "in training" if step.is_running else ""
    return metric_reading(report.metric, step.metric)


def _changes(step: Construction) -> Html | None:
    """Return which branches left and which came, cell by cell, folded away behind their numbers."""
    if not step.pruned and not step.added:
        return None
    counts = " ".join(
        f"{sign}{len(branches)}" for sign, branches in ((MINUS, step.pruned), ("+", step.added)) if branches
    )
    lines = [*_lines(MINUS, step, step.pruned), *_lines("+", step, step.added)]
    return element("details", element("summary", counts), element("ul", *lines))


def _skips(step: Construction) -> Content:
    """Return how many skips there are; those that left are folded away behind their number."""
    if not step.skips_pruned:
        return str(step.skips or "")
    summary = element("summary", f"{step.skips or 0} ({MINUS}{len(step.skips_pruned)})")
    return element("details", summary, element("ul", *_lines(MINUS, step, step.skips_pruned)))


def _lines(sign: str, step: Construction, nodes: Sequence[NodeId]) -> list[Html]:
    """Return a line for each cell: what left or came there, and for what left its reading and its rank."""
    by_cell: dict[NodeId, list[str]] = defaultdict(list)
    for node in nodes:
        cell, _, name = node.rpartition("/")
        stood = step.standings.get(node)
        why = f" ({reading(stood.reading)}, {stood.rank} of {stood.of})" if stood else ""
        by_cell[cell].append(f"{name}{why}")
    return [element("li", f"{sign} ", element("code", cell), f" {', '.join(of)}") for cell, of in by_cell.items()]


def _or_blank(value: float | None, form: Callable[[float], str]) -> str:
    return "" if value is None else form(value)


def _meter(share: float) -> Html:
    """Return a bar as long as a share of 1."""
    return element("div", element("div", style=f"width:{share * 100:.1f}%"), class_="meter", aria_hidden="true")
