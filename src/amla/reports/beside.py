"""The answer to whether the search was worth it: in a sentence, and as a table."""

from amla.evidence.beside import Beside, Rated
from amla.reports.markup import Html, Section, element, row, section, table
from amla.reports.numbers import SPACE, count, duration, interval, percent, plural
from amla.reports.report import Report

EXPLAINED = (
    "The network that was found and networks that nobody searched for, trained alike: from new weights, with one seed "
    "that the search did not see, for {steps} each, which took {time}. Plain ones are what people would build by hand; "
    "random ones come from the same space and are about as large. Their files are in the run folder, in baselines."
)


def advice(beside: Beside) -> str:
    """Return in a sentence whether to use what was found or a baseline, and why."""
    ours, best = beside.found, beside.best
    if beside.is_worth_it:
        return f"The search was worth it: {_reads(ours)} on validation; the best baseline, {best.name}, {_reads(best)}."
    why = "is better than" if beside.is_beaten else "cannot be told from"
    reads = f"{_reads(best)} on validation, beside {_reads(ours)}"
    return f"Use the baseline {best.name}, which {why} what was found: {reads}."


def worth_it(report: Report) -> Section | None:
    """Return the section that tells of it; None where nothing was trained beside what was found."""
    beside = report.beside
    if beside is None:
        return None
    rated = sorted((beside.found, *beside.rivals), key=lambda each: -each.accuracy)
    head = {"Network": False, "Validation": True, f"95{SPACE}% interval": True, "Parameters": True, "MACs": True}
    rows = (_row(each, each is beside.found) for each in rated)
    return section(
        "beside",
        "Was the search worth it?",
        element("p", element("strong", advice(beside))),
        element("p", EXPLAINED.format(steps=plural(beside.steps, "step"), time=duration(beside.seconds))),
        table("Networks trained alike, the best first", head, rows),
    )


def _row(rated: Rated, is_found: bool) -> Html:
    return row(
        "what was found" if is_found else rated.name,
        percent(rated.accuracy),
        interval(rated.low, rated.high),
        count(rated.parameters),
        count(rated.macs),
        numbers=(0, 1, 2, 3),
        class_="chosen" if is_found else None,
    )


def _reads(rated: Rated) -> str:
    return f"{percent(rated.accuracy)} ({interval(rated.low, rated.high)}) with {count(rated.macs)} MACs"
