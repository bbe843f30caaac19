"""`amla doctor`: what is wrong with a run, as a table or as JSON, and what was mended."""

import json

import typer
from rich.console import Console
from rich.table import Table

from amla.cli.console import escape, opened, say
from amla.reports.numbers import plural
from amla.study.doctor import Diagnosis, diagnose

ILL = 1  # exit code


def examine(store: str, repair: bool, as_json: bool) -> None:
    """Check a run folder or a database, print what is wrong, and exit with 1 if something is."""
    found = diagnose(store, repair=repair)
    if as_json:
        typer.echo(json.dumps(_plain(store, found)))
    else:
        _print(opened(), store, found)
    if not found.is_sound:
        raise typer.Exit(ILL)


def _plain(store: str, found: Diagnosis) -> dict[str, object]:
    findings = [
        {"where": each.where, "what": each.what, "advice": each.advice, "hinders": each.hinders, "did": each.did}
        for each in found.findings
    ]
    return {"store": store, "sound": found.is_sound, "driver": found.driver, "findings": findings}


def _print(console: Console, store: str, found: Diagnosis) -> None:
    if found.findings:
        table = Table(header_style="bold", box=None, pad_edge=False)
        for head in ("where", "what is wrong", "what to do"):
            table.add_column(head, overflow="fold")
        for each in found.findings:
            done = f"[green]{escape(each.did)}[/green]" if each.did else escape(each.advice)
            style = "red" if each.hinders and each.did is None else None
            table.add_row(escape(each.where), escape(each.what), done, style=style)
        console.print(table)
    if found.driver:
        say(console, f"{escape(found.driver)} drives it now, so its snapshots and passing files were not checked")
    left = [each for each in found.findings if each.did is None]
    wrong = sum(each.hinders for each in left)
    if wrong:
        say(console, f"[red]{plural(wrong, 'thing')} wrong[/red] with {escape(store)}")
    else:
        rest = f"; what was left behind ({plural(len(left), 'thing')}) hinders nothing" if left else ""
        say(console, f"[green]sound[/green]: {escape(store)}{rest}")
