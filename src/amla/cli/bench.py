"""`amla bench`: its commands and their options; what they do is in `speeds`."""

from pathlib import Path
from typing import Annotated

import typer

from amla.cli.app import users_mistakes
from amla.cli.options import Device

bench = typer.Typer(
    name="bench",
    help="Measure how fast this machine and a network are, and how fast they could be.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Quick = Annotated[bool, typer.Option("--quick", help="Take a few seconds, and be less exact.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Draw the roofline to a .svg, .png or .html file.", show_default=False),
]


@bench.command()
def machine(
    device: Device = None,
    quick: Quick = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure what this machine can do: matrix products, memory, threads, and a standing set of operations."""
    with users_mistakes():
        from amla.cli.speeds import bench_machine

        bench_machine(device, quick, as_json, out)


@bench.command()
def network(
    architecture: Annotated[
        Path, typer.Argument(help="An architecture, .json or .yaml, or a run folder: its best network.")
    ],
    batch: Annotated[
        int | None, typer.Option(min=2, help="Examples in a step. [default: 64; 8 with --quick]", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads to compute with.")] = 1,
    device: Device = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure the machine anew, whatever the cache says of it.")
    ] = False,
    quick: Quick = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure a network in training, operation by operation, against what this machine can do."""
    with users_mistakes():
        from amla.cli.speeds import bench_network

        bench_network(architecture, batch, threads, device, fresh, quick, as_json, out)
