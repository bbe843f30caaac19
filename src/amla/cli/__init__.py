"""The command line. Each command imports the libraries that it needs, and no other."""

# ruff: noqa: I001 - `amla --help` lists commands in the order in which these are imported
from amla.cli import running, afterwards, comparing, tools, chaos
from amla.cli.app import app
from amla.cli.bench import bench
from amla.cli.services import studies, token

for group in (bench, token, studies):
    app.add_typer(group)


def main() -> None:
    """Run the command line. A user's mistake ends with a message and exit code 2, and loses nothing."""
    app(prog_name="amla")


__all__ = ["afterwards", "chaos", "comparing", "main", "running", "tools"]
