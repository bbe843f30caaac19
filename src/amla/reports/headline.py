"""The first words of a report: the result, how sure it is and what it cost; or how far the search has come."""

from collections import Counter

from amla.algorithms.protocol import best
from amla.reports.markup import Html, element
from amla.reports.names import example_words, metric_name
from amla.reports.numbers import (
    DASH,
    SPACE,
    count,
    duration,
    interval,
    metric_interval,
    metric_reading,
    percent,
    plural,
    reading,
    size,
    whole,
)
from amla.reports.report import Report, Verdict
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.trials.trial import Measurement, Trial

Figure = tuple[str, str, str]  # its name, its value, and a note


def headline(report: Report) -> Html:
    """Return the headline and the sentences below it."""
    title, sentences = _told(report)
    name = element("p", element("span", "amla"), " ", report.name, class_="name")
    return element("header", name, element("h1", title), element("p", " ".join(filter(None, sentences)), class_="lead"))


def key_figures(report: Report) -> Html | None:
    """Return the few numbers that matter; None if there are none yet."""
    figures = [*_accuracy(report), *_size(report), *_time(report)]
    items = (
        element("div", element("dt", name), element("dd", value), element("dd", note, class_="note"))
        for name, value, note in figures
    )
    return element("dl", *items, class_="figures") if figures else None


def chosen(report: Report) -> Trial | None:
    """Return the trial that the search stands behind: its winner, or the best so far; None if it chooses none."""
    if report.winner is not None:
        return report.history[report.winner]
    return best(report.history, report.metric) if report.chooses else None


def standing(report: Report) -> str:
    """Return what the chosen trial is called: whether the search is over is known from its winner."""
    return "chosen" if report.winner is not None and not report.history.pending else "best so far"


def network(report: Report) -> Architecture | None:
    """Return the network that a report is about: the final one, or that of the trial chosen so far."""
    trial = chosen(report)
    return report.final or (trial.proposal.architecture if trial else None)


def _told(report: Report) -> tuple[str, list[str]]:
    verdict, subject, trial = report.verdict, network(report), chosen(report)
    if verdict and subject:
        noun, bounds = example_words(subject.shape)[1], interval(verdict.low, verdict.high)
        apart = f"from {whole(verdict.images)} {noun} kept apart from the search."
        title = f"{_sized(subject)} gets {percent(verdict.accuracy)} of the test {noun} right"
        if verdict.errors:
            title = f"{_sized(subject)} explains {_share(verdict)} of the variance in the test {noun}"
            bounds = metric_interval(report.metric, verdict.bounds) if verdict.bounds else "not known"
        return title, [
            f"The 95{SPACE}% interval is {bounds}, {apart}",
            "" if verdict.errors else _by_metric(report, verdict),
            _search(report),
            report.preferred,
            report.latency,
            _made_wider(report),
            f"The final training took {duration(report.final_seconds)}." if report.final_seconds is not None else "",
        ]
    if report.final:
        return f"{_sized(report.final)}, not tested yet", [_so_far(report), _search(report)]
    if trial:
        number = f"construction {trial.id}"
        title = f"The search chose {number}" if standing(report) == "chosen" else f"Best so far: {number}"
        return title, [_so_far(report), _search(report), "It has not been trained to the end and tested yet."]
    if report.history.done:
        return f"{plural(len(report.history.done), 'construction')} so far", [_search(report)]
    if report.history.failed:
        tried = plural(len(report.history.failed), "construction")
        return f"Nothing could be measured: {tried} failed", [_search(report)]
    return ("The first construction is in training" if report.history.pending else "The search has not begun"), []


def _by_metric(report: Report, verdict: Verdict) -> str:
    """Return what was reached by the metric that decided, where that is not accuracy."""
    if verdict.scored is None:
        return ""
    between = f" (95{SPACE}%: {metric_interval(report.metric, verdict.bounds)})" if verdict.bounds else ""
    value = metric_reading(report.metric, verdict.scored)
    return f"It was chosen by {metric_name(report.metric)}, in which it reaches {value} on them{between}."


