"""What a command that computes nothing prints, and what it does without."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import Command, piped

from amla import __version__

HEAVY = ("torch", "sqlalchemy", "PIL", "sklearn", "pyarrow", "vl_convert", "fsspec", "safetensors")
LIST = (
    "import sys\nfrom amla.cli import main\ntry: main()\n"
    f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
)

amla = pytest.fixture(piped)


@pytest.mark.parametrize("arguments", [("--help",), ("search", "--help"), ("--version",), ("schema",)])
def test_no_heavy_library_is_imported_for(arguments: tuple[str, ...]):
    code = [sys.executable, "-c", LIST, *arguments]
    ended = subprocess.run(code, capture_output=True, text=True, encoding="utf-8", check=True)
    assert ended.stderr == "[]\n"
    assert ended.stdout


def test_the_version_is_that_of_the_package(amla: Command):
    assert amla("--version") == (0, f"amla {__version__}\n", "")


@pytest.mark.parametrize("command", [(), ("search",), ("run",), ("show",), ("draw",), ("schema",)])
def test_help_fits_80_columns(command: tuple[str, ...], amla: Command):
    code, out, err = amla(*command, "--help")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80


def test_without_a_command_its_help_is_printed(amla: Command):
    _, out, err = amla()
    assert "Begin with: amla search digits" in out + err


@pytest.mark.parametrize("arguments", [("serach", "digits"), ("search",), ("search", "digits", "--seed", "-1")])
def test_what_is_no_command_is_refused(arguments: tuple[str, ...], amla: Command):
    code, out, err = amla(*arguments)
    assert (code, out) == (2, "")
    assert "amla --help" in err or f"amla {arguments[0]} --help" in err


def test_the_schema_is_the_one_of_the_reference(amla: Command):
    reference = Path(__file__).parents[2] / "docs" / "reference" / "architecture.schema.json"
    assert amla("schema") == (0, reference.read_text(encoding="utf-8"), ""), "write it anew with: amla schema"
