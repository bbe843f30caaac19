"""What a user says networks may cost at most, and what that leaves of the space, as a table in the terminal."""

from rich.console import Console
from rich.table import Table

from amla.cli.sizes import number, size
from amla.reports.numbers import count
from amla.spec.constraints import Constraints
from amla.study.constraints import Reach

LABELS = {"parameters": "parameters", "macs": "MACs an image", "memory": "activations, bytes"}


def constraints_of(parameters: str | None, macs: str | None, memory: str | None) -> Constraints:
    """Return the constraints that options say. Raises StudyError."""
    return Constraints(
        None if parameters is None else number("--max-params", parameters),
        None if macs is None else number("--max-macs", macs),
        None if memory is None else size("--max-memory", memory),
    )


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
