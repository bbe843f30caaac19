"""`amla serve` and `amla token`: from options to roles behind a guard, and what there is to say about it."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from amla.cli.console import escape, opened
from amla.services.errors import ServiceError
from amla.storage.lease import at

WORKER = ".worker"  # the folder of what workers keep, beside the run folders
SERVED = ("generate", "worker", "scheduler")


@dataclass(frozen=True)
class Listening:
    """Where a server listens, to whom, and how much."""

    host: str
    port: int
    names: tuple[str, ...]
    tokens: Path | None
    certificate: Path | None
    key: Path | None
    rate: float | None
    largest: int


@dataclass(frozen=True)
class Serving:
    """What a server does it with."""

    root: Path
    data: Path | None
    data_dir: Path | None
    at_once: int
    urls: tuple[str, ...]
    store: str | None
    files: str | None
    slots: int = 1
    threads: int | None = None
    memory: int | None = None


def run_server(role: str, listening: Listening, serving: Serving) -> None:
    """Serve until SIGINT or SIGTERM. Raises ServiceError where that cannot be."""
    _check_installed()
    if serving.data is not None and not serving.data.is_dir():
        raise ServiceError(f"'{serving.data}' is no folder; --data names the one below which the data lie.")
    _guard(listening)  # before anything is opened
    names = SERVED if role == "all" else (role,)
    listen({name: _role(name, serving) for name in names}, listening)


def listen(roles: dict[str, Any], listening: Listening) -> None:
    """Serve some roles, by name, until SIGINT or SIGTERM. Raises ServiceError where that cannot be."""
    _check_installed()
    from amla.services.app import application
    from amla.services.serve import serve

    guard = _guard(listening)

    def listens(url: str) -> None:
        typer.echo(f"amla serves {', '.join(roles)} at {url}")
        if not guard.is_local and listening.certificate is None:
            typer.echo("Without TLS others can read tokens on their way: give --tls-cert and --tls-key.", err=True)

    serve(application(roles, guard), guard, listening.port, listening.certificate, listening.key, listens)


def _guard(listening: Listening) -> Any:
    from amla.services.guard import Guard

    return Guard(listening.host, listening.tokens, listening.names, listening.largest, listening.rate)


def _check_installed() -> None:
    try:
        import_module("amla.services.app")
    except ModuleNotFoundError as error:
        raise ServiceError(f"This needs {error.name!r}; install it with: pip install 'amla[serve]'.") from None


def _worker(serving: Serving) -> Any:
    from amla.services.trade import workshop
    from amla.services.trials import Worker

    data = serving.data.absolute() if serving.data else None
    folder = serving.root.absolute() / WORKER
    return Worker(workshop(folder, serving.slots, serving.threads, serving.memory, data, serving.data_dir))


def print_tokens(file: Path) -> None:
    """Print the tokens in a file. Raises ServiceError if it holds none."""
    from amla.services import tokens

    table = Table(header_style="bold", box=None, pad_edge=False)
    for head in ("name", "scope", "made", "holds until"):
        table.add_column(head)
    for found in tokens.read(file):
        until = "it is removed" if found.expires is None else "over" if found.is_over else at(found.expires)
        table.add_row(escape(found.name), found.scope, at(found.created), until)
    opened().print(table)


def _role(name: str, serving: Serving) -> Any:
    if name == "worker":
        return _worker(serving)
    if name == "generate":
        return import_module("amla.services.generate").Generator(serving.root)
    from amla.services.scheduler import Scheduler
    from amla.services.uploads import Allowed

    options = [*(("--data-dir", str(serving.data_dir.absolute())) if serving.data_dir else ())]
    options += ["--store", serving.store] if serving.store else []
    options += ["--files", serving.files] if serving.files else []
    data = serving.data.absolute() if serving.data else None
    return Scheduler(serving.root, serving.at_once, Allowed(data, serving.urls), tuple(options))
