"""The report of a comparison as one HTML file that needs nothing else."""

from collections.abc import Sequence

from amla.comparison.charts import (
    LEAST_REGRET,
    MANY,
    UNITS,
    UNITS_OF_TABLES,
    accuracies,
    against_size,
    anytime,
    ranks,
    regret,
)
from amla.comparison.checklist import Item
from amla.comparison.incumbents import Milestone
from amla.comparison.judgement import Judgement, OnTask, by_limit
from amla.comparison.pairs import Pair
from amla.comparison.sheets import costs, differences, standings, traded_volumes, volumes, within_limits
from amla.comparison.trade_chart import fronts
from amla.comparison.words import VOLUME, alone, best_known, confounded, noise, reached, spent, traded, verdict
from amla.evidence.ranks import Ranking
from amla.reports.markup import Content, Html, Section, element, join, row, section, table
from amla.reports.names import metric_name
from amla.reports.numbers import DASH, SPACE, plural
from amla.reports.page import page
from amla.reports.plots import canvas
from amla.reports.vega import Chart

FEW = 3  # pairs, of which everything is shown at once
MET = {True: "met", False: "not met", None: "for the author to say"}


def render(judgement: Judgement, items: Sequence[Item], file: str, command: str) -> str:
    """Return the report as a page; `file` is the comparison as YAML, `command` what ran it."""
    several = len(judgement.tasks) > 1
    tasks = {found.called: [part for part in _task(found, several) if part] for found in judgement.tasks}
    before, after = [_limits(judgement)], [_ranks(limit, found) for limit, found in judgement.rankings.items()]
    after += [_checklist(items), _about(judgement), _file(file, command)]
    every = [part for of in tasks.values() for part in of]
    first = [(name, of[0]) for name, of in tasks.items()] if several else [(part.title, part) for part in every]
    links = [*_titled(before), *first, *_titled(after)]
    anchors = (element("li", element("a", title, href=f"#{part.anchor}")) for title, part in links)
    contents = element("nav", element("ul", *anchors), aria_label="Contents")
    told = [part.html for part in (*before, *every, *after) if part]
    return page(judgement.name, join((_headline(judgement), contents, *told)), charts=True)


def _titled(parts: Sequence[Section | None]) -> list[tuple[str, Section]]:
    return [(part.title, part) for part in parts if part]


