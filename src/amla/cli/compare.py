"""`amla compare`: run what has not been run, then say what can be said."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from amla.cli.console import escape, opened, say
from amla.comparison import comparison as settings
from amla.comparison.checklist import checklist
from amla.comparison.comparison import Comparison
from amla.comparison.judgement import Judgement, OnTask, as_json, judged, together
from amla.comparison.markdown import markdown
from amla.comparison.page import render
from amla.comparison.pairs import Pair
from amla.comparison.record import Record
from amla.comparison.runs import Bout, Running, begin
from amla.comparison.tabled import Part, Tabled, is_tabled, tabled
from amla.comparison.words import alone, in_short, interval, too_few
from amla.reports.costs import cost_name
from amla.reports.names import metric_name
from amla.reports.numbers import DASH, count, duration, metric_reading, percent, plural
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study.study import StudyError

RUNS = Path("runs")
REPORT = "report"


def compare_file(
    path: Path, folder: Path | None, seeds: int | None, data_dir: Path | None, jobs: int, report_only: bool
) -> None:
    """Run a comparison to its end, and write its report: after every seed, or on tables once all is looked up."""
    try:
        import scipy  # noqa: F401 - so that it is missed before anything is run
    except ModuleNotFoundError as error:
        raise StudyError(f"A comparison needs {error.name!r}; install it with: pip install 'amla[compare]'.") from None
    console = opened()
    comparison = settings.load(path)
    if seeds is not None:
        comparison = replace(comparison, seeds=seeds)
    place = folder or RUNS / comparison.name
    if (place / folders.STUDY).exists():
        raise StudyError(f"'{place}' is a run folder. Name another folder for the comparison with --folder.")
    again = shlex.join(["amla", "compare", str(path)] + ([] if seeds is None else ["--seeds", str(seeds)]))
    if is_tabled(comparison):
        on_tables = tabled(comparison, place, data_dir)
        whole = Whole(comparison, on_tables, place, again)
        if not report_only:
            _announce(console, whole)
            _look_up(console, whole, on_tables, jobs)
    else:
        if jobs > 1:
            raise StudyError(
                "--jobs is for comparisons on tables; where networks train, executor.workers says how many."
            )
        running = begin(comparison, place, data_dir)
        whole = Whole(comparison, running, place, again)
        if not report_only:
            _announce(console, whole)
            _run(console, whole, running)
    _tell(console, whole.write(), place)


@dataclass(frozen=True)
class Whole:
    """A whole comparison in its folder: its `parts` by the name of their limit, and what runs it `again`."""

    comparison: Comparison
    parts: Mapping[str, Running | Tabled]
    folder: Path
    again: str

    @cached_property
    def bouts(self) -> Mapping[str, list[Bout]]:
        """All runs there are to be, by limit."""
        return {limit: part.bouts() for limit, part in self.parts.items()}

    @property
    def planned(self) -> int:
        """How many runs there are to be."""
        return sum(map(len, self.bouts.values()))

    @property
    def known(self) -> int:
        """How many have been run."""
        return sum(len(part.records()) for part in self.parts.values())

    def write(self) -> Judgement:
        """Write the report of what is known by now."""
        judgement = together(
            {
                limit: judged(part.comparison, part.records(), len(self.bouts[limit]))
                for limit, part in self.parts.items()
            }
        )
        items, file = checklist(self.comparison, judgement), settings.to_yaml(self.comparison)
        files = Files(self.folder)
        files.write_text(f"{REPORT}.html", render(judgement, items, file, self.again))
        files.write_text(f"{REPORT}.md", markdown(judgement, items, file, self.again))
        files.write_text(folders.COMPARED, as_json(judgement) + "\n")
        return judgement


def _look_up(console: Console, whole: Whole, parts: Mapping[str, Tabled], jobs: int) -> None:
    done, within = _known(console, whole), ""

    def heard(part: Part, found: Sequence[Record]) -> None:
        nonlocal done
        done += len(found)
        if not found:
            say(console, f"{escape(part.contender)} on {escape(part.task)}{within}: there is no such network")
            return
        mean = percent(fmean(record.accuracy for record in found), 2)
        seeds = f"seeds {part.seeds[0]} to {part.seeds[-1]}"
        what = f"{done} of {whole.planned}: {part.contender} on {part.task}{within}, {seeds}"
        say(console, f"{escape(what)}: mean test accuracy {mean}")

    for limit, part in parts.items():
        within = _within(limit)
        part.run(heard, jobs)


def _within(limit: str) -> str:
    return f" within {limit}" if limit else ""


def _known(console: Console, whole: Whole) -> int:
    """Return how many runs there are, and say that they are gone on from."""
    if known := whole.known:
        say(console, f"going on after {plural(known, 'run')}")
    return known


def _announce(console: Console, whole: Whole) -> None:
    comparison = whole.comparison
    names = list(dict.fromkeys(bout.contender for bouts in whole.bouts.values() for bout in bouts))
    limits = f" within {plural(len(comparison.limits), 'limit')}" if comparison.limits else ""
    size = f"{plural(comparison.seeds, 'seed')} on {plural(len(comparison.tasks), 'task')}{limits}"
    say(console, f"[bold]{escape(comparison.name)}[/bold]: {escape(', '.join(names))}")
    say(console, f"{size}, {plural(whole.planned, 'run')}; folder [bold]{escape(str(whole.folder))}[/bold]")
    contenders = len(comparison.contenders)
    family = contenders * (contenders - 1) // 2 + contenders * (len(names) - contenders)
    if warning := too_few(comparison.seeds, family):
        say(console, f"[yellow]note[/yellow] {warning}")


def _run(console: Console, whole: Whole, parts: Mapping[str, Running]) -> None:
    _known(console, whole)
    known, seed = {limit: running.records() for limit, running in parts.items()}, 0
    todo = [(limit, bout) for limit, bouts in whole.bouts.items() for bout in bouts]
    for place, (limit, bout) in enumerate(todo, start=1):
        if bout.seed != seed:  # a report after every seed, for those who look in between
            whole.write()
            seed = bout.seed
        running = parts[limit]
        if bout in known[limit]:
            running.confirm(bout)
            continue
        found = running.run(bout)
        what = f"{place} of {len(todo)}: {bout.contender} on {bout.task}{_within(limit)}, seed {bout.seed}"
        if found is None:
            say(console, f"{escape(what)}: there is no such network")
            continue
        seconds = found.search.seconds + found.final.seconds
        metric = running.comparison.tasks[bout.task].metric
        reached = f"{metric_name(metric)} {metric_reading(metric, found.accuracy)}"
        say(
            console,
            f"{escape(what)}: test {reached}, {plural(found.search.trials, 'network')} tried, "
            f"{count(found.search.flops + found.final.flops)} operations, {duration(seconds)}",
        )


def _tell(console: Console, judgement: Judgement, folder: Path) -> None:
    for found in judgement.tasks:
        shown = [_standings(found)]
        shown += [_pairs("Differences in points", found.pairs)] if found.pairs else []
        if found.trade and found.trade.pairs:
            costs = " and ".join(map(cost_name, found.trade.costs))
            what = f"Whole fronts of {metric_name(found.metric)} and {costs}, points of hypervolume"
            shown.append(_pairs(what, found.trade.pairs))
        for table in shown:
            console.print(table)
            console.print()
        if said := alone(found):
            say(console, f"- {escape(said)}")
    say(console, f"report [bold]{escape(str(folder / REPORT))}.html[/bold], .md and .json")


def _standings(found: OnTask) -> Table:
    runs = {len(standing.accuracies) for standing in found.standings}
    each = f", {plural(max(runs), 'run')} each" if len(runs) == 1 else ""
    table = _table(f"Test {metric_name(found.metric)} on {found.called}{each}")
    table.add_column("contender")
    for name in ("mean", "95 % interval", *(() if each else ("runs",)), "params", "networks", "operations"):
        table.add_column(name, justify="right", no_wrap=True)
    for standing in found.standings:
        table.add_row(
            escape(standing.name) if standing.is_control else f"[bold]{escape(standing.name)}[/bold]",
            metric_reading(found.metric, standing.mean, 2),
            interval(standing, found.metric) or DASH,
            *(() if each else (str(len(standing.accuracies)),)),
            count(standing.parameters),
            f"{standing.trials:.1f}",
            count(standing.flops),
        )
    return table


def _pairs(what: str, found: Sequence[Pair]) -> Table:
    """Return who beats whom, a line a pair."""
    seeds = {pair.difference.n for pair in found}
    over = f" over {plural(max(seeds), 'seed')}" if len(seeds) == 1 else ""
    after = f", p after Holm for {len(found)} pairs" if len(found) > 1 else ""
    table = _table(f"{what}{over}{after}")
    for name in ("", "", ""):
        table.add_column(name)
    for name in ("points", "95 % interval", "p", *(() if over else ("n",))):
        table.add_column(name, justify="right", no_wrap=True)
    for pair in found:
        ours, how, theirs, *numbers = in_short(pair)[: None if not over else -1]
        told = f"[bold]{how}[/bold]" if pair.is_real else f"[dim]{how}[/dim]"
        table.add_row(escape(ours), told, escape(theirs), *numbers)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, header_style="dim", pad_edge=False)