def _made_wider(report: Report) -> str:
    """Return by how much the final network was made wider than the one that the search chose."""
    trial = chosen(report)
    if not (report.chooses and report.final and trial) or report.final.is_open:
        return ""
    before, after = (costs(network).macs for network in (trial.proposal.architecture, report.final))
    if after <= before:
        return ""
    grown = f"{count(after)} instead of {count(before)} multiply-accumulates"
    return f"Its structure is that of construction {trial.id}, made wider for the final training: {grown}."


def _sized(subject: Architecture) -> str:
    return "An undecided network" if subject.is_open else f"A network of {count(costs(subject).parameters)} parameters"


def _so_far(report: Report) -> str:
    trial, value = chosen(report), _reached(report)
    if trial is None or value is None:
        return ""
    metric = metric_name(report.metric)
    return f"{_sized(trial.proposal.architecture)}, it reached a validation {metric} of {value} in the search."


def _reached(report: Report) -> str | None:
    """Return the validation metric of the trial that was chosen, or None if it has none."""
    trial = chosen(report)
    found = trial.outcome.metrics.get(report.metric) if trial and isinstance(trial.outcome, Measurement) else None
    return None if found is None else metric_reading(report.metric, found)


def _search(report: Report) -> str:
    """Return what the search tried and took."""
    history = report.history
    tried = plural(len(history.finished), "construction")
    parts = [f"The search tried {tried} in {duration(_seconds(report))}"]
    if history.failed:
        kinds = Counter(
            trial.outcome.reason for trial in history.failed if trial.outcome and trial.outcome.kind == "failure"
        )
        parts.append(", ".join(f"{number} {REASONS[kind]}" for kind, number in kinds.items()))
    if history.pending:
        parts.append(f"{history.pending} in training now")
    return "; ".join(parts) + "." + (f" It ended early: {report.ended}" if report.ended else "")


REASONS = {
    "out_of_memory": "ran out of memory",
    "diverged": "diverged",
    "timeout": "took too long",
    "crashed": "crashed",
    "infeasible": "could not be built or took too long",
}


def _accuracy(report: Report) -> list[Figure]:
    if verdict := report.verdict:
        accuracy = ("Test accuracy", percent(verdict.accuracy), f"95{SPACE}%: {interval(verdict.low, verdict.high)}")
        beside = [accuracy] if not verdict.errors else _errors(verdict)
        if verdict.scored is None:
            return [accuracy]
        bounds = metric_interval(report.metric, verdict.bounds) if verdict.bounds else ""
        note = f"95{SPACE}%: {bounds}" if bounds else f"the mean of all {'targets' if verdict.errors else 'classes'}"
        scored = metric_reading(report.metric, verdict.scored)
        return [(f"Test {metric_name(report.metric)}", scored, note), *beside]
    trial, value = chosen(report), _reached(report)
    return (
        [(f"Validation {metric_name(report.metric)}", value, f"construction {trial.id}, not tested")]
        if trial and value
        else []
    )


def _errors(verdict: Verdict) -> list[Figure]:
    """Return the mean error of a number; of several, a table has them."""
    if len(verdict.errors) != 1:
        return []
    ((name, (mean, root)),) = verdict.errors.items()
    return [("Mean error", reading(mean), f"of {name}, in its units; root of the mean square {reading(root)}")]


def _share(verdict: Verdict) -> str:
    return DASH if verdict.scored is None else percent(max(0.0, verdict.scored))


def _size(report: Report) -> list[Figure]:
    subject = network(report)
    if not subject or subject.is_open:
        return []
    found = costs(subject)
    return [
        ("Parameters", count(found.parameters), f"{size(4 * found.parameters)} in single precision"),
        ("MACs", count(found.macs), "multiply-accumulates per example"),
        ("Peak memory", size(found.peak_memory), "of activations, one example"),
    ]


def _time(report: Report) -> list[Figure]:
    figures: list[Figure] = []
    if report.history.finished:
        figures.append(("Search", duration(_seconds(report)), plural(len(report.history.finished), "construction")))
    if report.final_seconds is not None:
        figures.append(("Final training", duration(report.final_seconds), "of the chosen network"))
    return figures


def _seconds(report: Report) -> float:
    return sum(trial.outcome.seconds for trial in report.history.finished if trial.outcome)
