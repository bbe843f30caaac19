"""The commands that run a study, and their options; what they do is in the modules beside this one."""

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
from amla.study.moment import Moment


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
    max_trials: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Train so many networks at most in the search.", show_default=False),
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
    began = Moment.now()
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
            max_trials=max_trials,
        )
        search_data(given, run, data_dir, settings or [], plain, Elsewhere(store, files), began)


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
    began = Moment.now()
    with users_mistakes():
        if server is not None:
            if network is not None:
                from amla.study.study import StudyError

                raise StudyError("--network names a file here, which a server does not read; leave out one of them.")
            client_commands().run_there(server, study, settings or [])
            return
        from amla.cli.search import run_file
        from amla.study.complete import Elsewhere

        run_file(study, run, network, data_dir, settings or [], plain, Elsewhere(store, files), began)
