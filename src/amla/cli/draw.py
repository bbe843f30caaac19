"""`amla draw`: the picture of one network, and what it costs."""

from pathlib import Path

from amla.cli.console import escape, opened, say
from amla.reports.draw import draw
from amla.reports.numbers import count, size
from amla.reports.picture import to_png
from amla.spec import text
from amla.spec.costs import costs
from amla.study.study import StudyError


def draw_file(architecture: Path, output: Path) -> None:
    """Draw the network in a file to an SVG or PNG file. Raises SpecError, StudyError."""
    network = text.load(architecture)
    counted = costs(network)
    match output.suffix.lower():
        case ".svg":
            output.write_text(draw(network, title=architecture.name), encoding="utf-8")
        case ".png":
            output.write_bytes(to_png(draw(network, title=architecture.name, theme="light")))
        case other:
            raise StudyError(f"{output.name!r} ends in {other!r}; a picture is .svg or .png.")
    say(
        opened(),
        f"{count(counted.parameters)} parameters, {count(counted.macs)} MACs, {size(counted.peak_memory)} of "
        f"activations at once; drawn to {escape(str(output))}",
    )
