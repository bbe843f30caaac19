"""The command line as a whole: its options, and how mistakes end. Its commands are in the modules beside this one."""

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

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
    """Turn what a user can mend into a message on stderr and exit code 2, and Ctrl-C into one and 130.

    Where nobody reads on what is printed, it ends without a message.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("\namla: cut off. Start the same command again to go on.", err=True)
        raise typer.Exit(CUT_OFF) from None
    except (ValueError, RuntimeError, OSError) as error:
        if isinstance(error, BrokenPipeError) and not _is_read():
            raise  # which Typer ends quietly, with code 1
        if not is_explained(error):
            raise
        typer.echo(f"amla: {message(error)}", err=True)
        raise typer.Exit(USERS_MISTAKE) from None


def _is_read() -> bool:
    """Return whether somebody reads what is printed; `amla ... | head` has gone when it has enough."""
    if not hasattr(select, "poll"):  # on Windows
        return False
    printed = select.poll()
    try:
        printed.register(sys.stdout, 0)
    except (OSError, ValueError):  # it is no file
        return True
    return not printed.poll(0)


def client_commands() -> Any:
    """Return what speaks to servers. Raises StudyError where the library that speaks HTTP is not installed."""
    from importlib import import_module

    try:
        return import_module("amla.cli.remote")
    except ModuleNotFoundError as error:
        from amla.study.study import StudyError

        raise StudyError(f"This needs {error.name!r}; install it with: pip install 'amla[serve]'.") from None
