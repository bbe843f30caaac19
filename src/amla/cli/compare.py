"""`amla compare`: run what has not been run, then say what can be said."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from amla.cli.console import escape, opened, say
from amla.comparison import comparison as settings
from amla.comparison.checklist import checklist
from amla.comparison.comparison import Comparison
from amla.comparison.judgement import Judgement, OnTask, as_json, judged
from amla.comparison.markdown import markdown
from amla.comparison.page import render
from amla.comparison.record import Record
from amla.comparison.runs import Bout, Running, begin
from amla.comparison.tabled import Part, Tabled, is_tabled
from amla.comparison.words import alone, too_few, verdict
from amla.reports.names import metric_name
from amla.reports.numbers import DASH, count, duration, percent, plural
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
    running = _tabled(comparison, place, data_dir) if is_tabled(comparison) else begin(comparison, place, data_dir)
    if jobs > 1 and isinstance(running, Running):
        raise StudyError("--jobs is for comparisons on tables; where networks train, executor.workers says how many.")
    bouts = running.bouts()
    if not report_only:
        _announce(console, comparison, bouts, place)
        if isinstance(running, Tabled):
            _look_up(console, running, len(bouts), jobs)
        else:
            _run(console, running, bouts, again)
    judgement = _reported(running, len(bouts), again)
    _tell(console, judgement, place)


def _tabled(comparison: Comparison, folder: Path, data_dir: Path | None) -> Tabled:
    tabled = Tabled(comparison, folder, data_dir)
    tabled.check()
    return tabled


def _look_up(console: Console, tabled: Tabled, planned: int, jobs: int) -> None:
    known = len(tabled.records())
    if known:
        say(console, f"going on after {plural(known, 'run')}")
    done = known

    def heard(part: Part, found: Sequence[Record]) -> None:
        nonlocal done
        done += len(found)
        if not found:
            say(console, f"{escape(part.contender)} on {escape(part.task)}: there is no such network")
            return
        mean = percent(fmean(record.accuracy for record in found), 2)
        seeds = f"seeds {part.seeds[0]} to {part.seeds[-1]}"
        what = f"{done} of {planned}: {part.contender} on {part.task}, {seeds}"
        say(console, f"{escape(what)}: mean test accuracy {mean}")

    tabled.run(heard, jobs)


def _announce(console: Console, comparison: Comparison, bouts: Sequence[Bout], folder: Path) -> None:
    names = list(dict.fromkeys(bout.contender for bout in bouts))
    size = f"{plural(comparison.seeds, 'seed')} on {plural(len(comparison.tasks), 'task')}, {plural(len(bouts), 'run')}"
    say(console, f"[bold]{escape(comparison.name)}[/bold]: {escape(', '.join(names))}")
    say(console, f"{size}; folder [bold]{escape(str(folder))}[/bold]")
    contenders = len(comparison.contenders)
    family = contenders * (contenders - 1) // 2 + contenders * (len(names) - contenders)
    if warning := too_few(comparison.seeds, family):
        say(console, f"[yellow]note[/yellow] {warning}")


def _run(console: Console, running: Running, bouts: Sequence[Bout], again: str) -> None:
    known, seed = running.records(), 0
    if known:
        say(console, f"going on after {plural(len(known), 'run')}")
    for place, bout in enumerate(bouts, start=1):
        if bout.seed != seed:  # a report after every seed, for those who look in between
            _reported(running, len(bouts), again)
            seed = bout.seed
        if bout in known:
            running.confirm(bout)
            continue
        found = running.run(bout)
        what = f"{place} of {len(bouts)}: {bout.contender} on {bout.task}, seed {bout.seed}"
        if found is None:
            say(console, f"{escape(what)}: there is no such network")
            continue
        seconds = found.search.seconds + found.final.seconds
        metric = metric_name(running.comparison.tasks[bout.task].metric)
        say(
            console,
            f"{escape(what)}: test {metric} {percent(found.accuracy)}, {plural(found.search.trials, 'network')} tried, "
            f"{count(found.search.flops + found.final.flops)} operations, {duration(seconds)}",
        )


def _reported(running: Running | Tabled, planned: int, again: str) -> Judgement:
    """Write the report of what is known by now."""
    comparison = running.comparison
    judgement = judged(comparison, running.records(), planned)
    items, file = checklist(comparison, judgement), settings.to_yaml(comparison)
    files = Files(running.folder)
    files.write_text(f"{REPORT}.html", render(judgement, items, file, again))
    files.write_text(f"{REPORT}.md", markdown(judgement, items, file, again))
    files.write_text(folders.COMPARED, as_json(judgement) + "\n")
    return judgement


def _tell(console: Console, judgement: Judgement, folder: Path) -> None:
    for found in judgement.tasks:
        console.print(_table(found))
        for pair in found.pairs:
            say(console, f"- {escape(verdict(pair))}")
        if said := alone(found):
            say(console, f"- {escape(said)}")
    say(console, f"report [bold]{escape(str(folder / REPORT))}.html[/bold], .md and .json")


def _table(found: OnTask) -> Table:
    table = Table(
        title=f"Test {metric_name(found.metric)} on {found.task}", title_justify="left", box=None, header_style="dim"
    )
    table.add_column("contender")
    for name in ("mean", "95 % interval", "runs", "parameters", "networks", "operations"):
        table.add_column(name, justify="right")
    for standing in found.standings:
        several = len(standing.accuracies) > 1
        table.add_row(
            escape(standing.name) if standing.is_control else f"[bold]{escape(standing.name)}[/bold]",
            percent(standing.mean, 2),
            f"{100 * standing.low:.2f} to {100 * standing.high:.2f}" if several else DASH,
            str(len(standing.accuracies)),
            count(standing.parameters),
            f"{standing.trials:.1f}",
            count(standing.flops),
        )
    return table
