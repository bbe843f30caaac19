"""`amla check-worker`: whether a service in any language runs trials as it must."""

from pathlib import Path

import typer

from amla.cli.console import opened, say
from amla.execution.service import Gone, Refused, address
from amla.study.assignment import assigned, assignment
from amla.study.resolve import SEARCH
from amla.study.study import Data, StudyError, load
from amla.tasks.load import load as load_dataset
from amla.testing.workers import DIGITS, check_worker
from amla.trials import calls

BROKEN = 1  # exit code


def check(url: str, study: Path | None, data_dir: Path | None, seconds: float) -> None:
    """Print what was looked at, or what is wrong. Raises StudyError for a URL that is none, or no study."""
    try:
        address(url)
    except ValueError as error:
        raise StudyError(str(error)) from None
    task, shape, classes = assigned(Data("digits")), DIGITS, 10
    if study is not None:
        given = load(study)
        dataset = load_dataset(given.data.source, data_dir=data_dir, size=given.data.size, labels=given.data.labels)
        task, shape, classes = assignment(given, SEARCH, dataset.fingerprint), dataset.shape, len(dataset.classes)
    try:
        found = check_worker(url, task, shape=shape, classes=classes, seconds=seconds, headers=calls.headers())
    except AssertionError as error:
        typer.echo(f"The worker at {url} breaks the law of worker services: {error}", err=True)
        raise typer.Exit(BROKEN) from None
    except (Gone, Refused) as error:
        typer.echo(f"{error} Start a worker there, or mend what it says.", err=True)
        raise typer.Exit(BROKEN) from None
    say(opened(), f"[green]{url} is a worker.[/green] {found}.")