def _headline(judgement: Judgement) -> Html:
    name = element("p", element("span", "amla"), " ", f"comparison {judgement.name}", class_="name")
    real = [pair for found in judgement.tasks for pair in found.pairs if pair.is_real]
    everything = sum(len(found.pairs) for found in judgement.tasks)
    title = (
        f"{len(real)} of {plural(everything, 'difference')} can be told from chance"
        if everything
        else ("Nothing is compared" if judgement.done else "Nothing can be compared yet")
    )
    limits = len({found.limit for found in judgement.tasks})
    tasks = plural(len(judgement.tasks) // limits, "task")
    within = f" within {limits} limits" if limits > 1 else ""
    done = f"{judgement.done} of {judgement.planned} runs are done."
    lead = f"{plural(judgement.seeds, 'seed')} on {tasks}{within}; {done}"
    return element("header", name, element("h1", title), element("p", lead, class_="lead"))


def _limits(judgement: Judgement) -> Section | None:
    sheets = [within_limits(found) for found in by_limit(judgement).values()]
    return section("limits", "What a larger limit buys", *sheets) if sheets else None


def _task(found: OnTask, named: bool) -> list[Section | None]:
    of = f" on {found.called}" if named else ""
    anchor = f"{found.called.replace(' ', '-')}-" if named else ""
    if not found.standings:
        return [section(f"{anchor}standings", f"Nothing has been run{of}", element("p", "Run the command again."))]
    notes = [
        element("p", text)
        for text in (alone(found), best_known(found), noise(found), confounded(found), *_refused(found))
        if text
    ]
    told = [element("p", text) for text in (spent(found),) if text]
    units = UNITS_OF_TABLES if found.known else UNITS
    is_held_out = found.known is None or found.known.held_out
    metric = metric_name(found.metric)
    best = f"The best validation {metric} so far" if is_held_out else f"The best {metric} seen so far, on the test part"
    curves = [
        *(
            (f"What is chosen so far, tested, and {unit}; {LEAST_REGRET:g} is that or less", regret(found, name))
            for name, unit in units.items()
        ),
        *((f"{best}, and {unit}", anytime(found, name)) for name, unit in units.items()),
    ]
    said = join((differences(found.pairs), _in_words(found.pairs))) if found.pairs else None
    return [
        section(f"{anchor}verdicts", f"What can be said{of}", said, *notes),
        section(f"{anchor}standings", f"Test {metric}{of}", _figure(accuracies(found), _cut(found)), standings(found)),
        _charts(f"{anchor}curves", f"The best so far{of}", curves),
        _milestones(f"{anchor}milestones", f"After fewer networks{of}", found.milestones),
        _trade(f"{anchor}fronts", f"Whole fronts{of}", found),
        section(f"{anchor}sizes", f"Size and {metric}{of}", _figure(against_size(found)), volumes(found)),
        section(f"{anchor}costs", f"What it took{of}", *told, costs(found)),
    ]


def _cut(found: OnTask) -> str | None:
    """Return what is to be known of a chart of many runs, None if there are few."""
    if all(len(s.accuracies) <= MANY for s in found.standings):
        return None
    return "A dot a run, with the mean and its interval; runs that are worse than the axis shows stand at its beginning"


def _milestones(anchor: str, title: str, found: Sequence[Milestone]) -> Section | None:
    if not found:
        return None
    said = "What is chosen after so many networks tests at: mean and standard deviation over runs"
    names = list(found[-1].reached)
    head = {"Contender": False, **{str(at.trials): True for at in found}}
    rows = [
        row(
            name,
            *(reached(at.reached[name]) if name in at.reached else DASH for at in found),
            numbers=range(len(found)),
        )
        for name in names
    ]
    verdicts = [
        element("details", element("summary", f"After {at.trials} networks"), element("ul", *_verdicts(at.pairs)))
        for at in found
        if at.pairs
    ]
    return section(anchor, title, table(said, head, rows), *verdicts)


def _trade(anchor: str, title: str, found: OnTask) -> Section | None:
    if found.trade is None:
        return None
    compared = found.trade.pairs
    said = join((differences(compared, VOLUME), _in_words(compared, VOLUME))) if compared else None
    figure = _figure(fronts(found), "The front of every run")
    return section(anchor, title, element("p", traded(found)), figure, traded_volumes(found.trade), said)


def _in_words(pairs: Sequence[Pair], unit: str = "points") -> Html:
    summary = element("summary", "In words, and how often a run of one is better than one of the other")
    return element(
        "details",
        summary,
        element("ul", *(element("li", verdict(pair, unit)) for pair in pairs)),
        open="" if len(pairs) <= FEW else None,
    )


def _verdicts(pairs: Sequence[Pair], unit: str = "points") -> list[Html]:
    return [element("li", verdict(pair, unit)) for pair in pairs]


def _refused(found: OnTask) -> list[str]:
    return [f"Refused a place in the table: {why}." for why in found.refused]


def _ranks(limit: str, found: Ranking) -> Section | None:
    within = f" within {limit}" if limit else ""
    rows = [row(name, f"{rank:.2f}", numbers=(0,)) for name, rank in found.ranks.items()]
    groups = [element("li", f"{', '.join(group)} cannot be told apart") for group in found.groups]
    said = (
        f"Friedman's p is {found.p:.3f} over {found.tasks} tasks. Mean ranks that differ by less than "
        f"{found.critical:.2f} cannot be told apart (Nemenyi, 5{SPACE}%)."
    )
    diagram = _figure(ranks(found), "Critical differences: what a bar joins cannot be told apart")
    means = table("Mean rank over tasks, 1 being best", {"Contender": False, "Mean rank": True}, rows)
    return section(
        f"ranks-{limit}" if limit else "ranks",
        f"Over all tasks{within}",
        element("p", said),
        diagram,
        means,
        element("ul", *groups) if groups else None,
    )


def _checklist(items: Sequence[Item]) -> Section | None:
    rows = [row(item.practice, MET[item.met], item.evidence) for item in items]
    return section(
        "checklist",
        "Good practice, item by item",
        element(
            "p",
            "All practices but the last are those of Lindauer and Hutter (2020). What amla cannot know is left to the "
            "author.",
        ),
        table("The checklist", {"Practice": False, "": False, "Evidence": False}, rows),
    )


def _about(judgement: Judgement) -> Section | None:
    rows = [row(name, "; ".join(values)) for name, values in judgement.about.items()]
    return (
        section(
            "environment", "Circumstances", table("Where and with what it ran", {"What": False, "Value": False}, rows)
        )
        if rows
        else None
    )


def _file(file: str, command: str) -> Section | None:
    code = element("pre", element("code", file), tabindex="0", role="region", aria_label="The file of the comparison")
    return section("again", "To run it again", element("pre", element("code", command)), code)


def _charts(anchor: str, title: str, charts: Sequence[tuple[str, Chart | None]]) -> Section | None:
    figures = [_figure(spec, caption) for caption, spec in charts if spec]
    return section(anchor, title, element("div", *figures, class_="charts")) if figures else None


def _figure(spec: Chart | None, caption: str | None = None) -> Html | None:
    if spec is None:
        return None
    content: list[Content] = [element("figcaption", caption) if caption else None, canvas(spec, "canvas")]
    return element("figure", *content)
