"""The commands around a run, and their options; what they do is in the modules beside this one."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from amla.cli.app import app, client_commands, users_mistakes
from amla.cli.options import (
    DataDir,
    Device,
    FilesUrl,
    LabelsAre,
    LatencyDevice,
    MaxLatency,
    MaxMacs,
    MaxMemory,
    MaxParams,
    MetricName,
    Plain,
    PreferOption,
    RunFolder,
    Seed,
    Server,
    Settings,
    StoreUrl,
)


@app.command()
def search(
    data: Annotated[
        str,
        typer.Argument(
            help="A dataset: digits, cifar10, fashion_mnist; or a path to a folder of parquet files, IDX files or "
            "images or recordings (train/CLASS/*.png, *.wav, or a .csv of names and numbers), an .npz file, or series "
            "(NAME_TRAIN.tsv, .ts)."
        ),
    ],
    run: RunFolder = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time to spend, such as 10m, 2h or 90s. Without: a fixed number of steps.", show_default=False
        ),
    ] = None,
    budget_clock: Annotated[
        Literal["wall", "cpu"],
        typer.Option(help="What the budget goes by; cpu: as if all cores were idle, for machines that others use."),
    ] = "wall",
    algorithm: Annotated[
        Literal[
            "nac",
            "random",
            "evolution",
            "local",
            "asha",
            "hyperband",
            "nsga2",
            "reinforce",
            "bayes",
            "optuna",
            "zero_cost",
        ],
        typer.Option(help="How to search."),
    ] = "nac",
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            help="Worker processes: a number, auto (what trains most, measured), or 0 to train in this process. "
            "[default: 0 for nac, else auto]",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    max_memory: MaxMemory = None,
    max_latency: MaxLatency = None,
    latency_device: LatencyDevice = None,
    prefer: PreferOption = "accurate",
    baselines: Annotated[
        bool, typer.Option(help="Train plain and random networks beside what is found, to see whether it is better.")
    ] = True,
    tune: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Tune how the network is trained (rate, augmentation and so on) in N short trainings.",
            show_default=False,
        ),
    ] = None,
    stop_below: Annotated[
        str | None,
        typer.Option(
            metavar="POINTS/TIME",
            help="Stop searching when so much more time promises fewer points of the metric, such as 0.1/10m.",
            show_default=False,
        ),
    ] = None,
    metric: MetricName = None,
    labels: LabelsAre = "auto",
    seed: Seed = 0,
    data_dir: DataDir = None,
    settings: Settings = None,
    plain: Plain = False,
    store: StoreUrl = None,
    files: FilesUrl = None,
) -> None:
    """Search a network for DATA, train it to the end, and test it once.

    Results lie in the run folder: report.html, best.arch.json, weights, study.yaml. Started again after it was cut
    off, the same command goes on.
    """
    with users_mistakes():
        from amla.cli.search import search_data
        from amla.study.amounts import constraints_of, latency_of
        from amla.study.asked import Asked
        from amla.study.complete import Elsewhere

        limits = constraints_of(max_params, max_macs, max_memory)
        latency = latency_of(max_latency, latency_device)
        given = Asked(
            data,
            budget,
            budget_clock,
            algorithm,
            workers,
            device,
            limits,
            seed,
            latency=latency,
            prefer=prefer,
            baselines=baselines,
            stop_below=stop_below,
            tune=tune,
            metric=metric,
            labels=labels,
        )
        search_data(given, run, data_dir, settings or [], plain, Elsewhere(store, files))


@app.command("run")
def run_study(
    study: Annotated[Path, typer.Argument(help="A study file, such as the study.yaml of an earlier run.")],
    run: RunFolder = None,
    network: Annotated[
        Path | None,
        typer.Option(
            help="Search nothing: train the network in this .arch.json as the study would train what it finds.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    settings: Settings = None,
    plain: Plain = False,
    store: StoreUrl = None,
    files: FilesUrl = None,
    server: Server = None,
) -> None:
    """Run the study that a YAML file describes; with --server, there."""
    with users_mistakes():
        if server is not None:
            if network is not None:
                from amla.study.study import StudyError

                raise StudyError("--network names a file here, which a server does not read; leave out one of them.")
            client_commands().run_there(server, study, settings or [])
            return
        from amla.cli.search import run_file
        from amla.study.complete import Elsewhere

        run_file(study, run, network, data_dir, settings or [], plain, Elsewhere(store, files))


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
        typer.Argument(metavar="PATH...", help="Images, recordings, folders of such, .npz files, or files of series."),
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
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
