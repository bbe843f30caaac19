"""`amla show`: a run as a table in the terminal, finished or not."""

import time
from pathlib import Path
from shlex import join

from rich.console import Console

from amla.algorithms.protocol import best
from amla.cli.console import escape, opened, say
from amla.cli.lines import called, status
from amla.cli.trials_table import table
from amla.reports.beside import advice
from amla.reports.condensed import condensed
from amla.reports.costs import cost_words
from amla.reports.growth import constructions
from amla.reports.names import example_words, metric_name
from amla.reports.numbers import count, duration, interval, metric_interval, metric_reading, percent, reading
from amla.reports.tuning import changes_in_words
from amla.spec.costs import costs
from amla.storage.files import Files
from amla.study.baselines import beside
from amla.study.choices import operations
from amla.study.folder import BEST, REPORT, STUDY, WEIGHTS, Run, read
from amla.study.log import EVENTS
from amla.study.onward import onward
from amla.study.phases import SEARCH
from amla.study.prefer import costs_of, front, is_of_interest, preferred
from amla.study.result import Result, Scored, files, result, winner
from amla.study.study import StudyError
from amla.study.trained import trained
from amla.trials.history import History
from amla.trials.trial import Trial

QUIET_SECONDS = 120  # without a line in its curve: then a trial may have been cut off
DIFFERENT = 0.005  # of accuracy, from which the mean over classes is told, too


def show_run(folder: Path) -> None:
    """Print the run in `folder`, and what was found in its data. Raises StudyError if there is none."""
    console, run = opened(), read(folder)
    print_run(console, run)
    for finding in run.study.findings:
        say(console, f"[yellow]note[/yellow] {escape(finding)}")


def print_run(console: Console, run: Run) -> None:
    """Print every construction of a run, then its result, or how far it is."""
    shown = condensed(run.search)
    metric = run.study.metric
    rows = constructions(shown.history, metric)
    if rows:
        best = winner(run)
        marked = shown.trial(best.id) if best else None
        console.print(table(rows, marked, console.width, metric, operations(run.study, shown.history)))
    for row in rows:
        if row.failure:
            say(console, f"[red]trial {row.trial} failed ({row.failure.reason})[/red]: {escape(row.failure.message)}")
    if is_of_interest(run.study):
        _print_front(console, run)
    if found := result(run):
        _print_result(console, run, found)
    else:
        _print_state(console, run)


def _print_front(console: Console, run: Run) -> None:
    """Print the networks that none beats in the metric and in what they cost, and why one of them is preferred."""
    metric = run.study.metric
    costs, shown = costs_of(run.study, run.search), condensed(run.search)
    found = front(run.search, costs, metric)
    if len(found) > 1:
        say(console, f"\n[bold]Pareto front[/bold]: none is better in {metric_name(metric)} and in all costs")
    for trial in found if len(found) > 1 else ():
        metrics = trial.measurement.metrics
        words = ", ".join(cost_words(cost, metrics[cost]) for cost in costs)
        say(console, f"  construction {shown.trial(trial.id)}: {metric_reading(metric, metrics[metric])}, {words}")
    if choice := preferred(run.study.prefer, run.search, metric):
        say(console, choice.why)


def print_scored(console: Console, scored: Scored) -> None:
    """Print what the metric is on the test part that decided, where that is not accuracy."""
    bounds = metric_interval(scored.metric, scored.interval) if scored.interval else ""
    between = f" (95 % interval {bounds})" if bounds else ""
    value = metric_reading(scored.metric, scored.value, 2)
    say(console, f"[bold]test {metric_name(scored.metric)} {value}[/bold]{between}, by which it was chosen")


