"""`amla serve`, `amla token` and `amla studies`: their options; what they do is in `serving` and `studies`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from amla.cli.app import app, client_commands, users_mistakes
from amla.cli.options import DataDir, FilesUrl, StoreUrl

token = typer.Typer(name="token", help="Say who may use a server that others can reach.", no_args_is_help=True)
studies = typer.Typer(name="studies", help="Look after the studies on a server.", no_args_is_help=True)

Server = Annotated[
    str, typer.Option("--server", metavar="URL", envvar="AMLA_SERVER", help="Where the server is: http://HOST:PORT.")
]
Key = Annotated[str, typer.Argument(help="What the study is called on the server.")]
TokenFile = Annotated[Path, typer.Option("--file", help="The file of tokens. It holds no secret, but their hashes.")]
Name = Annotated[str, typer.Argument(help="Whose token it is, or what for.")]
TOKENS = Path("tokens.json")


@app.command()
def serve(
    role: Annotated[
        Literal["all", "generate", "worker", "scheduler"],
        typer.Option(help="What it does: one of the services, or all."),
    ] = "all",
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any that is free.")] = 8000,
    root: Annotated[Path, typer.Option(help="The folder of the run folders.")] = Path("runs"),
    data: Annotated[
        Path | None, typer.Option(help="The folder below which studies may name data and networks. [default: none]")
    ] = None,
    data_dir: DataDir = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="How many studies run at a time.")] = 1,
    slots: Annotated[int, typer.Option(min=1, max=1024, help="How many trials a worker runs at a time.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each. [default: its share of the cores]", show_default=False)
    ] = None,
    memory: Annotated[
        int | None, typer.Option(min=1, help="Bytes that each may use. [default: any]", show_default=False)
    ] = None,
    allow_url: Annotated[
        list[str] | None,
        typer.Option("--allow-url", metavar="URL", help="An address that studies may name, such as a generator's."),
    ] = None,
    store: StoreUrl = None,
    files: FilesUrl = None,
    tokens: Annotated[
        Path | None, typer.Option(help="A file of `amla token`; then every request needs a token.", show_default=False)
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="HOST", help="Another name by which the server is called.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="A certificate, .pem: speak TLS.", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key of the certificate.", show_default=False)] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Requests a second of each client. [default: 200 off loopback]", show_default=False
        ),
    ] = None,
    max_body: Annotated[int, typer.Option("--max-body", min=1024, help="Bytes that a request may have.")] = 16 << 20,
) -> None:
    """Serve studies, generators and workers over HTTP: on this machine alone, unless you say otherwise."""
    with users_mistakes():
        from amla.cli.serving import Listening, Serving, run_server

        listening = Listening(host, port, tuple(name or ()), tokens, tls_cert, tls_key, rate, max_body)
        run_server(
            role,
            listening,
            Serving(root, data, data_dir, at_once, tuple(allow_url or ()), store, files, slots, threads, memory),
        )


@token.command("add")
def add(
    name: Name,
    scope: Annotated[
        Literal["read", "run", "admin"],
        typer.Option(help="read: look; run: also make, start and stop studies; admin: also delete them."),
    ] = "run",
    lasts: Annotated[str | None, typer.Option(help="How long it holds, such as 90d. [default: always]")] = None,
    file: TokenFile = TOKENS,
) -> None:
    """Make a token and print it, once. Give it to clients in the environment variable AMLA_TOKEN."""
    with users_mistakes():
        from amla.services import tokens
        from amla.study.durations import seconds

        typer.echo(tokens.add(file, name, scope, None if lasts is None else seconds(lasts)))


@token.command("rotate")
def rotate(
    name: Name,
    grace: Annotated[str, typer.Option(help="How long the old one still holds: 0, 10m, 1d.")] = "1h",
    file: TokenFile = TOKENS,
) -> None:
    """Make a new token in the place of one, and print it, once."""
    with users_mistakes():
        from amla.services import tokens
        from amla.study.durations import seconds

        typer.echo(tokens.rotate(file, name, 0.0 if grace == "0" else seconds(grace)))


@token.command("remove")
def remove(name: Name, file: TokenFile = TOKENS) -> None:
    """Remove a token: from the next request on it lets nobody in."""
    with users_mistakes():
        from amla.services import tokens

        tokens.remove(file, name)


@token.command("list")
def list_tokens(file: TokenFile = TOKENS) -> None:
    """List whose tokens there are, what they allow, and until when."""
    with users_mistakes():
        from amla.cli.serving import print_tokens

        print_tokens(file)


@studies.command("list")
def list_studies(server: Server) -> None:
    """List the studies, newest first."""
    with users_mistakes():
        client_commands().print_studies(server)


@studies.command("stop")
def stop(key: Key, server: Server) -> None:
    """Have a study stop. What it has done is kept, and it can go on."""
    with users_mistakes():
        client_commands().act(server, "stop", key)


@studies.command("resume")
def resume(key: Key, server: Server) -> None:
    """Have a study go on from where it is."""
    with users_mistakes():
        client_commands().act(server, "resume", key)


@studies.command("delete")
def delete(key: Key, server: Server) -> None:
    """Delete a study that does not run, with all its files."""
    with users_mistakes():
        client_commands().act(server, "delete", key)


@studies.command("follow")
def follow(key: Key, server: Server) -> None:
    """Print what happens in a study, until it is over. Ctrl-C ends that, and not the study."""
    with users_mistakes():
        client_commands().follow_study(server, key)


@studies.command("download")
def download(
    key: Key,
    server: Server,
    to: Annotated[Path | None, typer.Option(help="The folder. [default: runs/KEY]", show_default=False)] = None,
) -> None:
    """Download the files of a study."""
    with users_mistakes():
        client_commands().download_study(server, key, to or Path("runs") / key)
