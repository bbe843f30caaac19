"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

RunFolder = Annotated[
    Path | None, typer.Option("--run", help="The run folder. [default: runs/NAME]", show_default=False)
]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar="AMLA_DATA", help="Where built-in datasets lie, or are downloaded to.", show_default=False),
]
Plain = Annotated[bool, typer.Option("--plain", help="Print lines instead of a live display (as when piped).")]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps. [default: the best]", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, help="The seed of everything random.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="ADDRESS=VALUE", help="Change any setting of the study: --set recipe.batch=128."),
]

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

FilesUrl = Annotated[
    str | None,
    typer.Option(
        "--files",
        metavar="URL",
        help="Where snapshots are kept, and copies of what comes out: s3://BUCKET/PATH, or what else fsspec reaches. "
        "[default: the run folder]",
        show_default=False,
    ),
]

MaxParams = Annotated[
    str | None,
    typer.Option(metavar="N", help="Trained numbers of any network at most, such as 200k.", show_default=False),
]
MaxMacs = Annotated[
    str | None,
    typer.Option(metavar="N", help="Multiply-accumulates an image at most, such as 30M.", show_default=False),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Activations alive at once for one image at most, such as 2MB (millions of bytes) or 512KiB.",
        show_default=False,
    ),
]

MaxLatency = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long a network may take for one image at most, measured before it is trained, such as 5ms or 800us.",
        show_default=False,
    ),
]
LatencyDevice = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where latency is measured: `amla probe-device --listen` there. [default: this machine]",
        show_default=False,
    ),
]
PreferOption = Annotated[
    Literal["accurate", "small", "fast"],
    typer.Option(
        help="Which of the trained networks to take: the most accurate, or of those that cannot be told from it the "
        "one with the fewest parameters, or the lowest latency (MACs, where that is not measured)."
    ),
]
LabelsAre = Annotated[
    Literal["auto", "classes", "numbers"],
    typer.Option("--labels", help="What labels are: classes, or numbers to be predicted; auto: as they look."),
]
MetricName = Annotated[
    Literal["accuracy", "balanced_accuracy", "macro_f1", "r2"] | None,
    typer.Option(
        "--metric",
        help="What the search looks for the highest of, on the validation part. [default: accuracy; r2 of numbers]",
        show_default=False,
    ),
]

Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="A server of `amla serve`: http://HOST:PORT.", show_default=False),
]
