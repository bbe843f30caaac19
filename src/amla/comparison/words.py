"""A comparison in words: who beats whom by how much, or that nothing can be told yet and what it would take."""

from collections.abc import Sequence

from amla.comparison.circumstances import mixed
from amla.comparison.incumbents import Reached
from amla.comparison.judgement import OnTask
from amla.comparison.pairs import Pair
from amla.comparison.record import Known
from amla.comparison.spending import spending
from amla.comparison.standing import Standing
from amla.evidence.power import least as least_seeds
from amla.reports.costs import cost_name
from amla.reports.names import metric_name
from amla.reports.numbers import DASH, SPACE, count, is_share, metric_reading, percent, plural, reading


def verdict(pair: Pair, unit: str = "points") -> str:
    """Return what can be said of two contenders, in two or three sentences."""
    apart = pair.difference
    if pair.is_real and apart.mean < 0:
        gain, low, high = -apart.mean, -apart.high, -apart.low
        return f"{pair.theirs} beats {pair.ours} by {points(gain)} {unit} {_sure(pair, low, high)}. {_often(pair)}"
    sure = _sure(pair, apart.low, apart.high)
    if pair.is_real:
        return f"{pair.ours} beats {pair.theirs} by {points(apart.mean)} {unit} {sure}. {_often(pair)}"
    said = (
        f"No evidence at this n that {pair.ours} and {pair.theirs} differ: {points(apart.mean)} {unit} {sure}. "
        f"{_often(pair)}"
    )
    if apart.n < (fewest := least_seeds(pair.family)):
        return f"{said} With {plural(apart.n, 'seed')} none could be told; it takes {fewest} or more."
    if pair.needed is not None:
        return f"{said} About {pair.needed} seeds would tell a difference as large."
    return said


VOLUME = "points of hypervolume"


def traded(found: OnTask) -> str | None:
    """Return by what whole fronts are compared, None where nobody goes by costs."""
    if found.trade is None:
        return None
    names = [metric_name(found.metric), *map(cost_name, found.trade.costs)]
    seen = "tested, of networks chosen by what searches saw" if found.trade.tested else "validated, as searches saw it"
    return (
        f"Of each run that tried several networks the front of {', '.join(names[:-1])} and {names[-1]} is compared: "
        "the share that it dominates of the box around the networks that none of any run beats, whose worst corner is "
        f"a tenth of their range further out. The {names[0]} is {seen}."
    )


def in_short(pair: Pair) -> tuple[str, ...]:
    """Return who, how, against whom, by how many points, from where to where, p and n; the winner first, if any."""
    apart, (ours, theirs) = pair.difference, (pair.ours, pair.theirs)
    mean, low, high = apart.mean, apart.low, apart.high
    if pair.is_real and mean < 0:
        ours, theirs, mean, low, high = theirs, ours, -mean, -high, -low
    how = "beats" if pair.is_real else "undecided"
    p = p_value(pair.adjusted).removeprefix("p ").removeprefix("= ")
    bounds = f"{points(low)} to {points(high)}" if apart.n > 1 else DASH
    return ours, how, theirs, points(mean), bounds, p, str(apart.n)


def needed(pair: Pair) -> str:
    """Return how many seeds would tell a difference as large, nothing where it is told or no number would."""
    if pair.is_real:
        return ""
    fewest = least_seeds(pair.family)
    return str(pair.needed or "") if pair.difference.n >= fewest else f"{fewest} or more"


def _sure(pair: Pair, low: float, high: float) -> str:
    after = f" after Holm for {pair.family} pairs" if pair.family > 1 else ""
    bounds = f"95{SPACE}% interval {points(low)} to {points(high)}, " if pair.difference.n > 1 else ""
    return f"({bounds}{p_value(pair.adjusted)}{after}, n\u00a0=\u00a0{pair.difference.n})"


def _often(pair: Pair) -> str:
    """Return how often a run of whoever is ahead is better than one of the other: the probability of improvement."""
    found, (ahead, behind) = pair.improvement, (pair.ours, pair.theirs)
    share, low, high = found.share, found.low, found.high
    if pair.difference.mean < 0:
        ahead, behind, share, low, high = behind, ahead, 1 - share, 1 - high, 1 - low
    sure = f" (95{SPACE}% interval {100 * low:.0f} to {100 * high:.0f})" if pair.difference.n > 1 else ""
    return f"A run of {ahead} is better than one of {behind} {100 * share:.0f}{SPACE}% of the time{sure}."


