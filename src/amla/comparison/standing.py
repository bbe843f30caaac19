"""How a contender did on a task: what its runs tested at, their mean with its interval, and what they took."""

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median

from amla.comparison.record import Record
from amla.evidence.paired import interval
from amla.spec.values import Number, value


@value
class Standing:
    """How a contender did on a task: test accuracies by seed, their mean and its 95 % interval, and what it took.

    `relative` is the relative improvement over random sampling in percent (Yang et al. 2020), where that was run. Costs
    are means over runs, sizes of networks medians: `flops` of search and final training, `search_flops` of the search
    alone, `joules` of both, None unless they could be read of all trials. `searches` is False where one network was
    drawn or given. `regret` is how much less the mean is than the best of a table, None where there is no table.
    """

    name: str
    is_control: bool
    searches: bool
    accuracies: Mapping[int, float]
    mean: float
    low: Number
    high: Number
    relative: float | None
    parameters: float
    macs: float
    trials: float
    steps: float
    flops: float
    search_flops: float
    search_seconds: float
    final_seconds: float
    joules: float | None
    failures: Mapping[str, int]
    regret: float | None = None


def standing(
    name: str, runs: Mapping[int, Record], *, is_control: bool, searches: bool, base: float | None, share: bool = True
) -> Standing:
    """Return how a contender did by its runs; `base` is the mean of random sampling, None where that was not run.

    What is tested is a `share`, from 0 to 1, or else any number.
    """
    tested = accuracies(runs)
    mean, (low, high) = _mean(list(tested.values())), interval(list(tested.values()))
    found = list(runs.values())
    joules = [joule for run in found for joule in (run.search.joules, run.final.joules)]
    failures: dict[str, int] = {}
    for run, phase in product(found, ("search", "final")):
        for reason, count in getattr(run, phase).failures.items():
            failures[reason] = failures.get(reason, 0) + count
    return Standing(
        name=name,
        is_control=is_control,
        searches=searches,
        accuracies=tested,
        mean=mean,
        low=max(0.0, low) if share and len(runs) > 1 else low,
        high=min(1.0, high) if share and len(runs) > 1 else high,
        relative=100 * (mean - base) / base if share and base else None,
        parameters=median(run.parameters for run in found),
        macs=median(run.macs for run in found),
        trials=_mean([run.search.trials for run in found]),
        steps=_mean([run.search.steps for run in found]),
        flops=_mean([run.search.flops + run.final.flops for run in found]),
        search_flops=_mean([run.search.flops for run in found]),
        search_seconds=_mean([run.search.seconds for run in found]),
        final_seconds=_mean([run.final.seconds for run in found]),
        joules=None if None in joules else sum(joule for joule in joules if joule is not None) / len(found),
        failures=failures,
        regret=found[0].known.best - mean if found[0].known else None,
    )


def accuracies(runs: Mapping[int, Record]) -> dict[int, float]:
    """Return what runs tested at, by seed."""
    return {seed: found.accuracy for seed, found in sorted(runs.items())}


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
