"""`amla check-generator`: whether a service in any language is an algorithm."""

import json

import typer

from amla.algorithms.errors import RemoteError
from amla.cli.console import opened, say
from amla.study.study import StudyError

BROKEN = 1  # exit code


def check(url: str, options: str) -> None:
    """Print what was looked at, or what is wrong.

    Raises StudyError for options that are no JSON object, and where the library that speaks HTTP is not installed.
    """
    try:
        from amla.testing.generators import check_generator
    except ModuleNotFoundError as error:
        raise StudyError(f"This needs {error.name!r}; install it with: pip install 'amla[remote]'.") from None
    try:
        given = json.loads(options)
    except ValueError as error:
        raise StudyError(f"--options {options!r} is no JSON: {error}.") from None
    if not isinstance(given, dict):
        raise StudyError(f"--options {options!r} is no JSON object; write it in braces.")
    try:
        found = check_generator(url, given)
    except AssertionError as error:
        typer.echo(f"The generator at {url} breaks the law of algorithms: {error}", err=True)
        raise typer.Exit(BROKEN) from None
    except RemoteError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BROKEN) from None
    say(opened(), f"[green]{url} is a generator.[/green] {found}.")
