"""The commands that compare, and their options."""

from pathlib import Path
from typing import Annotated

import typer

from amla.cli.app import app, users_mistakes
from amla.cli.options import DataDir, Device, RunFolder, Seed, Settings


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
    jobs: Annotated[int, typer.Option(min=1, help="Processes that look up, of a comparison on tables.")] = 1,
    report: Annotated[bool, typer.Option("--report", help="Run nothing; write the report anew.")] = False,
) -> None:
    """Compare ways of searching fairly: same tasks, pipeline, budget and seeds, with controls and tests.

    Started again after it was cut off, or with more seeds, the same command goes on.
    """
    with users_mistakes():
        from amla.cli.compare import compare_file

        compare_file(comparison, folder, seeds, data_dir, jobs, report)


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
    score: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|none",
            help="A zero-cost score that is looked at; may be given several times. [default: all]",
            show_default=False,
        ),
    ] = None,
    subset: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE",
            help="A share of the training examples that networks are trained on, for as many epochs as the reference "
            "has; may be given several times.",
            show_default=False,
        ),
    ] = None,
    statistic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROBE",
            help="A probe of branches, by which networks are ranked through what they keep; may be given several "
            "times.",
            show_default=False,
        ),
    ] = None,
    run: RunFolder = None,
    workers: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Worker processes. [default: auto]", show_default=False),
    ] = None,
    device: Device = None,
    seed: Seed = 0,
    data_dir: DataDir = None,
    settings: Settings = None,
) -> None:
    """Find out how well cheap scores rank networks on DATA, and which is the cheapest that is good enough."""
    with users_mistakes():
        from amla.cli.audit import audit_data
        from amla.comparison.audit import ZERO_COST, Plan

        short = tuple(steps or sorted({max(1, reference // part) for part in (8, 4, 2)}))
        scores = () if score == ["none"] else tuple(score or ZERO_COST)
        subsets, statistics = tuple(subset or ()), tuple(statistic or ())
        plan = Plan(networks, short, reference, seeds, top, at_least, scores, subsets, statistics)
        audit_data(data, plan, run, workers, device, seed, data_dir, settings or [])
