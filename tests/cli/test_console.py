"""Lines in a terminal, which break well, and elsewhere, which do not break."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from amla.cli.console import escape, say
from amla.reports.numbers import SPACE, count, duration, percent

LINE = (
    f"a network of {count(5270)} parameters, {count(134_000)} MACs, validation accuracy {percent(0.981)}, {duration(7)}"
)


def made(width: int, terminal: bool) -> Console:
    """Return a console that writes to memory."""
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, highlight=False, emoji=False)


def printed(console: Console, line: str) -> str:
    say(console, line)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_into_a_pipe_a_line_is_a_line():
    assert printed(made(40, terminal=False), LINE) == f"{LINE}\n"


@pytest.mark.parametrize("width", range(20, 80, 7))
def test_in_a_terminal_no_number_is_parted_from_its_unit(width: int):
    lines = printed(made(width, terminal=True), LINE).splitlines()
    assert " ".join(line.strip(" ") for line in lines) == LINE
    assert all(len(line) <= width for line in lines)
    assert not any(line.startswith(SPACE) or line.endswith(SPACE) for line in lines)


@pytest.mark.parametrize("terminal", [False, True])
@given(text=st.text(st.sampled_from("ab[]/:= 'x1"), max_size=30))
def test_what_looks_like_markup_is_printed_as_it_is(terminal: bool, text: str):
    assert printed(made(200, terminal), f"it said: {escape(text)}.") == f"it said: {text}.\n"


def test_names_of_emoji_are_printed_as_they_are():
    assert printed(made(80, terminal=True), "trial:1: of :warning:") == "trial:1: of :warning:\n"
