"""Measured speeds for people: tables that a terminal or a page can show, and the page with the roofline above them."""

from collections.abc import Sequence
from dataclasses import dataclass

from amla.reports.markup import Html, element, join, row, section, table
from amla.reports.page import page
from amla.reports.plots import canvas
from amla.reports.vega import Chart


@dataclass(frozen=True)
class Sheet:
    """A table: its title, what it is of, and rows whose first cell is a name and whose others are numbers.

    The head of a column is what it shares with those beside it, and its own name.
    """

    title: str
    caption: str
    head: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]


def render_speeds(title: str, lead: Sequence[str], roofline: Chart, sheets: Sequence[Sheet], notes: str = "") -> str:
    """Return a page with a roofline, the tables below it, and notes at the end."""
    name = element("p", element("span", "amla"), " ", "bench", class_="name")
    words = element("p", ", ".join(lead), class_="lead")
    header = element("header", name, element("h1", title), words)
    told = section("roofline", "The roofline", canvas(roofline, "canvas"))
    foot = element("p", notes, class_="lead") if notes else None
    return page(title, join((header, told.html if told else None, *map(_section, sheets), foot)), charts=True)


def _section(sheet: Sheet) -> Html:
    head = {f"{group} {name}".strip().replace(" /", "/"): place > 0 for place, (group, name) in enumerate(sheet.head)}
    rows = (row(*cells, numbers=range(len(cells))) for cells in sheet.rows)
    anchor = sheet.title.lower().replace(" ", "-")
    found = section(anchor, sheet.title, table(sheet.caption, head, rows))
    return found.html if found else join(())
