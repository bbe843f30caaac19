"""Algorithms in other languages: the examples are started as a user starts them, checked, and searched with."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Here

EXAMPLES = Path(__file__).parents[2] / "examples/generators"
COMMANDS = {"generator.mjs": "node", "generator.pl": "perl"}
NOWHERE = "http://127.0.0.1:9"
SMALL = ("space.width=6", "space.cells=[1, 1]", "space.max_cells=[2, 2]", "final.steps=3")


@pytest.fixture(params=COMMANDS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a generator that runs."""
    command = shutil.which(COMMANDS[request.param])
    if command is None:
        pytest.skip(f"{COMMANDS[request.param]} is not installed")
    with subprocess.Popen([command, str(EXAMPLES / request.param), "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def changes(url: str) -> list[str]:
    """Return the options of a small search by a generator."""
    algorithm = {"kind": "remote", "url": url, "steps": 3, "options": {"trials": 3}}
    return [f"--set={change}" for change in (f"algorithm={json.dumps(algorithm)}", *SMALL)]


def test_an_example_is_checked_and_searches(url: str, here: Here):
    checked = here("check-generator", url, "--options", '{"trials": 12}')
    assert checked.code == 0, checked.err
    assert f"{url} is a generator." in checked.out
    found = here("search", "digits", *changes(url))
    assert found.code == 0, found.err
    assert f"searching by the generator at {url}" in found.out
    assert "network 3: " in found.out
    assert "network 4: " not in found.out
    assert found.accuracy


def test_a_generator_that_is_gone_is_said(here: Here):
    found = here("search", "digits", *changes(NOWHERE))
    assert found.code == 2
    assert f"The generator at {NOWHERE} did not answer ask in 4 attempts" in found.err


def test_what_is_no_generator_is_said_in_words(here: Here):
    found = here("check-generator", NOWHERE)
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith(f"Nothing answers at {NOWHERE} (")


def test_where_nothing_speaks_http_it_is_said_what_to_install(here: Here, monkeypatch: pytest.MonkeyPatch):
    for module in ("amla.testing.generators", "amla.algorithms.remote"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "httpx", None)
    for command in (["check-generator", NOWHERE], ["search", "digits", *changes(NOWHERE)]):
        found = here(*command)
        assert found.code == 2
        assert "needs 'httpx'; install it with: pip install 'amla[remote]'" in found.err


@pytest.mark.parametrize("options", ["[]", "{"])
def test_options_that_are_no_object_are_refused(options: str, here: Here):
    found = here("check-generator", NOWHERE, "--options", options)
    assert found.code == 2
    assert "is no JSON" in found.err
