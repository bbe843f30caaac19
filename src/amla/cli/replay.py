"""`amla replay`: the network of a run trained again, and whether that shows what the run says."""

import json
from pathlib import Path

import typer
from pydantic import TypeAdapter

from amla.cli.console import escape, opened, say
from amla.reports.names import metric_name
from amla.reports.numbers import duration, interval, metric_interval, percent
from amla.study.folder import read
from amla.study.replay import Again, Replay, between, replay, worth
from amla.study.result import Scored, Tested
from amla.study.trained import task_again
from amla.trials.progress import Progress

OTHERWISE = 1  # exit code, if the recorded accuracy was not reproduced


def replay_run(folder: Path, others: int, data_dir: Path | None, as_json: bool) -> None:
    """Train the network of a run again and say what that showed; ends in code 1 if the accuracy is another one."""
    console, run = opened(), read(folder)
    task = task_again(run, data_dir)
    with console.status("") as status:

        def begins(seed: int) -> None:
            if not as_json and not console.is_terminal:
                say(console, f"training again with seed {seed}")

        def progress(line: Progress) -> None:
            if console.is_terminal and not as_json:
                status.update(f"training again, leg {line.trial}: {line.step:,} of {line.budget:,} steps")

        if as_json or not console.is_terminal:
            status.stop()
        found = replay(run, task, others, progress, begins)
    if as_json:
        plain = TypeAdapter(Replay).dump_python(found, mode="json")
        typer.echo(json.dumps(plain | {"accuracy": found.accuracy, "reproduced": found.reproduced}))
    else:
        for line in _said(found):
            say(console, line)
    if not found.reproduced:
        raise typer.Exit(OTHERWISE)


def _said(found: Replay) -> list[str]:
    then = found.tested
    low, high = between(then)
    bounds = interval(low, high) if isinstance(then, Tested) else metric_interval(then.metric, (low, high))
    lines = [f"recorded         {_worth(then)}, 95 % interval {bounds}"]
    lines += [
        f"seed {again.seed:<11} {_worth(again.tested)}, in {duration(again.seconds)}{_weights(again)}"
        for again in found.trainings
    ]
    lines += [f"[yellow]note[/yellow] {escape(line)}" for line in found.differing]
    return [*lines, _verdict(found)]


def _worth(tested: Tested | Scored) -> str:
    if isinstance(tested, Scored):
        return f"{metric_name(tested.metric)} {tested.value:.4f}"
    return f"{percent(tested.accuracy, 2)} ({tested.right:,} of {tested.examples:,})"


def _weights(again: Again) -> str:
    if again.apart is None:
        return ""
    if again.apart == 0:
        return "; the weights are the same bit for bit"
    return f"; weights differ by up to {again.apart:.2g}"


def _verdict(found: Replay) -> str:
    what = "accuracy" if isinstance(found.tested, Tested) else metric_name(found.tested.metric)
    points = (found.accuracy - worth(found.tested)) * 100
    mean = "" if len(found.trainings) == 1 else f"the mean of {len(found.trainings)} trainings is "
    if found.reproduced:
        gap = f"the same {what}" if points == 0 else f"{abs(points):.2f} points {'above' if points > 0 else 'below'}"
        return f"[bold green]reproduced[/bold green]: {mean}{gap}{'' if points == 0 else ', within the interval'}"
    end = between(found.tested)[points > 0]
    beyond = abs(found.accuracy - end) * 100
    side = "above" if points > 0 else "below"
    return (
        f"[bold red]not reproduced[/bold red]: {mean}{abs(points):.2f} points {side} the recorded {what}, "
        f"{beyond:.2f} beyond the interval"
    )