def too_few(seeds: int, family: int) -> str | None:
    """Return the warning that so many seeds cannot tell anything of a `family` of pairs, None if they may."""
    if not family:
        return "One contender without controls is compared with nothing; add a contender, or set controls to true."
    fewest = least_seeds(family)
    if seeds >= fewest:
        return None
    return (
        f"With {plural(seeds, 'seed')} no difference can be told at 5{SPACE}%, however large: {plural(family, 'pair')} "
        f"are compared, and the sign-flip test with Holm's correction needs {fewest} seeds for that."
    )


def alone(found: OnTask) -> str | None:
    """Return that there is nothing to compare with where one contender was run alone, None elsewhere."""
    if len(found.standings) != 1:
        return None
    return f"Only {found.standings[0].name} has been run, so that there is nothing to compare it with."


def noise(found: OnTask) -> str | None:
    """Return how far one and the same network lies from itself with other seeds, None where that is not known."""
    if found.known is not None:
        return _noise_of_table(found.known)
    if found.noise is None:
        return None
    return (
        f"The same network, trained with other seeds, differs by {points(found.noise)} points (standard deviation): "
        "differences of single runs below twice that say nothing."
    )


def _noise_of_table(known: Known) -> str:
    if known.noise is None:
        return (
            "There is no noise floor: the table holds one number a network, so what other seeds would change is not "
            "known. The seeds of a comparison are those of the searches alone."
        )
    return (
        f"The same network, trained with other seeds, differs by {points(known.noise)} points (standard deviation of "
        f"{known.measured}, over the best tenth of the table). The test accuracies here are means of the trainings in "
        "the table and do not vary so; two networks that are closer than that may be equally good."
    )


def best_known(found: OnTask) -> str | None:
    """Return what the best network of a table tests at, None where there is no table."""
    if found.known is None:
        return None
    return f"The best network of the table tests at {percent(found.known.best, 2)}."


def limits(tasks: Sequence[OnTask]) -> dict[str, tuple[str, ...]]:
    """Return what each contender reached within each limit of one task, the best of the last limit first."""
    means = [{standing.name: mean(standing, found.metric) for standing in found.standings} for found in tasks]
    names = dict.fromkeys(name for found in reversed(means) for name in found)
    return {name: tuple(found.get(name, DASH) for found in means) for name in names}


def mean(standing: Standing, metric: str) -> str:
    """Return a mean over seeds with its 95 % interval, where there is one: "93.94 % (93.70 to 94.18)"."""
    said, bounds = metric_reading(metric, standing.mean, 2), interval(standing, metric)
    return f"{said} ({bounds})" if bounds else said


def interval(standing: Standing, metric: str) -> str:
    """Return the 95 % interval of a mean over seeds, "93.70 to 94.18"; nothing of one seed."""
    if len(standing.accuracies) < 2:
        return ""
    if is_share(metric):
        return f"{100 * standing.low:.2f} to {100 * standing.high:.2f}"
    return f"{reading(standing.low)} to {reading(standing.high)}"


def reached(said: Reached) -> str:
    """Return a mean of test accuracies with its standard deviation over runs: "93.94 ± 0.40 %"."""
    return f"{100 * said.mean:.2f} \u00b1 {100 * said.deviation:.2f}{SPACE}%"


def confounded(found: OnTask) -> str | None:
    """Return in what runs differ besides their contender and seed, None if in nothing."""
    differing = mixed(found.about, found.known is not None)
    return f"This is no controlled comparison: {differing}." if differing else None


def spent(found: OnTask) -> str | None:
    """Return from how many to how many operations searches took, and whole runs; None below two of them."""
    both = spending(found)
    if both is None:
        return None
    least, most = both.least.name, both.most.name
    said = f"took {count(both.fewest)} operations on average ({least}) to {count(both.dearest)} ({most})"
    if both.whole:
        return f"Runs {said}, {percent(both.apart)} apart: the final training has what the search left of the limit."
    all_runs = sorted(found.standings, key=lambda standing: standing.flops)
    fewest, dearest = all_runs[0], all_runs[-1]
    return (
        f"Searches {said}, {percent(both.apart)} apart; with final training runs took {count(fewest.flops)} "
        f"({fewest.name}) to {count(dearest.flops)} ({dearest.name})."
    )


def energy(joules: float | None, *, is_table: bool = False) -> str:
    """Return an energy in three digits: "4.00 kJ", "512 J"; of a table's trials none was used."""
    if joules is None:
        return "looked up" if is_table else "not readable"
    said = count(joules)
    return f"{said}J" if said[-1].isalpha() else f"{said}{SPACE}J"


def points(share: float) -> str:
    """Return a difference of shares in points: "1.24", "-0.30"."""
    return f"{100 * share:.2f}".replace("-", "\u2212")


def p_value(p: float) -> str:
    """Return a p in three digits: "p = 0.031", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
