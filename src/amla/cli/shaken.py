"""`amla chaos`: what goes wrong with a study as it happens, and in the end whether it finds the same."""

import json
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from amla.chaos.setup import setup
from amla.cli.console import escape, opened, say
from amla.reports.numbers import duration, plural
from amla.study.asked import RUNS
from amla.study.changes import changed
from amla.study.study import load

if TYPE_CHECKING:
    from amla.chaos.shake import Tally

DIFFERENT, CUT_OFF = 1, 130  # exit codes


def shake_file(
    path: Path,
    kills: int,
    seed: int,
    faults: str | None,
    run: Path | None,
    data_dir: Path | None,
    settings: list[str],
    store: str | None,
) -> None:
    """Shake the study in a file, print what happens, and exit with 1 if it does not find the same all the same."""
    console, study = opened(), changed(load(path), settings)
    folder = run or RUNS / f"{study.name}-chaos"
    chosen = None if faults is None else [name.strip() for name in faults.split(",")]
    shaken = setup(study, folder, kills=kills, seed=seed, faults=chosen, store=store, data_dir=data_dir)
    from amla.chaos.shake import Shaking  # which can be loaded on Linux alone

    say(console, f"[bold]{escape(study.name)}[/bold]: {', '.join(sorted(shaken.faults))}; in {escape(str(folder))}")
    before = signal(SIGTERM, default_int_handler)  # as Ctrl-C: what was started must not outlive this
    try:
        tally = Shaking(shaken, lambda line: say(console, escape(line))).run()
    except KeyboardInterrupt:
        typer.echo(f"\namla: stopped. Delete '{folder}', or name another folder with --run, to begin anew.", err=True)
        raise typer.Exit(CUT_OFF) from None
    finally:
        signal(SIGTERM, before)
    _conclude(console, tally)
    typer.echo(json.dumps(_plain(tally, seed)))
    if tally.wrong:
        raise typer.Exit(DIFFERENT)


def _conclude(console: Console, tally: "Tally") -> None:
    for what in tally.wrong:
        say(console, f"[red]wrong[/red] {escape(what)}")
    if tally.wrong:
        return
    what = (
        "network, measurements and weights, bit for bit" if tally.exact else "trials; weights need not, on this device"
    )
    say(
        console,
        f"[green]the same[/green] {what}: {plural(tally.kills, 'kill')}, {plural(tally.restarts, 'restart')}, "
        f"{plural(tally.runs, 'run')}, {duration(tally.seconds)}; nothing was lost, trained twice or left behind",
    )


def _plain(tally: "Tally", seed: int) -> dict[str, object]:
    return {
        "same": not tally.wrong,
        "exact": tally.exact,
        "seed": seed,
        "kills": tally.kills,
        "killed": {kind: tally.faults[kind] for kind in ("driver", "worker", "all")},
        "cut": tally.faults["connections"],
        "full_disks": tally.faults["disk"],
        "damaged_files": tally.faults["files"],
        "runs": tally.runs,
        "restarts": tally.restarts,
        "gave_up": tally.gave_up,
        "recorded": tally.recorded,
        "lost": tally.lost,
        "repeated": tally.repeated,
        "mended": tally.mended,
        "left_behind": tally.left_behind,
        "wrong": tally.wrong,
        "seconds": round(tally.seconds, 1),
    }
