"""What a command that computes nothing prints, and what it does without."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from commands import Command, piped

from amla import __version__
from amla.cli.app import users_mistakes

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


TALKING = (
    "import typer\nfrom amla.cli import app, main\nfrom amla.cli.app import users_mistakes\n"
    "@app.command()\ndef talk(err: bool = False):\n  with users_mistakes():\n"
    "    for _ in range(100_000): typer.echo('a line', err=err)\nmain()"
)


@pytest.mark.parametrize("streams", [(), ("--err",)])
def test_nothing_is_said_where_nobody_reads_on(streams: tuple[str, ...]):
    told = subprocess.STDOUT if streams else subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", TALKING, "talk", *streams], stdout=subprocess.PIPE, stderr=told, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "a line\n"
        process.stdout.close()  # as `head -n 1` does
        assert process.stderr is None or process.stderr.read() == ""
        assert process.wait() == 1


def test_another_pipe_that_broke_is_told(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit), users_mistakes():
        raise BrokenPipeError(32, "Broken pipe")
    assert capsys.readouterr().err == "amla: [Errno 32] Broken pipe\n"


def test_the_schema_is_the_one_of_the_reference(amla: Command):
    reference = Path(__file__).parents[2] / "docs" / "reference" / "architecture.schema.json"
    assert amla("schema") == (0, reference.read_text(encoding="utf-8"), ""), "write it anew with: amla schema"
