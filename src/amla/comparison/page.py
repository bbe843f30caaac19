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
from amla.comparison.judgement import Judgement, OnTask
from amla.comparison.pairs import Pair
from amla.comparison.standing import Standing
from amla.comparison.words import alone, best_known, confounded, energy, noise, points, reached, spent, verdict
from amla.evidence.ranks import Ranking
from amla.reports.markup import Content, Html, Section, element, join, row, section, table
from amla.reports.names import metric_name
from amla.reports.numbers import DASH, SPACE, count, duration, percent, plural
from amla.reports.page import page
from amla.reports.plots import canvas
from amla.reports.vega import Chart

MET = {True: "met", False: "not met", None: "for the author to say"}


def render(judgement: Judgement, items: Sequence[Item], file: str, command: str) -> str:
    """Return the report as a page; `file` is the comparison as YAML, `command` what ran it."""
    parts = [part for found in judgement.tasks for part in _task(found, len(judgement.tasks) > 1)]
    parts += [_ranks(judgement.ranking), _checklist(items), _about(judgement), _file(file, command)]
    told = [part for part in parts if part]
    links = (element("li", element("a", part.title, href=f"#{part.anchor}")) for part in told)
    contents = element("nav", element("ul", *links), aria_label="Contents")
    return page(judgement.name, join((_headline(judgement), contents, *(part.html for part in told))), charts=True)


def _headline(judgement: Judgement) -> Html:
    name = element("p", element("span", "amla"), " ", f"comparison {judgement.name}", class_="name")
    real = [pair for found in judgement.tasks for pair in found.pairs if pair.is_real]
    everything = sum(len(found.pairs) for found in judgement.tasks)
    title = (
        f"{len(real)} of {plural(everything, 'difference')} can be told from chance"
        if everything
        else ("Nothing is compared" if judgement.done else "Nothing can be compared yet")
    )
    tasks = plural(len(judgement.tasks), "task")
    lead = f"{plural(judgement.seeds, 'seed')} on {tasks}; {judgement.done} of {judgement.planned} runs are done."
    return element("header", name, element("h1", title), element("p", lead, class_="lead"))


def _task(found: OnTask, named: bool) -> list[Section | None]:
    of = f" on {found.task}" if named else ""
    anchor = f"{found.task}-" if named else ""
    if not found.standings:
        return [section(f"{anchor}standings", f"Nothing has been run{of}", element("p", "Run the command again."))]
    notes = [
        element("p", text)
        for text in (alone(found), best_known(found), noise(found), confounded(found), *_refused(found))
        if text
    ]
    told = [element("p", text) for text in (spent(found),) if text]
    verdicts = _verdicts(found.pairs)
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
    return [
        section(f"{anchor}verdicts", f"What can be said{of}", element("ul", *verdicts) if verdicts else None, *notes),
        section(f"{anchor}standings", f"Test {metric}{of}", _figure(accuracies(found), _cut(found)), _standings(found)),
        _charts(f"{anchor}curves", f"The best so far{of}", curves),
        _milestones(f"{anchor}milestones", f"After fewer networks{of}", found.milestones),
        section(f"{anchor}sizes", f"Size and {metric}{of}", _figure(against_size(found)), _volumes(found)),
        section(f"{anchor}costs", f"What it took{of}", *told, _costs(found)),
    ]


def _cut(found: OnTask) -> str | None:
    """Return what is to be known of a chart of many runs, None if there are few."""
    if all(len(s.accuracies) <= MANY for s in found.standings):
        return None
    return "A dot a run, with the mean and its interval; runs that are worse than the axis shows stand at its beginning"


def _standings(found: OnTask) -> Html:
    below = {} if all(s.regret is None for s in found.standings) else {"Below the best": True}
    head = {"Contender": False, "Mean": True, f"95{SPACE}% interval": True, "Worst": True, "Best": True, "Runs": True}
    head |= {"Over random sampling": True, **below, "Parameters": True, "MACs": True}
    rows = [
        row(
            s.name,
            percent(s.mean, 2),
            _bounds(s),
            percent(min(s.accuracies.values()), 2),
            percent(max(s.accuracies.values()), 2),
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


def _verdicts(pairs: Sequence[Pair]) -> list[Html]:
    return [element("li", verdict(pair)) for pair in pairs]


def _volumes(found: OnTask) -> Html:
    said = (
        f"How much of size and {metric_name(found.metric)} each front dominates, from a corner a tenth beyond the "
        "dearest and the worst; "
        "a search for that alone looks for no small networks"
    )
    order = sorted(found.volumes.items(), key=lambda pair: -pair[1])
    most = max(found.volumes.values()) or 1.0
    rows = [row(name, percent(volume / most), str(len(found.fronts[name])), numbers=(0, 1)) for name, volume in order]
    return table(said, {"Contender": False, "Hypervolume, of the largest": True, "Runs on its front": True}, rows)


def _costs(found: OnTask) -> Html:
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


def _bounds(standing: Standing) -> str:
    if len(standing.accuracies) < 2:
        return DASH
    return f"{100 * standing.low:.2f}{DASH}{100 * standing.high:.2f}{SPACE}%"


def _refused(found: OnTask) -> list[str]:
    return [f"Refused a place in the table: {why}." for why in found.refused]


def _ranks(found: Ranking | None) -> Section | None:
    if found is None:
        return None
    rows = [row(name, f"{rank:.2f}", numbers=(0,)) for name, rank in found.ranks.items()]
    groups = [element("li", f"{', '.join(group)} cannot be told apart") for group in found.groups]
    said = (
        f"Friedman's p is {found.p:.3f} over {found.tasks} tasks. Mean ranks that differ by less than "
        f"{found.critical:.2f} cannot be told apart (Nemenyi, 5{SPACE}%)."
    )
    diagram = _figure(ranks(found), "Critical differences: what a bar joins cannot be told apart")
    means = table("Mean rank over tasks, 1 being best", {"Contender": False, "Mean rank": True}, rows)
    return section(
        "ranks", "Over all tasks", element("p", said), diagram, means, element("ul", *groups) if groups else None
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
