"""Which of the networks that a search has trained is the result: the most accurate one, or a smaller or faster one.

The rule of `small` and `fast`: of all that were trained as long as the best, those whose validation accuracy is not
below the 95 % interval of the best one's (Wilson's) cannot be told from it; of these, the one that costs the least. By
another metric, of which validation gives no interval, those count that come within `MARGIN` of the best. No network
that was trained is both better and cheaper, so it is on the Pareto front.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amla.algorithms import pareto
from amla.algorithms.protocol import ranked
from amla.evidence.shares import wilson
from amla.reports.costs import LATENCY, ON_DEVICE, cost_words, is_shown
from amla.reports.names import metric_name
from amla.reports.numbers import interval, metric_reading, plural
from amla.study.study import Prefer, Study
from amla.trials.history import History
from amla.trials.trial import Trial

MARGIN = 0.01  # of a metric without an interval: by convention, no test says that it is the right one


@dataclass(frozen=True)
class Choice:
    """The trial whose network is preferred, and why, in a sentence."""

    trial: Trial
    why: str


def preferred(prefer: Prefer, history: History, metric: str = "accuracy") -> Choice | None:
    """Return the choice among what a search has trained; None where the best is wanted, or there is none."""
    if prefer == "accurate" or not (trained := ranked(history, history.done, metric)):
        return None
    best, cost = trained[0], _cost(prefer, trained)
    low, rule = _alike(best, metric)
    alike = [trial for trial in trained if trial.measurement.metrics[metric] >= low]
    found = min(alike, key=lambda trial: (trial.measurement.metrics[cost], -trial.measurement.metrics[metric]))
    return Choice(found, _why(prefer, metric, cost, (found, best), len(alike), rule))


def front(history: History, costs: Sequence[str], metric: str = "accuracy") -> list[Trial]:
    """Return those trained as long as the best that none of them beats in the metric and all costs, the best first."""
    return pareto.front(ranked(history, history.done, metric), metric, costs)


def costs_of(study: Study, history: History) -> tuple[str, ...]:
    """Return the costs by which a front is told: those that the search goes by, and the size and the latency.

    Where that is not measured, and the search does not go by that on a device, the multiply-accumulates stand for it.
    """
    named = tuple(cost for cost in getattr(study.algorithm, "costs", ()) if is_shown(cost))
    if _is_measured(ranked(history, history.done, study.metric)):
        speed = [LATENCY]
    else:
        speed = [] if any(cost.startswith(ON_DEVICE) for cost in named) else ["macs"]
    return tuple(dict.fromkeys((*named, "parameters", *speed)))


def is_of_interest(study: Study) -> bool:
    """Whether a study looks at what networks cost besides how good they are."""
    return study.latency is not None or study.prefer != "accurate" or bool(getattr(study.algorithm, "costs", ()))


def _cost(prefer: Prefer, trained: Sequence[Trial]) -> str:
    if prefer == "small":
        return "parameters"
    return LATENCY if _is_measured(trained) else "macs"


def _is_measured(trained: Sequence[Trial]) -> bool:
    return bool(trained) and all(LATENCY in trial.measurement.metrics for trial in trained)


def _alike(best: Trial, metric: str) -> tuple[float, str]:
    """Return from which value on networks cannot be told from the best one, and by what rule.

    Where nobody knows of how many examples an accuracy is, that value is the best itself.
    """
    metrics = best.measurement.metrics
    if metric != "accuracy":
        return metrics[metric] - MARGIN, f"within {MARGIN:g} of {metric_name(metric)}, of which no interval is known"
    examples = int(metrics.get("examples", 0))
    known = metrics[metric], metrics[metric]
    low, high = wilson(round(metrics[metric] * examples), examples) if examples else known
    return low, f"95 % interval {interval(low, high)}"


def _why(prefer: Prefer, metric: str, cost: str, which: tuple[Trial, Trial], alike: int, rule: str) -> str:
    """Return why the first of two trials is preferred, the second being the best."""
    found, best = which
    least = "fewest parameters" if cost == "parameters" else "lowest latency" if cost == LATENCY else "fewest MACs"
    if alike == 1:
        return f"Preferred {prefer}: all other networks can be told from the best by validation ({rule})."
    mine, its = found.measurement.metrics, best.measurement.metrics
    among = f"{plural(alike, 'network')} not to be told from the best by validation ({rule})"
    if found.id == best.id:
        return f"Preferred {prefer}: the {_top(metric)} network is also the one with the {least} of {among}."
    ours, theirs = (f"{cost_words(cost, of[cost])} and {metric_reading(metric, of[metric])}" for of in (mine, its))
    return (
        f"Preferred {prefer}: construction {found.id} has the {least} of {among}: {ours}, where construction "
        f"{best.id}, the best, has {theirs}."
    )


def _top(metric: str) -> str:
    return "most accurate" if metric == "accuracy" else "best"
