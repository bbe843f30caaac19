"""The command line in this process, in a folder of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amla.cli.app import app

Command = Callable[..., tuple[int, str, str]]  # its exit code, what it printed, and what it said on stderr


def piped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Return what runs a command as in a pipe, where lines are as long as they are and tables have 80 columns.

    A module that wants it as a fixture says: amla = pytest.fixture(piped).
    """
    monkeypatch.chdir(tmp_path)
    for variable in ("COLUMNS", "FORCE_COLOR", "AMLA_DATA"):
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        ended = CliRunner().invoke(app, arguments, prog_name="amla")
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
        return ended.exit_code, ended.stdout, ended.stderr

    return run
