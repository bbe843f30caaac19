"""How the command line prints: whole lines into files and pipes, and in a terminal lines that break well."""

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from amla.reports.numbers import SPACE

_HELD = (
    "\ue000"  # takes the place of a narrow space while a line is broken: rich would break it between number and unit
)


def opened() -> Console:
    """Return the console of standard output. What data and people call things is printed as it is."""
    return Console(highlight=False, emoji=False)


def say(console: Console, line: str) -> None:
    """Print a line with markup; in a terminal it is broken between words, elsewhere not at all."""
    if not console.is_terminal:
        console.print(line, soft_wrap=True)
        return
    for part in Text.from_markup(line.replace(SPACE, _HELD), emoji=False).wrap(console, console.width):
        part.plain = part.plain.replace(_HELD, SPACE)
        console.print(part, soft_wrap=True)


__all__ = ["escape", "opened", "say"]
