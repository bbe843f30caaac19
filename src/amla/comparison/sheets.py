"""The tables of a comparison's page: what contenders reached on a task, within each limit, and what that took."""

from collections.abc import Sequence
from statistics import fmean

from amla.comparison.judgement import OnTask
from amla.comparison.pairs import Pair
from amla.comparison.trade import Trade
from amla.comparison.words import energy, in_short, interval, limits, needed, points
from amla.reports.markup import Html, row, table
from amla.reports.names import metric_name
from amla.reports.numbers import DASH, SPACE, count, duration, metric_reading, percent


def within_limits(tasks: Sequence[OnTask]) -> Html:
    """Return what each contender reached within each limit, of one task."""
    rows = [row(name, *cells, numbers=range(len(cells))) for name, cells in limits(tasks).items()]
    head = {"Contender": False, **{found.limit: True for found in tasks}}
    return table(f"Mean test {metric_name(tasks[0].metric)} on {tasks[0].task}, by limit", head, rows)


def traded_volumes(found: Trade) -> Html:
    """Return what the fronts of each contender's runs dominate, the most first."""
    head = {"Contender": False, "Share of the box": True, f"95{SPACE}% interval": True, "Runs": True}
    head |= {"Networks on a front": True}
    rows = [
        row(
            name,
            percent(mean, 1),
            f"{100 * low:.1f} to {100 * high:.1f}" if len(found.volumes[name]) > 1 else DASH,
            str(len(found.volumes[name])),
            f"{fmean(map(len, found.fronts[name].values())):.1f}",
            numbers=range(4),
        )
        for name, (mean, low, high) in sorted(found.means.items(), key=lambda item: -item[1][0])
    ]
    return table("What the front of a run dominates, on average over seeds", head, rows)


def differences(pairs: Sequence[Pair], unit: str = "points") -> Html:
    """Return who beats whom, or what is undecided, a line a pair; where it is, how many seeds would tell."""
    family = f", p after Holm's correction for {len(pairs)} pairs" if len(pairs) > 1 else ""
    head = {
        "": False,
        " ": False,
        "Against": False,
        "Points": True,
        f"95{SPACE}% interval": True,
        "p": True,
        "n": True,
        "Seeds that would tell": True,
    }
    rows = [
        row(*in_short(pair), needed(pair), numbers=range(2, 7), class_="chosen" if pair.is_real else None)
        for pair in pairs
    ]
    return table(f"Differences in {unit} over seeds{family}; those in bold are more than chance", head, rows)


def standings(found: OnTask) -> Html:
    """Return what the runs of each contender tested at."""
    below = {} if all(s.regret is None for s in found.standings) else {"Below the best": True}
    head = {"Contender": False, "Mean": True, f"95{SPACE}% interval": True, "Worst": True, "Best": True, "Runs": True}
    head |= {"Over random sampling": True, **below, "Parameters": True, "MACs": True}
    rows = [
        row(
            s.name,
            metric_reading(found.metric, s.mean, 2),
            interval(s, found.metric) or DASH,
            metric_reading(found.metric, min(s.accuracies.values()), 2),
            metric_reading(found.metric, max(s.accuracies.values()), 2),
            str(len(s.accuracies)),
            DASH if s.relative is None else f"{s.relative:+.2f}{SPACE}%",
            *([DASH if s.regret is None else points(s.regret)] if below else []),
            count(s.parameters),
            count(s.macs),
            numbers=range(9),
            class_=None if s.is_control else "chosen",
        )
        for s in found.standings
    ]
    return table(f"Test {metric_name(found.metric)} over seeds, the best first; controls are not set off", head, rows)


def volumes(found: OnTask) -> Html:
    """Return what the front of each contender's runs dominates."""
    said = (
        f"How much of size and {metric_name(found.metric)} each front dominates, from a corner a tenth beyond the "
        "dearest and the worst; "
        "a search for that alone looks for no small networks"
    )
    order = sorted(found.volumes.items(), key=lambda pair: -pair[1])
    most = max(found.volumes.values()) or 1.0
    rows = [row(name, percent(volume / most), str(len(found.fronts[name])), numbers=(0, 1)) for name, volume in order]
    return table(said, {"Contender": False, "Hypervolume, of the largest": True, "Runs on its front": True}, rows)


def costs(found: OnTask) -> Html:
    """Return what a run of each contender took."""
    head = {"Contender": False, "Networks": True, "Steps": True, "Operations of search": True}
    head |= {"Of search and final": True, "Time of search": True, "Of final": True}
    head |= {"Energy": True, "Failed trials": False}
    rows = [
        row(
            s.name,
            f"{s.trials:.1f}",
            count(s.steps),
            count(s.search_flops),
            count(s.flops),
            duration(s.search_seconds),
            duration(s.final_seconds),
            energy(s.joules, is_table=found.known is not None),
            ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in s.failures.items()) or "none",
            numbers=range(7),
        )
        for s in found.standings
    ]
    return table(
        "What a run took on average: networks and steps are those of the search, energy that of both", head, rows
    )
