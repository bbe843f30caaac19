"""Which of the networks that a search has trained is the result: the most accurate one, or a smaller or faster one.

The rule of `small` and `fast`: of all that were trained as long as the best, those whose validation accuracy is not
below the 95 % interval of the best one's (Wilson's) cannot be told from it; of these, the one that costs the least. No
network that was trained is both better and cheaper, so it is on the Pareto front.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amla.algorithms import pareto
from amla.algorithms.protocol import ranked
from amla.evidence.shares import wilson
from amla.reports.numbers import count, interval, percent, plural
from amla.study.study import Prefer, Study
from amla.trials.history import History
from amla.trials.trial import Trial

METRIC = "accuracy"
LATENCY = "latency"
NAMES = {"parameters": "parameters", "macs": "MACs", "peak_memory": "bytes of activations", LATENCY: "latency"}


@dataclass(frozen=True)
class Choice:
    """The trial whose network is preferred, and why, in a sentence."""

    trial: Trial
    why: str


def preferred(prefer: Prefer, history: History) -> Choice | None:
    """Return the choice among what a search has trained; None where the most accurate is wanted, or there is none."""
    rivals = ranked(history, history.done, METRIC)
    if prefer == "accurate" or not rivals:
        return None
    best, cost = rivals[0], _cost(prefer, rivals)
    low, high = _interval(best)
    alike = [trial for trial in rivals if trial.measurement.metrics[METRIC] >= low]
    found = min(alike, key=lambda trial: (trial.measurement.metrics[cost], -trial.measurement.metrics[METRIC]))
    return Choice(found, _why(prefer, cost, found, best, len(alike), interval(low, high)))


def front(history: History, costs: Sequence[str]) -> list[Trial]:
    """Return those trained as long as the best that none of them beats in accuracy and all costs, the best first."""
    return pareto.front(ranked(history, history.done, METRIC), METRIC, costs)


def costs_of(study: Study, history: History) -> tuple[str, ...]:
    """Return the costs by which a front is told: those that the search goes by, and the size and the latency.

    Where that is not measured, the multiply-accumulates stand for it.
    """
    named = tuple(cost for cost in getattr(study.algorithm, "costs", ()) if cost in NAMES)
    speed = LATENCY if _is_measured(ranked(history, history.done, METRIC)) else "macs"
    return tuple(dict.fromkeys((*named, "parameters", speed)))


def is_of_interest(study: Study) -> bool:
    """Whether a study looks at what networks cost besides their accuracy."""
    return study.latency is not None or study.prefer != "accurate" or bool(getattr(study.algorithm, "costs", ()))


def cost_words(cost: str, amount: float) -> str:
    """Return a cost with its unit."""
    return f"{1000 * amount:.3g} ms" if cost == LATENCY else f"{count(amount)} {NAMES.get(cost, cost)}"


def _cost(prefer: Prefer, rivals: Sequence[Trial]) -> str:
    if prefer == "small":
        return "parameters"
    return LATENCY if _is_measured(rivals) else "macs"


def _is_measured(rivals: Sequence[Trial]) -> bool:
    return bool(rivals) and all(LATENCY in trial.measurement.metrics for trial in rivals)


def _interval(best: Trial) -> tuple[float, float]:
    """Return the interval of a validation accuracy; the accuracy itself where nobody knows of how many examples."""
    metrics = best.measurement.metrics
    examples = int(metrics.get("examples", 0))
    if not examples:
        return metrics[METRIC], metrics[METRIC]
    return wilson(round(metrics[METRIC] * examples), examples)


def _why(prefer: Prefer, cost: str, found: Trial, best: Trial, alike: int, bounds: str) -> str:
    least = "fewest parameters" if cost == "parameters" else "lowest latency" if cost == LATENCY else "fewest MACs"
    if alike == 1:
        return (
            f"Preferred {prefer}: all other networks can be told from the best by validation (95 % interval {bounds})."
        )
    mine, its = found.measurement.metrics, best.measurement.metrics
    among = f"{plural(alike, 'network')} not to be told from the best by validation (95 % interval {bounds})"
    if found.id == best.id:
        return f"Preferred {prefer}: the most accurate network is also the one with the {least} of {among}."
    return (
        f"Preferred {prefer}: construction {found.id} has the {least} of {among}: {cost_words(cost, mine[cost])} and "
        f"{percent(mine[METRIC])}, where construction {best.id}, the best, has {cost_words(cost, its[cost])} and "
        f"{percent(its[METRIC])}."
    )
