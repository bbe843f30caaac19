"""What the network that a search would choose so far would test at, where a table knows that of every network.

The choice is made by validation, as it would be; only the judge knows more. Against the best of the table it is the
regret.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev, stdev

from amla.comparison.controls import RANDOM
from amla.comparison.pairs import Pair, pairs
from amla.comparison.record import Record
from amla.evidence.anytime import Anytime, anytime
from amla.spec.values import value

MEASURES = ("trials", "seconds")
BUDGETS = (10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)  # networks after which the choice is looked at

Runs = Mapping[int, Record]  # by seed


@value
class Reached:
    """What choices test at: their mean over `runs` and its standard deviation from run to run."""

    mean: float
    deviation: float
    runs: int


@value
class Milestone:
    """What had been reached after so many `trials`, by contender, and what could have been said of them then."""

    trials: int
    reached: Mapping[str, Reached]
    pairs: tuple[Pair, ...]


def curves(by_name: Mapping[str, Runs]) -> dict[str, dict[str, Anytime]]:
    """Return the curves of those that search for longer than one network, by what they are drawn against."""
    found: dict[str, dict[str, Anytime]] = {}
    for measure in MEASURES:
        for name, runs in _searching(by_name).items():
            steps = [
                [(getattr(point, measure), point.tested) for point in run.points if point.tested is not None]
                for run in runs.values()
            ]
            if (curve := anytime(steps)) and curve.spent[-1] > 0:
                found.setdefault(measure, {})[name] = curve
    return found


def milestones(contenders: Sequence[str], by_name: Mapping[str, Runs]) -> tuple[Milestone, ...]:
    """Return what had been reached after fewer networks than were tried; contenders are paired with random search."""
    searching = _searching(by_name)
    longest = max((run.search.trials for runs in searching.values() for run in runs.values()), default=0)
    found = []
    for budget in (budget for budget in BUDGETS if budget <= longest):
        then = {name: _after(runs, budget) for name, runs in searching.items()}
        then = {name: tested for name, tested in then.items() if tested}
        reached = {
            name: Reached(fmean(of.values()), stdev(of.values()) if len(of) > 1 else 0.0, len(of))
            for name, of in then.items()
        }
        named = {name: of for name, of in then.items() if name in contenders or name == RANDOM}
        # After as many as were tried it is the comparison itself that says so.
        said = pairs(contenders, named) if budget < longest else ()
        found.append(Milestone(budget, reached, said))
    return tuple(found)


def pooled(samples: Sequence[Sequence[float]]) -> float | None:
    """Return the standard deviation within samples of several numbers each, taken together; None if there are none."""
    several = [sample for sample in samples if len(sample) > 1]
    if not several:
        return None
    squares = sum(len(sample) * pstdev(sample) ** 2 for sample in several)
    return float((squares / sum(len(sample) - 1 for sample in several)) ** 0.5)


def _after(runs: Runs, trials: int) -> dict[int, float]:
    """Return what the choice after so many networks tests at, of those runs that had one by then."""
    found = {}
    for seed, run in sorted(runs.items()):
        tested = [point.tested for point in run.points if point.trials <= trials and point.tested is not None]
        if tested:
            found[seed] = tested[-1]
    return found


def _searching(by_name: Mapping[str, Runs]) -> dict[str, Runs]:
    """Return those that search for longer than one network, on a table."""
    return {
        name: runs
        for name, runs in by_name.items()
        if all(run.known and run.search.trials > 1 for run in runs.values())
    }
