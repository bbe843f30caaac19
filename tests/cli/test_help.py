"""What each command says of itself."""

import subprocess
import sys

import pytest

from amla import __version__


def amla(*arguments: str) -> str:
    command = [sys.executable, "-m", "amla", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert ended.stderr == ""
    return ended.stdout


def test_python_m_amla_is_the_command():
    assert amla("--version") == f"amla {__version__}\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((), ("Begin with: amla search digits", "search", "run", "show", "draw", "schema")),
        (("search",), ("amla search [OPTIONS]", "digits, cifar10", "--budget", "--set", "goes on")),
        (("run",), ("amla run [OPTIONS]", "study.yaml")),
        (("show",), ("amla show [OPTIONS]", "run folder")),
        (("draw",), ("amla draw [OPTIONS]", ".svg")),
    ],
)
def test_help_explains_what_a_command_takes(command: tuple[str, ...], said: tuple[str, ...]):
    explained = amla(*command, "--help")
    for part in said:
        assert part in explained
