"""The commands and their options; what they do is in the modules beside this one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from amla import __version__
from amla.cli.mistakes import is_explained, message

app = typer.Typer(
    name="amla",
    help="Find good, small neural networks for your data.\n\nBegin with: amla search digits",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

USERS_MISTAKE, CUT_OFF = 2, 130  # exit codes; the latter is what shells expect of what Ctrl-C has ended

RunFolder = Annotated[
    Path | None, typer.Option("--run", help="The run folder. [default: runs/NAME]", show_default=False)
]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar="AMLA_DATA", help="Where built-in datasets lie, or are downloaded to.", show_default=False),
]
Plain = Annotated[bool, typer.Option("--plain", help="Print lines instead of a live display (as when piped).")]

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="A PostgreSQL database for the event log: postgresql+psycopg://USER@HOST/DATABASE. "
        "[default: a file in the run folder]",
        show_default=False,
    ),
]

Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="A server of `amla serve`: http://HOST:PORT.", show_default=False),
]


@app.command()
def search(
    data: Annotated[
        str,
        typer.Argument(
            help="A dataset: digits, cifar10, fashion_mnist; or a path to a folder of parquet files, IDX files or "
            "images (train/CLASS/*.png), or an .npz file."
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
        Literal["nac", "random", "evolution", "local", "asha", "hyperband", "nsga2", "reinforce", "bayes", "optuna"],
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
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or mps. [default: the best]", show_default=False)
    ] = None,
    max_params: Annotated[
        str | None,
        typer.Option(metavar="N", help="Trained numbers of any network at most, such as 200k.", show_default=False),
    ] = None,
    max_macs: Annotated[
        str | None,
        typer.Option(metavar="N", help="Multiply-accumulates an image at most, such as 30M.", show_default=False),
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Activations alive at once for one image at most, such as 2MB (millions of bytes) or 512KiB.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of everything random.")] = 0,
    data_dir: DataDir = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="ADDRESS=VALUE", help="Change any setting of the study: --set recipe.batch=128."),
    ] = None,
    plain: Plain = False,
    store: StoreUrl = None,
) -> None:
    """Search a network for DATA, train it to the end, and test it once.

    Results lie in the run folder: report.html, best.arch.json, weights, study.yaml. Started again after it was cut
    off, the same command goes on.
    """
    with users_mistakes():
        from amla.cli.limits import constraints_of
        from amla.cli.search import search_data

        limits = constraints_of(max_params, max_macs, max_memory)
        search_data(
            data,
            run,
            budget,
            budget_clock,
            algorithm,
            workers,
            device,
            limits,
            seed,
            data_dir,
            settings or [],
            plain,
            store,
        )


@app.command("run")
def run_study(
    study: Annotated[Path, typer.Argument(help="A study file, such as the study.yaml of an earlier run.")],
    run: RunFolder = None,
    data_dir: DataDir = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="ADDRESS=VALUE", help="Change any setting of the study.")
    ] = None,
    plain: Plain = False,
    store: StoreUrl = None,
    server: Server = None,
) -> None:
    """Run the study that a YAML file describes; with --server, there."""
    with users_mistakes():
        if server is not None:
            client_commands().run_there(server, study, settings or [])
            return
        from amla.cli.search import run_file

        run_file(study, run, data_dir, settings or [], plain, store)


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
def compare(
    comparison: Annotated[Path, typer.Argument(help="A comparison, .yaml.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="Where its runs and its report go. [default: runs/NAME]", show_default=False),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Other than the file says: fewer, or more later.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    report: Annotated[bool, typer.Option("--report", help="Run nothing; write the report anew.")] = False,
) -> None:
    """Compare ways of searching fairly: same tasks, pipeline, budget and seeds, with controls and tests.

    Started again after it was cut off, or with more seeds, the same command goes on.
    """
    with users_mistakes():
        from amla.cli.compare import compare_file

        compare_file(comparison, folder, seeds, data_dir, report)


@app.command()
def audit(
    data: Annotated[str, typer.Argument(help="A dataset, as `amla search` takes it.")],
    steps: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Steps of a short training that is looked at; may be given several times. "
            "[default: an eighth, a quarter and half of the reference]",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        int, typer.Option(min=2, help="Steps of the long training that scores are set against.")
    ] = 400,
    networks: Annotated[int, typer.Option(min=4, help="How many random networks.")] = 24,
    seeds: Annotated[int, typer.Option(min=1, help="How often each is trained for long.")] = 2,
    top: Annotated[int, typer.Option(min=1, help="How many of the best shall be found.")] = 5,
    at_least: Annotated[float, typer.Option(help="What the interval of Kendall's tau must be above.")] = 0.4,
    run: RunFolder = None,
    workers: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Worker processes. [default: auto]", show_default=False),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or mps. [default: the best]", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of everything random.")] = 0,
    data_dir: DataDir = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="ADDRESS=VALUE", help="Change any setting of the study.")
    ] = None,
) -> None:
    """Find out how well cheap scores rank networks on DATA, and which is the cheapest that is good enough."""
    with users_mistakes():
        from amla.cli.audit import audit_data
        from amla.comparison.audit import Plan

        short = tuple(steps or sorted({max(1, reference // part) for part in (8, 4, 2)}))
        plan = Plan(networks, short, reference, seeds, top, at_least)
        audit_data(data, plan, run, workers, device, seed, data_dir, settings or [])


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


@app.command()
def draw(
    architecture: Annotated[Path, typer.Argument(help="An architecture, .arch.json or .yaml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture: .svg or .png.")] = Path("network.svg"),
) -> None:
    """Draw a network, and print what it costs."""
    with users_mistakes():
        from amla.cli.draw import draw_file

        draw_file(architecture, output)


@app.command("import")
def import_network(
    file: Annotated[Path, typer.Argument(help="A configuration of 2018, .json, or a list of them.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="What to call the files. [default: its own name]", show_default=False),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(help="Which of a list of configurations: name, source or number.", show_default=False),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(min=2, help="How many classes there are. [default: as the file says]", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of random networks, and of the study.")] = 0,
) -> None:
    """Turn a configuration of AMLA or of EnvelopeNets, 2018, into a network and a study that trains it."""
    with users_mistakes():
        from amla.cli.imported import import_file

        import_file(file, output, record, classes, seed)


@app.command("check-generator")
def check_generator(
    url: Annotated[str, typer.Argument(help="Where the generator listens, such as http://127.0.0.1:8750.")],
    options: Annotated[str, typer.Option(help="What it is told in every question, as a JSON object.")] = "{}",
) -> None:
    """Check an algorithm that runs as a service, in whatever language: the same law holds as for all others."""
    with users_mistakes():
        from amla.cli.generator import check

        check(url, options)


@app.command("check-worker")
def check_worker(
    url: Annotated[str, typer.Argument(help="Where the worker listens, such as http://127.0.0.1:8760.")],
    study: Annotated[
        Path | None,
        typer.Option(
            help="A study whose data and recipe it is told to train with. [default: digits]", show_default=False
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long a small trial may take.")] = 120.0,
    data_dir: DataDir = None,
) -> None:
    """Check a worker service, in whatever language: each trial is run once, and answered as it must be."""
    with users_mistakes():
        from amla.cli.worker import check

        check(url, study, data_dir, seconds)


@app.command()
def schema() -> None:
    """Print the JSON Schema of architectures."""
    import json

    from amla.spec.text import schema as architecture_schema

    typer.echo(json.dumps(architecture_schema(), indent=1))


@app.callback(invoke_without_command=True)
def version(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Hold the options of the command itself."""
    if show_version:
        typer.echo(f"amla {__version__}")
        raise typer.Exit


@contextmanager
def users_mistakes() -> Iterator[None]:
    """Turn what a user can mend into a message on stderr and exit code 2, and Ctrl-C into one and 130."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("\namla: cut off. Start the same command again to go on.", err=True)
        raise typer.Exit(CUT_OFF) from None
    except (ValueError, RuntimeError, OSError) as error:
        if not is_explained(error):
            raise
        typer.echo(f"amla: {message(error)}", err=True)
        raise typer.Exit(USERS_MISTAKE) from None


def client_commands() -> Any:
    """Return what speaks to servers. Raises StudyError where the library that speaks HTTP is not installed."""
    from importlib import import_module

    try:
        return import_module("amla.cli.remote")
    except ModuleNotFoundError as error:
        from amla.study.study import StudyError

        raise StudyError(f"This needs {error.name!r}; install it with: pip install 'amla[serve]'.") from None
