"""The networks of a report: the final one with where its cost lies, and all constructions drawn side by side."""

from collections.abc import Sequence
from math import isfinite, prod

from amla.probes import PROBES
from amla.reports.descent import cells, guests, skips
from amla.reports.draw import draw
from amla.reports.growth import Construction, ranking
from amla.reports.headline import chosen, network, standing
from amla.reports.markup import Html, Section, element, row, scrolling, section, table
from amla.reports.numbers import MINUS, count, extent, metric_reading, percent
from amla.reports.report import Report
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import macs, shapes, weights
from amla.trials.trial import Measurement, Trial

FRAMES = 16  # constructions drawn at most: of more, the first, the last, and some evenly between


def final_network(report: Report) -> Section | None:
    """Return the network the report is about, and which part of it costs what; None before there is one."""
    subject = network(report)
    if subject is None:
        return None
    title = "The final network" if report.final else "The network so far"
    drawing = scrolling(Html(draw(subject, slots=report.template)), title, "drawing")
    words = element("div", *(element("p", text) for text in _how_to_read(subject)), _parts(subject))
    return section("network", title, element("div", drawing, words, class_="beside"))


def growth(report: Report, steps: Sequence[Construction]) -> Section | None:
    """Return every construction that was measured, in one frame so that all line up; None if nothing grew."""
    invited = guests(report.history)
    measured = [s for s in steps if s.metric is not None and s.repeats is None and s.trial not in invited]
    if not any(step.changed for step in measured):
        return None
    frames = _frames(measured)
    statistic = ranking(report.history)
    values = [value for step in measured for value in _readings(report.history[step.trial], statistic).values()]
    scale = (min(values), max(values)) if values else None
    among = [report.history[step.trial].proposal.architecture for step in frames]
    panels = (_panel(report, step, among, statistic, scale) for step in frames)
    fewer = f" Of {len(measured)} constructions, {len(frames)} are shown." if len(frames) < len(measured) else ""
    return section(
        "growth",
        "How it grew",
        element("p", _explained(statistic) + fewer),
        scrolling(element("ol", *panels), "The constructions, one after the other", "growth"),
    )


def _panel(
    report: Report,
    step: Construction,
    among: Sequence[Architecture],
    statistic: str | None,
    scale: tuple[float, float] | None,
) -> Html:
    trial = report.history[step.trial]
    parent = report.history[step.parent] if step.parent is not None else None
    best = chosen(report)
    is_best = best is not None and best.proposal.architecture == trial.proposal.architecture
    drawing = draw(
        trial.proposal.architecture,
        before=parent.proposal.architecture if parent else None,
        values={**(_all_readings(parent, statistic) if parent else {}), **_all_readings(trial, statistic)},
        title=f"Construction {step.trial}" + (f", {standing(report)}" if is_best else ""),
        subtitle=_in_short(report, step),
        slots=report.template,
        among=among,
        statistic=statistic or "",
        scale=scale,
    )
    return element("li", Html(drawing), class_="chosen" if is_best else None)


def _in_short(report: Report, step: Construction) -> str:
    parts = [metric_reading(report.metric, step.metric)] if step.metric is not None else []
    if step.parameters is not None:
        parts.append(f"{count(step.parameters)} parameters")
    if step.pruned or step.added:
        parts.append(f"branches {MINUS}{len(step.pruned)} +{len(step.added)}")
    return " · ".join(parts)


def _explained(statistic: str | None) -> str:
    text = "Every branch keeps its place from one construction to the next: a ringed one is new, a dashed one gone."
    if statistic is None:
        return text
    about = f" ({PROBES[statistic].about})" if statistic in PROBES else ""
    return (
        f"{text} Colours and numbers say what each branch was worth by {statistic}{about}: what they were compared by."
    )


def _frames(measured: Sequence[Construction]) -> list[Construction]:
    if len(measured) <= FRAMES:
        return list(measured)
    return [measured[round(place * (len(measured) - 1) / (FRAMES - 1))] for place in range(FRAMES)]


def _readings(trial: Trial, statistic: str | None) -> dict[NodeId, float]:
    """Return what the statistic that compared the branches said of each of them, where that is a number."""
    found = trial.measurement.statistics.get(statistic or "", {})
    return {node: value for node, value in found.items() if isfinite(value)}


def _all_readings(trial: Trial, statistic: str | None) -> dict[NodeId, float]:
    """Return the readings of branches, and of learned skips from whichever probe read them; none before it is done."""
    if not isinstance(trial.outcome, Measurement):
        return {}
    scaled = set(skips(trial.proposal.architecture))
    others = {
        node: value
        for readings in trial.outcome.statistics.values()
        for node, value in readings.items()
        if node in scaled
    }
    return {**others, **trial.outcome.statistics.get(statistic or "", {})}


def _how_to_read(subject: Architecture) -> list[str]:
    texts = ["Data flows down the page."]
    if cells(subject):
        texts.append(
            "A row of boxes is a cell: its branches read the same input, the bar sets their channels side by side."
        )
    if skips(subject):
        texts.append("Lines beside the cells are learned skips: an earlier output times a number, added at the dot.")
    return [" ".join(texts), "Point at a box for its address, its operations and its shape."]


def _parts(subject: Architecture) -> Html | None:
    """Return what each part of a network, by the first step of its addresses, costs."""
    if subject.is_open:
        return None
    found = shapes(subject)
    parameters: dict[str, int] = {}
    multiplied: dict[str, int] = {}
    outputs: dict[str, NodeId] = {}
    for node in subject:
        part, source = node.id.partition("/")[0], found[node.inputs[0]] if node.inputs else ()
        parameters[part] = parameters.get(part, 0) + sum(map(prod, weights(node.op, source).values()))
        multiplied[part] = multiplied.get(part, 0) + macs(node.op, source, found[node.id])
        outputs[part] = node.id
    whole = sum(multiplied.values()) or 1
    rows = (
        row(
            part,
            extent(found[outputs[part]]),
            count(parameters[part]),
            count(multiplied[part]),
            percent(multiplied[part] / whole, 0),
            numbers=(1, 2, 3),
        )
        for part in outputs
    )
    head = {"Part": False, "Output": False, "Parameters": True, "MACs": True, "of all MACs": True}
    return table("Where the cost lies", head, rows)
