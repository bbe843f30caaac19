"""The report of a comparison as Markdown, for a repository or an issue."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from amla.comparison.checklist import Item
from amla.comparison.judgement import Judgement, OnTask, by_limit
from amla.comparison.page import FEW, MET
from amla.comparison.pairs import Pair
from amla.comparison.words import (
    VOLUME,
    alone,
    best_known,
    confounded,
    energy,
    in_short,
    interval,
    limits,
    needed,
    noise,
    points,
    reached,
    spent,
    traded,
    verdict,
)
from amla.reports.names import metric_name
from amla.reports.numbers import SPACE, count, duration, metric_reading, percent, plural


def markdown(judgement: Judgement, items: Sequence[Item], file: str, command: str) -> str:
    """Return the report as text; see `amla.comparison.page.render`."""
    lines = [f"# Comparison {judgement.name}", ""]
    lines += [f"{plural(judgement.seeds, 'seed')}; {judgement.done} of {judgement.planned} runs are done.", ""]
    for task, within in by_limit(judgement).items():
        lines += [f"## {task}: what a larger limit buys", ""]
        lines += _table(("contender", *(found.limit for found in within)), _rows(limits(within)))
    for found in judgement.tasks:
        lines += _task(found)
    for limit, ranks in judgement.rankings.items():
        lines += [
            f"## Over all tasks within {limit}" if limit else "## Over all tasks",
            "",
            f"Friedman's p is {ranks.p:.3f}; critical difference {ranks.critical:.2f}.",
            "",
        ]
        lines += _table(("contender", "mean rank"), ((name, f"{rank:.2f}") for name, rank in ranks.ranks.items()))
        lines += [f"- {', '.join(group)} cannot be told apart" for group in ranks.groups]
        lines += [""] if ranks.groups else []
    lines += ["## Good practice, item by item", "", "All but the last are those of Lindauer and Hutter (2020).", ""]
    lines += _table(("practice", "", "evidence"), ((item.practice, MET[item.met], item.evidence) for item in items))
    lines += ["## To run it again", "", "```sh", command, "```", "", "```yaml", file.rstrip(), "```", ""]
    return "\n".join(lines).replace(SPACE, "\u00a0")


def _task(found: OnTask) -> list[str]:
    lines = [f"## {found.called}", "", *_pairs(found.pairs)]
    lines += [
        text + "\n"
        for text in (
            alone(found),
            best_known(found),
            noise(found),
            spent(found),
            confounded(found),
            *(f"Refused: {why}." for why in found.refused),
        )
        if text
    ]
    head = [
        "contender",
        f"test {metric_name(found.metric)}",
        "95 % interval",
        "runs",
        "over random sampling",
        "parameters",
        "MACs",
    ]
    head += ["networks", "operations of search", "of search and final training", "time of a run"]
    head += ["energy"] if any(s.joules is not None for s in found.standings) else []
    head += ["below the best"] if found.known else []
    rows = (
        (
            s.name if s.is_control else f"**{s.name}**",
            metric_reading(found.metric, s.mean, 2),
            interval(s, found.metric),
            str(len(s.accuracies)),
            "" if s.relative is None else f"{s.relative:+.2f} %",
            count(s.parameters),
            count(s.macs),
            f"{s.trials:.1f}",
            count(s.search_flops),
            count(s.flops),
            duration(s.search_seconds + s.final_seconds),
            *([energy(s.joules)] if "energy" in head else []),
            *([] if s.regret is None else [points(s.regret)]),
        )
        for s in found.standings
    )
    return [*lines, *_table(head, rows), *_traded(found), *_milestones(found)]


def _traded(found: OnTask) -> list[str]:
    if (said := traded(found)) is None or found.trade is None:
        return []
    lines = [f"### {found.called}: whole fronts", "", said, ""]
    means = sorted(found.trade.means.items(), key=lambda item: -item[1][0])
    runs = {name: len(of) for name, of in found.trade.volumes.items()}
    rows = (
        (name, percent(mean), f"{100 * low:.1f} to {100 * high:.1f}" if runs[name] > 1 else "")
        for name, (mean, low, high) in means
    )
    lines += _table(("contender", "share of the box", "95 % interval"), rows)
    return [*lines, *_pairs(found.trade.pairs, VOLUME)]


def _milestones(found: OnTask) -> list[str]:
    if not found.milestones:
        return []
    names = list(found.milestones[-1].reached)
    lines = [f"### {found.called}: after fewer networks", ""]
    lines += ["What is chosen after so many networks tests at: mean and standard deviation over runs.", ""]
    rows = (
        (name, *(reached(at.reached[name]) if name in at.reached else "" for at in found.milestones)) for name in names
    )
    lines += _table(("contender", *(str(at.trials) for at in found.milestones)), rows)
    for at in found.milestones:
        if at.pairs:
            lines += [f"After {at.trials} networks:", "", *_pairs(at.pairs)]
    return lines


def _pairs(found: Sequence[Pair], unit: str = "points") -> list[str]:
    """Return who beats whom, a line a pair, and the same in words, which are folded where there are many."""
    if not found:
        return []
    after = f", p after Holm's correction for {len(found)} pairs" if len(found) > 1 else ""
    lines = [f"Differences in {unit} over seeds{after}:", ""]
    rows = ((*in_short(pair), needed(pair)) for pair in found)
    lines += _table(("", "", "", unit, "95 % interval", "p", "n", "seeds that would tell"), rows)
    words = [*(f"- {verdict(pair, unit)}" for pair in found), ""]
    if len(found) <= FEW:
        return [*lines, *words]
    return [*lines, "<details><summary>In words</summary>", "", *words, "</details>", ""]


def _rows(cells: Mapping[str, Sequence[str]]) -> Iterator[Sequence[str]]:
    yield from ((name, *found) for name, found in cells.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |" for cells in rows]
    return [*lines, ""]