def _print_result(console: Console, run: Run, found: Result) -> None:
    tested, (one, several) = found.tested, example_words(found.architecture.shape)
    say(console, "")
    if tested:
        say(
            console,
            f"[bold]test accuracy {percent(tested.accuracy, 2)}[/bold] "
            f"(95 % interval {interval(tested.low, tested.high)}; "
            f"{tested.right:,} of {tested.examples:,} test {several} right)",
        )
    if scored := found.scored:
        print_scored(console, scored)
    for place, each in enumerate(found.errors):
        which = f" of {escape(_target(run, place))}" if len(found.errors) > 1 else ""
        said = f"mean error{which} {reading(each.mean)}, root of the mean square {reading(each.root)}"
        say(console, f"{said}, in the units of the data, on {found.examples:,} test {several}")
    balanced, f1 = found.balanced_accuracy, found.macro_f1
    if tested and balanced is not None and f1 is not None and (scored or abs(balanced - tested.accuracy) >= DIFFERENT):
        say(console, f"on average over classes {percent(balanced, 2)} (balanced accuracy), F1 {f1:.3f}")
    say(console, f"{count(found.parameters)} parameters, {count(found.macs)} MACs {one}{_made_wider(run, found)}")
    if (recipe := best(run.tuning, run.study.metric)) is not None:
        say(console, f"trained with the recipe {changes_in_words(recipe.proposal.recipe)}")
    if (compared := beside(run)) is not None:
        colour = "green" if compared.is_worth_it else "yellow"
        say(console, f"[{colour}]{escape(advice(compared))}[/{colour}]")
    say(
        console,
        f"{_before(found)}search {duration(found.search_seconds)},{_besides(found)} final training "
        f"{duration(found.final_seconds)} for {found.steps:,} steps",
    )
    for what, name in (("report", REPORT), ("network", BEST), ("weights", WEIGHTS)):
        if name in (REPORT, *files(run.study)):
            say(console, f"{what:8} [bold]{escape(str(run.folder / name))}[/bold]")
    if WEIGHTS in files(run.study):
        for what, command in onward(str(run.folder), several, compared).items():
            say(console, f"to {what}: [bold]{escape(command)}[/bold]")


def _before(found: Result) -> str:
    return f"rehearsal {duration(found.rehearsal_seconds)}, " if found.rehearsal_seconds else ""


def _besides(found: Result) -> str:
    told = (("baselines", found.baseline_seconds), ("tuning", found.tuning_seconds))
    return "".join(f" {name} {duration(seconds)}," for name, seconds in told if seconds)


def _target(run: Run, place: int) -> str:
    """Return what a number that is predicted is called, as the weights say; else which it is."""
    try:
        return trained(run.folder).facts.classes[place]
    except (StudyError, OSError, ValueError):
        return f"target {place}"


def _made_wider(run: Run, found: Result) -> str:
    """Return which construction the final network is a wider one of; nothing if it is as wide."""
    chosen = winner(run)
    before = costs(chosen.proposal.architecture).macs if chosen else found.macs
    if not chosen or before >= found.macs:
        return ""
    return f": construction {condensed(run.search).trial(chosen.id)}, made wider from {count(before)} MACs"


def _print_state(console: Console, run: Run) -> None:
    """Say how far a run is: what trains, since when it has been silent, what failed."""
    begun = (each for each in reversed(run.phases.items()) if len(each[1]))
    phase, history = next(begun, (SEARCH, run.search))
    for trial in history.running:
        _print_running(console, run, phase, history, trial)
    if history.running:
        return
    if history.finished and not history.done:
        say(console, "No network could be trained.")
    say(console, f"There is no result yet, and no trial runs. {_go_on(run)}")


def _print_running(console: Console, run: Run, phase: str, history: History, trial: Trial) -> None:
    failed = sum(other.id < trial.id for other in history.failed)
    curve = Files(run.folder).curve(f"{phase}/{trial.id}")
    which = called(run.study, phase, trial.id, failed)
    say(console, status(run.study, phase, curve[-1], failed) if curve else f"{which} begins")
    if silent := _silence(run, f"{phase}/{trial.id}"):
        say(console, f"It has said nothing for {duration(silent)}. {_go_on(run)}")


def _go_on(run: Run) -> str:
    command = join(["amla", "run", str(run.folder / STUDY), "--run", str(run.folder)])
    return f"If it was cut off, this goes on: [bold]{escape(command)}[/bold]"


def _silence(run: Run, key: str) -> float | None:
    """Return for how long a trial has been silent, if that is long: since its last line, or any event of the study.

    Of events in a database nothing is known here; a trial without a line is then not called silent.
    """
    written = (run.folder / name for name in (f"curves/{key}.jsonl", EVENTS, f"{EVENTS}-wal"))
    since = time.time() - max((path.stat().st_mtime for path in written if path.exists()), default=time.time())
    return since if since > QUIET_SECONDS else None
