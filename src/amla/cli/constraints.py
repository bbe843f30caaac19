"""What constraints leave of a space, as a table in the terminal."""

from rich.console import Console
from rich.table import Table

from amla.reports.numbers import count
from amla.study.constraints import LABELS, Reach


def print_reaches(console: Console, found: list[Reach]) -> None:
    """Print what each constraint limits in the space, and whether it can be met."""
    if not found:
        return
    shown = Table(header_style="bold", box=None, pad_edge=False)
    shown.add_column("constraint")
    for head in ("at most", "smallest", "median", "largest", "can be met"):
        shown.add_column(head, justify="right")
    for row in found:
        numbers = (f"{row.limit:,}", f"{row.least:,}", count(row.middle), count(row.most))
        shown.add_row(LABELS[row.name], *numbers, "yes" if row.is_met else "[red]no[/red]")
    console.print(shown)
