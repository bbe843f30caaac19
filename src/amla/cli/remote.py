"""Studies on a server from the command line: made, followed, listed, stopped, resumed, deleted and downloaded."""

from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.table import Table

from amla.cli.console import escape, opened, say
from amla.cli.show import print_scored
from amla.reports.names import example_words, metric_name
from amla.reports.numbers import count, duration, interval, metric_reading, percent, plural
from amla.services.client import Client
from amla.services.errors import ServiceError
from amla.services.wire import Found, Happened, Standing
from amla.storage.lease import at
from amla.study.changes import changed
from amla.study.study import load
from amla.tasks.task import OF_NUMBERS
from amla.trials.trial import Failure, Measurement


def run_there(server: str, path: Path, settings: list[str]) -> None:
    """Have a server run the study in a file, and print what happens until it is over."""
    study, console = changed(load(path), settings), opened()
    with Client(server) as client:
        standing = client.create(study)
        say(console, f"[bold]{escape(standing.key)}[/bold] on {escape(server)}")
        _follow(console, client, standing.key)


def show_there(server: str, key: str) -> None:
    """Print how far a study is, and what it has found."""
    with Client(server) as client:
        _print(opened(), client.study(key))


def follow_study(server: str, key: str) -> None:
    """Print what happens in a study until it is over."""
    with Client(server) as client:
        _follow(opened(), client, key)


def print_studies(server: str) -> None:
    """Print the studies of a server."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for head in ("key", "state", "made", "test accuracy"):
        table.add_column(head)
    with Client(server) as client:
        for each in client.studies():
            accuracy = _worth(each.found) if each.found else ""
            table.add_row(escape(each.key), each.state, at(each.created), accuracy)
    opened().print(table)


def act(server: str, what: str, key: str) -> None:
    """Stop, resume or delete a study, and print how it is then."""
    with Client(server) as client:
        match what:
            case "stop":
                _print(opened(), client.stop(key))
            case "resume":
                _print(opened(), client.resume(key))
            case _:
                client.delete(key)
                say(opened(), f"[bold]{escape(key)}[/bold] is deleted")


def download_study(server: str, key: str, folder: Path) -> None:
    """Write the files of a study into a folder. Raises ServiceError for one that is there already."""
    if folder.exists():
        raise ServiceError(f"'{folder}' is there already; name another folder with --to.")
    with Client(server) as client:
        found = client.artifacts(key)
        for artifact in found:
            target = (folder / artifact.name).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise ServiceError(f"{server} names a file {artifact.name!r}, which would lie elsewhere.")
            client.download(key, artifact.name, target)
    say(opened(), f"{plural(len(found), 'file')} in [bold]{escape(str(folder))}[/bold]")


def _follow(console: Console, client: Client, key: str) -> None:
    try:
        for _, event in client.events(key):
            match event:
                case Standing(state=state):
                    say(console, f"{state}")
                case Happened(outcome=None, phase=phase, trial=trial):
                    say(console, f"{phase} {trial} begins")
                case Happened():
                    say(console, _told(event))
    except KeyboardInterrupt:
        again = f"amla studies follow {quote(key)} --server {quote(client.url)}"
        say(console, f"\nThe study goes on. To follow it again: [bold]{escape(again)}[/bold]")
        return
    standing = client.study(key)
    _print(console, standing)
    if standing.state == "failed":
        raise ServiceError(
            f"{key} has failed. Once that is mended: amla studies resume {quote(key)} --server {quote(client.url)}"
        )


def _told(event: Happened) -> str:
    which = f"{event.phase} {event.trial}"
    match event.outcome:
        case Measurement(metrics=metrics, seconds=seconds):
            name = "accuracy" if "accuracy" in metrics else OF_NUMBERS
            score = metric_reading(name, metrics[name]) if name in metrics else "trained"
            return f"{which}: {score}, {duration(seconds)}"
        case Failure(reason=reason, message=message):
            return f"[red]{which} failed ({reason})[/red]: {escape(message)}"
        case _:
            return f"{which} begins"


def _print(console: Console, standing: Standing) -> None:
    """Print how a study is."""
    say(
        console,
        f"[bold]{escape(standing.key)}[/bold] is {standing.state}{f': {escape(standing.why)}' if standing.why else ''}",
    )
    for phase, done in standing.phases.items():
        say(console, f"{phase}: {done.told} of {plural(done.asked, 'trial')} done")
    if standing.found:
        _print_found(console, standing.found)


def _worth(found: Found) -> str:
    """Return what a study reached by the metric that it was chosen by."""
    if (scored := found.scored) is not None:
        return f"{metric_name(scored.metric)} {metric_reading(scored.metric, scored.value, 2)}"
    return "trained" if found.accuracy is None else percent(found.accuracy, 2)


def _print_found(console: Console, found: Found) -> None:
    one, several = example_words(found.shape)
    if found.accuracy is not None and found.low is not None and found.high is not None:
        right, between = round(found.accuracy * found.examples), interval(found.low, found.high)
        say(
            console,
            f"[bold]test accuracy {percent(found.accuracy, 2)}[/bold] (95 % interval {between}; "
            f"{right:,} of {found.examples:,} test {several} right)",
        )
    if found.scored is not None:
        print_scored(console, found.scored)
    say(console, f"{count(found.parameters)} parameters, {count(found.macs)} MACs {one}")
    say(
        console,
        f"search {duration(found.search_seconds)}, final training {duration(found.final_seconds)} "
        f"for {found.steps:,} steps",
    )
