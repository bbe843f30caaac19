"""`amla import`: a configuration of 2018 becomes an architecture and a study that trains it."""

from dataclasses import replace
from pathlib import Path

from rich.table import Table

from amla.cli.console import escape, opened, say
from amla.reports.numbers import count
from amla.spec import text
from amla.spec.costs import costs
from amla.spec.legacy.config import read_config
from amla.spec.legacy.file import load
from amla.spec.legacy.network import build
from amla.spec.values import SpecError
from amla.study.legacy import shape_of, study_of
from amla.study.study import StudyError, to_yaml


def import_file(file: Path, output: Path | None, record: str | None, classes: int | None, seed: int) -> None:
    """Write the architecture and the study of a configuration, and print what it costs, and notes.

    Raises SpecError where the file breaks a rule, StudyError where one of the files to write is already there.
    """
    plain = load(file, record)
    try:
        config, read = read_config(plain)
        network = build(config, shape_of(config), classes, seed)
        counted = costs(network)
    except SpecError as error:
        raise SpecError(f"'{file}': {error}") from None
    name = output or Path(config.name)
    paths = name.with_name(f"{name.name}.arch.json"), name.with_name(f"{name.name}.yaml")
    for path in paths:
        if path.exists():
            raise StudyError(f"'{path}' is already there; name another with --output.")
    study, differences = study_of(config, str(paths[0]))
    text.save(network, paths[0])
    paths[1].write_text(to_yaml(replace(study, name=name.name, seed=seed)), encoding="utf-8")
    console = opened()
    heads = f" and {len(network.heads)} auxiliary heads" if network.heads else ""
    say(
        console,
        f"{escape(config.name)}: {count(counted.parameters)} parameters ({counted.parameters:,}), "
        f"{count(counted.macs)} MACs an image; {len(network)} nodes{heads}",
    )
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("field", no_wrap=True)
    table.add_column("what amla does")
    for note in (*read, *differences):
        table.add_row(escape(note.field), escape(note.says))
    console.print(table)
    say(console, f"network [bold]{escape(str(paths[0]))}[/bold]")
    say(console, f"study   [bold]{escape(str(paths[1]))}[/bold], to be run with: amla run {escape(str(paths[1]))}")
