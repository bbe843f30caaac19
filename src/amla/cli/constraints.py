"""What constraints leave of a space, as a table in the terminal."""

from rich.console import Console
from rich.table import Table

from amla.cli.console import escape, say
from amla.reports.numbers import count, milliseconds, percent, plural
from amla.study.constraints import LABELS, Reach
from amla.study.study import Study


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
    say(console, "what networks of the search's space have, and whether the limits can be met:")
    console.print(shown)


def print_latency(console: Console, study: Study) -> None:
    """Print what the latencies of some networks of the space are, and whether the limit can be met."""
    latency = study.latency
    if latency is None or latency.at_most is None or latency.learned is None:
        return
    learned = latency.learned
    shown = Table(header_style="bold", box=None, pad_edge=False)
    shown.add_column("latency")
    for head in ("at most", "fastest", "median", "slowest", "can be met"):
        shown.add_column(head, justify="right")
    numbers = map(milliseconds, (latency.at_most, learned.least, learned.middle, learned.most))
    shown.add_row(f"of {plural(learned.networks, 'network')}", *numbers, "yes")
    console.print(shown)
    off = percent(learned.error)
    say(console, f"measured on {escape(learned.device)}; estimated from counts, near the limit off by {off}")
