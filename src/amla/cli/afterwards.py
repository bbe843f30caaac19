"""The commands on a run that is there, and their options; what they do is in the modules beside this one."""

from pathlib import Path
from typing import Annotated

import typer

from amla.cli.app import app, client_commands, users_mistakes
from amla.cli.options import AsJson, DataDir, Server


@app.command()
def show(
    run: Annotated[Path, typer.Argument(help="A run folder, or with --server what a study is called there.")],
    server: Server = None,
) -> None:
    """Print a run, finished or running: every construction, and the result."""
    with users_mistakes():
        if server is not None:
            client_commands().show_there(server, str(run))
            return
        from amla.cli.show import show_run

        show_run(run)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder with a finished run.")],
    to: Annotated[
        list[str] | None,
        typer.Option(
            help="source, onnx, int8, torch or card; may be given several times. [default: source and card]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder. [default: export in the run]", show_default=False)
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write the network of a run as plain PyTorch, ONNX, a program of PyTorch, or a model card."""
    with users_mistakes():
        from amla.cli.export import export_run, forms

        export_run(run, forms(to or ["source", "card"]), output, data_dir)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder with a finished run.")],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Images, recordings, folders of such, .npz or parquet files, or series."
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="How many of the most probable classes to print.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or mps. [default: cuda if there is one, else cpu]", show_default=False)
    ] = None,
) -> None:
    """Say which class images, series or recordings belong to, or their numbers, by the network of a run.

    Exits with 1 if one cannot be read.
    """
    with users_mistakes():
        from amla.cli.predict import predict_images

        predict_images(run, paths, top, as_json, device)


@app.command()
def replay(
    run: Annotated[Path, typer.Argument(help="A run folder with a finished run.")],
    seeds: Annotated[
        int, typer.Option(min=0, help="With how many other seeds to train it besides, to see the noise of training.")
    ] = 0,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Train the network of a run again, and check its test accuracy against the record; exits with 1 if it differs."""
    with users_mistakes():
        from amla.cli.replay import replay_run

        replay_run(run, seeds, data_dir, as_json)


@app.command()
def doctor(
    store: Annotated[str, typer.Argument(help="A run folder, or the URL of a database of many runs.")],
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended; no record is lost.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a run for everything that can be wrong with it; exits with 1 if something is."""
    with users_mistakes():
        from amla.cli.doctor import examine

        examine(store, repair, as_json)


@app.command()
def track(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:WHERE",
            help="mlflow:URI or tensorboard:FOLDER; may be given several times. [default: the trackers of its study]",
            show_default=False,
        ),
    ] = None,
    experiment: Annotated[str, typer.Option(help="The experiment in MLflow.")] = "amla",
) -> None:
    """Send a run, finished or not, to MLflow or TensorBoard; what is there already is not sent again."""
    with users_mistakes():
        from amla.cli.track import track_run

        track_run(run, to or [], experiment)
