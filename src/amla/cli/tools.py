"""The commands around networks and services, and their options."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from amla.cli.app import app, users_mistakes
from amla.cli.options import AsJson, DataDir


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


@app.command("probe-device")
def probe_device(
    network: Annotated[
        Path | None,
        typer.Argument(
            help="An architecture, .json or .yaml, an .onnx file, or a run folder. [default: a network of 10 M MACs]",
            show_default=False,
        ),
    ] = None,
    runtime: Annotated[
        Literal["onnx", "torch"], typer.Option(help="What an architecture is measured in: ONNX Runtime, or PyTorch.")
    ] = "onnx",
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Inputs at once.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads to compute with.")] = 1,
    as_json: AsJson = False,
    listen: Annotated[
        bool, typer.Option("--listen", help="Measure over HTTP for searches elsewhere, until it is ended.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any that is free.")] = 8020,
    tokens: Annotated[
        Path | None, typer.Option(help="A file of `amla token`; then every request needs a token.", show_default=False)
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="A certificate, .pem: speak TLS.", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key of the certificate.", show_default=False)] = None,
) -> None:
    """Measure how long a network takes on this machine; with --listen, for searches on others (--latency-device)."""
    with users_mistakes():
        from amla.cli.device import probe, serve_device
        from amla.cli.serving import Listening

        if listen:
            serve_device(Listening(host, port, (), tokens, tls_cert, tls_key, None, 16 << 20))
        else:
            probe(network, runtime, batch, threads, as_json)


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
