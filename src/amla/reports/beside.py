"""The answer to whether the search was worth it: in a sentence, and as a table."""

from amla.evidence.beside import Beside, Rated
from amla.reports.markup import Html, Section, element, row, section, table
from amla.reports.names import metric_name
from amla.reports.numbers import SPACE, count, duration, metric_interval, metric_reading, percent, plural
from amla.reports.report import Report

EXPLAINED = (
    "The network that was found and networks that nobody searched for, trained alike: from new weights, with one seed "
    "that the search did not see, for {steps} each, which took {time}. Plain ones are what people would build by hand; "
    "random ones come from the same space and are about as large. Their files are in the run folder, in baselines."
)


def advice(beside: Beside) -> str:
    """Return in a sentence whether to use what was found or a baseline, and why."""
    early = f" {_early(beside)}" if beside.is_early else ""
    if beside.is_blind:
        return (
            f"Whether the search was worth it cannot be said: after {plural(beside.steps, 'step')} neither what was "
            "found nor any baseline did better than guessing. A longer budget tells more."
        )
    return _chosen(beside) + _verdict(beside) + early


def _verdict(beside: Beside) -> str:
    ours, best, name = _reads(beside.metric, beside.found), _reads(beside.metric, beside.best), beside.best.name
    if not beside.is_decidable:
        return _undecided(beside, ours, best)
    if beside.is_beaten:
        return f"Use the baseline {name}, which is better than what was found: {best} on validation, beside {ours}."
    if beside.is_plain:
        return f"No baseline is better: {ours} on validation; the best of them, {name}, {best}."
    if beside.is_worth_it:
        return f"The search was worth it: {ours} on validation; the best baseline, {name}, {best}."
    if (rival := beside.instead) is None:
        return (
            f"What was found does as well as the baseline {name}, as far as can be told, and {name} has more "
            f"parameters or MACs: {ours} on validation, beside {best}."
        )
    return (
        f"Use the baseline {rival.name}, which does as well as what was found, as far as can be told: "
        f"{_reads(beside.metric, rival)} on validation, beside {ours}."
    )


def _chosen(beside: Beside) -> str:
    """Return that what was found is what people would have built, if so."""
    if not beside.is_plain:
        return ""
    return "In the run-off a plain network did better than all that the search had come to, so that is what was found. "


def _early(beside: Beside) -> str:
    """Return what a short training cannot tell."""
    seen = percent(beside.share or 0.0)
    return (
        f"That is after {plural(beside.steps, 'step')} each, {seen} of the final training: it says who learns faster, "
        "and not who ends better; a longer budget tells more."
    )


def _undecided(beside: Beside, ours: str, best: str) -> str:
    """Return which is ahead by a metric of which no interval is known, and that this is all that can be said."""
    metric, name = metric_name(beside.metric), beside.best.name
    unsure = f"How far chance explains that is not known: validation gives no interval of {metric}."
    if beside.found.reached > beside.best.reached:
        return f"What was found is ahead: {metric} {ours} on validation; the best baseline, {name}, {best}. {unsure}"
    reads = f"{metric} {best} on validation, beside {ours}"
    return f"The baseline {name} does as well as what was found, or better: {reads}. {unsure}"


def worth_it(report: Report) -> Section | None:
    """Return the section that tells of it; None where nothing was trained beside what was found."""
    beside = report.beside
    if beside is None:
        return None
    rated = sorted((beside.found, *beside.baselines), key=lambda each: -each.reached)
    known = {f"95{SPACE}% interval": True} if beside.is_decidable else {}
    head = {"Network": False, f"Validation {metric_name(beside.metric)}": True, **known}
    head |= {"Parameters": True, "MACs": True}
    rows = (_row(beside, each) for each in rated)
    return section(
        "beside",
        "Was the search worth it?",
        element("p", element("strong", advice(beside))),
        element("p", EXPLAINED.format(steps=plural(beside.steps, "step"), time=duration(beside.seconds))),
        table("Networks trained alike, the best first", head, rows),
    )


def _row(beside: Beside, rated: Rated) -> Html:
    is_found = rated is beside.found
    cells = [
        metric_reading(beside.metric, rated.reached),
        *([_between(beside.metric, rated)] if beside.is_decidable else []),
        count(rated.parameters),
        count(rated.macs),
    ]
    return row(
        "what was found" if is_found else rated.name,
        *cells,
        numbers=range(len(cells)),
        class_="chosen" if is_found else None,
    )


def _between(metric: str, rated: Rated) -> str:
    return "" if rated.low is None or rated.high is None else metric_interval(metric, (rated.low, rated.high))


def _reads(metric: str, rated: Rated) -> str:
    between = _between(metric, rated)
    return f"{metric_reading(metric, rated.reached)}{f' ({between})' if between else ''} with {count(rated.macs)} MACs"
