"""How a network is trained, as it was tuned: in words, and as a table."""

from collections.abc import Mapping, Sequence
from math import inf

from amla.algorithms.protocol import best
from amla.reports.markup import Content, Html, Section, element, row, section, table
from amla.reports.names import metric_name
from amla.reports.numbers import duration, metric_reading, plural
from amla.reports.report import Report
from amla.trials.trial import Failure, Measurement, Trial

AS_IT_IS = "as it is"


def changes_in_words(changes: Mapping[str, float]) -> str:
    """Return which numbers of a recipe are other ones: "optimiser.rate 0.031, augment.shift 2"."""
    return ", ".join(f"{address} {number:.2g}" for address, number in changes.items()) or AS_IT_IS


def tuned(report: Report) -> Section | None:
    """Return the section on what was tuned; None where nothing was."""
    tuning = report.tuning
    if tuning is None or not len(tuning):
        return None
    winner = best(tuning, report.metric)
    addresses = list(dict.fromkeys(address for trial in tuning.trials for address in trial.proposal.recipe))
    ranked = sorted(tuning.trials, key=lambda trial: -_reached(trial, report.metric))
    steps = plural(tuning[0].proposal.budget, "step")
    words = (
        f"The network that was found, trained for {steps} with each of these recipes, which took "
        f"{duration(tuning.seconds)}. The final training has the first. What is empty is as the study says."
    )
    head = {"Recipe": False, f"Validation {metric_name(report.metric)}": True, **dict.fromkeys(addresses, True)}
    rows = (_row(trial, addresses, report.metric, winner is not None and trial.id == winner.id) for trial in ranked)
    return section("recipe", "How it is trained", element("p", words), table("Recipes, the best first", head, rows))


def _row(trial: Trial, addresses: Sequence[str], metric: str, is_chosen: bool) -> Html:
    changes = trial.proposal.recipe
    numbers = (f"{changes[address]:.2g}" if address in changes else "" for address in addresses)
    return row(
        str(trial.id) if changes else AS_IT_IS,
        _outcome(trial, metric),
        *numbers,
        numbers=range(len(addresses) + 1),
        class_="chosen" if is_chosen else None,
    )


def _reached(trial: Trial, metric: str) -> float:
    return trial.outcome.metrics.get(metric, -inf) if isinstance(trial.outcome, Measurement) else -inf


def _outcome(trial: Trial, metric: str) -> Content:
    match trial.outcome:
        case Measurement(metrics=metrics):
            return metric_reading(metric, metrics[metric]) if metric in metrics else ""
        case Failure(reason=reason):
            return reason.replace("_", " ")
        case _:
            return "running"
