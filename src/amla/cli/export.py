"""`amla export`: the network of a run in other forms."""

from pathlib import Path

from amla.cli.console import escape, opened, say
from amla.study.exporting import Form, export
from amla.study.exporting import forms as forms
from amla.study.trained import trained


def export_run(folder: Path, forms: tuple[Form, ...], output: Path | None, data_dir: Path | None) -> None:
    """Write the network of a run in some forms, and say what was checked."""
    console = opened()

    def wrote(path: Path, what: str) -> None:
        say(console, f"[bold]{escape(str(path))}[/bold]  {escape(what)}")

    def noted(what: str) -> None:
        say(console, f"[yellow]note[/yellow] {escape(what)}")

    export(trained(folder), forms, output or folder / "export", data_dir, wrote, noted)
