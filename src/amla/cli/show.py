"""`amla show`: a run as a table in the terminal, finished or not."""

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from amla.algorithms.finish import tested
from amla.cli.live import status
from amla.reports.growth import Construction, constructions
from amla.reports.numbers import count, duration, interval, percent
from amla.storage.files import Files
from amla.study.folder import BEST, REPORT, WEIGHTS, Run, read
from amla.study.resolve import FINAL, SEARCH
from amla.study.result import Result, result, winner

QUIET_SECONDS = 120  # without a line in its curve: then a trial may have been cut off


def show_run(folder: Path) -> None:
    """Print the run in `folder`. Raises StudyError if there is none."""
    print_run(Console(highlight=False), read(folder))


def print_run(console: Console, run: Run) -> None:
    """Print every construction of a run, then its result, or how far it is."""
    rows = constructions(run.search)
    if rows:
        best = winner(run)
        console.print(table(rows, best.id if best else None))
    found = result(run)
    if found:
        _print_result(console, run, found)
    else:
        _print_state(console, run)


def table(rows: tuple[Construction, ...], best: int | None) -> Table:
    """Return the constructions as a table; the best by validation is marked."""
    grown = any(row.parent is not None for row in rows)
    shown = Table(title=None, header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("", justify="right")
    for name in (["pruned"] if grown else []) + ["branches", "skips", "cells", "parameters", "MACs"]:
        shown.add_column(name, justify="right")
    for name in ("validation", "loss", "seconds"):
        shown.add_column(name, justify="right")
    for row in rows:
        first = [str(row.trial)] + ([str(len(row.pruned)) if row.parent is not None else "–"] if grown else [])
        size = [str(row.branches), str(row.skips), "-".join(map(str, row.cells.values()))]
        cost = [count(row.parameters or 0), count(row.macs or 0)]
        style = "bold green" if row.trial == best else "red" if row.failure else None
        shown.add_row(*first, *size, *cost, *_scores(row), style=style)
    return shown


def _scores(row: Construction) -> list[str]:
    if row.failure:
        return [row.failure.reason, "", f"{row.failure.seconds:.1f}"]
    if row.is_running:
        return ["running", "", ""]
    metric = percent(row.metric) if row.metric is not None else "–"
    return [metric, f"{row.loss:.3f}" if row.loss is not None else "–", f"{row.seconds or 0:.1f}"]


def _print_result(console: Console, run: Run, found: Result) -> None:
    tested_on = found.tested
    console.print(
        f"\n[bold]test accuracy {percent(tested_on.accuracy, 2)}[/bold] "
        f"(95 % interval {interval(tested_on.low, tested_on.high)}; "
        f"{tested_on.right:,} of {tested_on.examples:,} test images right)"
    )
    console.print(
        f"{count(found.parameters)} parameters, {count(found.macs)} MACs an image; trained for {found.steps:,} steps; "
        f"search {duration(found.search_seconds)}, final training {duration(found.final_seconds)}"
    )
    for what, name in (("report", REPORT), ("network", BEST), ("weights", WEIGHTS)):
        console.print(f"{what:8} [bold]{run.folder / name}[/bold]")


def _print_state(console: Console, run: Run) -> None:
    """Say how far a run is: what trains, since when it has been silent, what failed."""
    for row in constructions(run.search):
        if row.failure:
            console.print(f"[red]trial {row.trial} failed ({row.failure.reason})[/red]: {row.failure.message}")
    phase, history = (FINAL, run.final) if len(run.final) else (SEARCH, run.search)
    if not history.running:
        state = "is over, without a result" if tested(run.final) else "waits to go on"
        console.print(f"The {phase} {state}: start `amla run {run.folder / 'study.yaml'} --run {run.folder}`.")
        return
    for trial in history.running:
        curve = Files(run.folder).curve(f"{phase}/{trial.id}")
        console.print(status(run.study, phase, curve[-1]) if curve else f"{phase} trial {trial.id} begins")
        if silent := _silence(run, f"{phase}/{trial.id}"):
            console.print(
                f"It has said nothing for {duration(silent)}. If it was cut off, "
                f"`amla run {run.folder / 'study.yaml'} --run {run.folder}` goes on."
            )


def _silence(run: Run, key: str) -> float | None:
    path = run.folder / "curves" / f"{key}.jsonl"
    since = time.time() - path.stat().st_mtime if path.exists() else 0.0
    return since if since > QUIET_SECONDS else None
