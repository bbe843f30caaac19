"""`amla chaos`: the command and its options; what it does is in `shaken`."""

from pathlib import Path
from typing import Annotated

import typer

from amla.cli.app import app, users_mistakes
from amla.cli.options import DataDir, Settings, StoreUrl


@app.command()
def chaos(
    study: Annotated[Path, typer.Argument(help="A study file, such as the study.yaml of an earlier run.")],
    kills: Annotated[
        int, typer.Option(min=1, help="How often something is killed, in as many runs as that takes.")
    ] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The seed of what goes wrong, and when.")] = 0,
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME...",
            help="What goes wrong: driver, worker, all (are killed); connections (are cut); disk (is full); files (are "
            "damaged). [default: all that can]",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Where the runs lie, a new folder. [default: runs/NAME-chaos]", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    settings: Settings = None,
    store: StoreUrl = None,
) -> None:
    """Shake a study: kill, cut, fill and damage while it runs, and see whether it finds the same all the same.

    Exits with 0 if it does; the last line is a JSON object with what was done, and what came of it.
    """
    with users_mistakes():
        from amla.cli.shaken import shake_file

        shake_file(study, kills, seed, faults, run, data_dir, settings or [], store)
