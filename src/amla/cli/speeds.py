"""What `amla bench` does: measure, print tables or JSON, and draw the roofline."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from amla.backends import processor
from amla.backends.bench import CAREFUL, GIGA, QUICK, Machine, NetworkSpeed, Roof
from amla.cli.console import escape, opened, say
from amla.cli.speed_json import plain_machine, plain_network
from amla.cli.speed_sheets import CACHE_NOTE, STEP_NOTE, machine_sheets, network_sheets
from amla.reports.names import family, short
from amla.reports.numbers import percent, plural, reading
from amla.reports.palette import Theme
from amla.reports.picture import to_png, to_svg
from amla.reports.plane import AS_GOOD, Ceiling
from amla.reports.roofline import Dot, roofline
from amla.reports.speeds import Sheet, render_speeds
from amla.reports.vega import Chart
from amla.spec import text
from amla.study import bench
from amla.study.folder import BEST
from amla.study.study import StudyError

KINDS = (".svg", ".png", ".html")
LEAST_SHARE = 0.002  # of the time: what takes less is not drawn

Drawn = Callable[[Theme], Chart]


def bench_machine(device: str | None, quick: bool, as_json: bool, out: Path | None) -> None:
    """Measure this machine. Raises StudyError."""
    _check(out)
    console, effort = opened(), QUICK if quick else CAREFUL
    with _telling(console, as_json) as tell:
        found = bench.machine(bench.opened(device, effort), effort.batch, tell, keep=not quick)
    title = f"{found.processor}, {plural(found.cores, 'core')}"
    lead = [f"{found.library} on {found.device}"]
    said = [*lead, *_lead(found.roofs[0]), f"batch {found.batch}", "filled: forward", "hollow: backward"]

    def drawn(theme: Theme) -> Chart:
        return roofline(_ceiling(found.roofs[0], found.device), _passes(found), title, ["; ".join(said)], theme)

    sheets = machine_sheets(found)
    if as_json:
        print(json.dumps(plain_machine(found), indent=1))  # noqa: T201 - for another program, as it is
    else:
        _print(console, title, lead, sheets, CACHE_NOTE)
    _draw(console, out, as_json, drawn, lambda: render_speeds(title, lead, drawn("auto"), sheets, CACHE_NOTE))


def bench_network(
    path: Path,
    batch: int | None,
    threads: int,
    device: str | None,
    fresh: bool,
    quick: bool,
    as_json: bool,
    out: Path | None,
) -> None:
    """Measure a network in training. Raises SpecError, StudyError."""
    _check(out)
    file = architecture_file(path)
    if threads > processor.cores():
        raise StudyError(f"--threads is {threads}, but this process may use {plural(processor.cores(), 'core')}.")
    architecture = text.load(file)
    console, effort = opened(), QUICK if quick else CAREFUL
    with _telling(console, as_json) as tell:
        measuring = bench.opened(device, effort)
        found = bench.network(
            measuring, architecture, batch or effort.batch, threads, tell, fresh=fresh, keep=not quick
        )
    title = path.resolve().name
    lead = [found.processor, f"{found.library} on {found.device}"]
    told = "; ".join([*lead, *_lead(found.roof), f"batch {found.batch}"])
    said = [told, f"The area of a dot is its share of the time{_left_out(found)}"]

    def drawn(theme: Theme) -> Chart:
        whole = _whole(found)
        return roofline(_ceiling(found.roof, found.device), _operations(found), title, said, theme, whole)

    sheets, notes = network_sheets(found), f"{STEP_NOTE} {CACHE_NOTE}"
    if as_json:
        print(json.dumps(plain_network(found), indent=1))  # noqa: T201 - for another program, as it is
    else:
        _print(console, title, lead, sheets, notes)
    _draw(console, out, as_json, drawn, lambda: render_speeds(title, lead, drawn("auto"), sheets, notes))


def _check(out: Path | None) -> None:
    """Raise StudyError for a picture that could not be written in the end."""
    if out is None:
        return
    if out.suffix.lower() not in KINDS:
        raise StudyError(f"{out.name!r} ends in {out.suffix!r}; a roofline is .svg, .png or .html.")
    if not out.absolute().parent.is_dir():
        raise StudyError(f"There is no folder '{out.parent}' to write '{out.name}' into.")


def architecture_file(path: Path) -> Path:
    """Return the file of a network, that of the best one if this is a run folder."""
    if not path.is_dir():
        return path
    if not (path / BEST).is_file():
        raise StudyError(f"'{path}' has no {BEST}: it is no run folder, or its search has not ended yet.")
    return path / BEST


@contextmanager
def _telling(console: Console, as_json: bool) -> Iterator[Callable[[str], None]]:
    """Yield what tells a person at a terminal what is being measured; others are told nothing."""
    if as_json or not console.is_terminal:
        yield lambda said: None
        return
    with console.status("measuring") as status:
        yield lambda said: status.update(f"measuring {escape(said)}")


def _lead(roof: Roof) -> list[str]:
    """Return what is said of a roof below the title of its picture."""
    best, threads = roof.matrix.rate.best, plural(roof.threads, "thread")
    dashed = [f"dashed: matrix products, {reading(best)} GFLOP/s"] if best <= AS_GOOD * roof.peak else []
    return [threads, *dashed]


def _ceiling(roof: Roof, device: str) -> Ceiling:
    return Ceiling(roof.peak, roof.bandwidth, "CPU-second" if device == "cpu" else "second", roof.matrix.rate.best)


def _passes(machine: Machine) -> list[Dot]:
    """Return two dots for each of the standing operations."""
    return [
        Dot(
            short(speed.op, speed.sources, speed.target),
            family(speed.op),
            found.intensity,
            found.rate,
            hollow=found is speed.backward,
        )
        for speed in machine.speeds
        for found in speed.passes
    ]


def _operations(found: NetworkSpeed) -> list[Dot]:
    """Return a dot for each operation of a network, both passes together."""
    dots = []
    for speed in found.speeds:
        work, share = speed.work, speed.seconds / found.seconds
        if work.flops and share >= LEAST_SHARE:
            times = f"{len(speed.nodes)} × " if len(speed.nodes) > 1 else ""
            name = times + short(speed.op, speed.sources, speed.target)
            rate = work.flops / GIGA * len(speed.nodes) / speed.seconds
            dots.append(Dot(name, family(speed.op), work.flops / work.bytes, rate, share))
    return dots


def _left_out(found: NetworkSpeed) -> str:
    """Return what is said about operations that the picture does not show."""
    shown = sum(dot.share or 0.0 for dot in _operations(found))
    return f"; {percent(1 - shown)} of it is not drawn: moving without computing, and trifles" if shown < 0.999 else ""


def _whole(found: NetworkSpeed) -> Dot:
    work = found.work
    return Dot("a whole step", "other", work.flops / work.bytes, work.flops / GIGA / found.step.median)


def _print(console: Console, title: str, lead: Sequence[str], sheets: Sequence[Sheet], notes: str) -> None:
    say(console, f"[bold]{escape(title)}[/bold]: {escape(', '.join(lead))}")
    for sheet in sheets:
        say(console, f"\n[bold]{escape(sheet.title)}[/bold] {escape(sheet.caption)}")
        shown = _table(sheet, console.width)
        console.print(shown, width=max(console.width, console.measure(shown).minimum))
    say(console, f"\n[dim]{escape(notes)}[/dim]")


def _table(sheet: Sheet, width: int) -> Table:
    """Return a table that fits `width` if it can."""
    heads = _heads(sheet)
    columns = zip(*sheet.rows, strict=True) if sheet.rows else ([""] for _ in heads)
    widths = [max(map(len, [*head, *column])) for head, column in zip(heads, columns, strict=True)]
    gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= width else 1
    shown = Table(header_style="bold", box=None, pad_edge=False, padding=(0, gap, 0, 0))
    for place, (head, needed) in enumerate(zip(heads, widths, strict=True)):
        shown.add_column("\n".join(head), justify="right" if place else "left", min_width=needed, no_wrap=True)
    for row in sheet.rows:
        shown.add_row(*map(escape, row))
    return shown


def _heads(sheet: Sheet) -> list[list[str]]:
    """Return the lines of each column's head; what several columns share stands above the first of them."""
    names = [[name] if place == 0 else name.split() for place, (_, name) in enumerate(sheet.head)]
    before = ["", *(group for group, _ in sheet.head)]
    groups = ["" if group == last else group for last, (group, _) in zip(before, sheet.head, strict=False)]
    rows = max(map(len, names))
    found = [[group, *[""] * (rows - len(name)), *name] for group, name in zip(groups, names, strict=True)]
    return found if any(groups) else [lines[1:] for lines in found]


def _draw(console: Console, out: Path | None, as_json: bool, drawn: Drawn, page: Callable[[], str]) -> None:
    if out is None:
        return
    match out.suffix.lower():
        case ".svg":
            out.write_text(to_svg(drawn("auto"), "amla-roofline"), encoding="utf-8")
        case ".png":
            out.write_bytes(to_png(drawn("light")))
        case _:
            out.write_text(page(), encoding="utf-8")
    if not as_json:
        say(console, f"\ndrawn to {escape(str(out))}")
