"""Tells a person how a search goes: a live line in a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from time import monotonic
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from amla.reports.numbers import count, duration, percent
from amla.spec.costs import costs, training_flops
from amla.study.resolve import FINAL, SEARCH
from amla.study.search import REHEARSAL
from amla.study.study import FixedSettings, NacSettings, RandomSettings, Study
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Trial

PLAIN_SECONDS = 10.0  # between the lines of one trial


class Pace:
    """How much of a study is done, and how long the rest will take, by counted operations and measured time."""

    def __init__(self, study: Study) -> None:
        self._batch, self._limit = study.recipe.batch, study.limit.seconds
        self._expected: Mapping[str, float] = {}
        self._before = self._now = self._spent = self._running = 0.0
        self._began = monotonic()

    def expect(self, flops: Mapping[str, float]) -> None:
        """Take in what phases are expected to take, or more exactly than before."""
        self._expected = {**self._expected, **flops}

    def resume(self, history: History) -> None:
        """Count what was done before this process as done."""
        done = sum(t.measurement.cost.flops for t in history.done if t.measurement.cost)
        self._before += done
        self._spent += history.seconds

    def ask(self, trial: Trial) -> None:
        """Take in that a trial begins."""
        self._running = float(training_flops(costs(trial.proposal.architecture).macs, self._batch))

    def progress(self, progress: Progress) -> "tuple[float, float | None]":
        """Return the share of the study that is done, and the seconds left if that can be said."""
        if self._limit:
            spent = self._spent + progress.seconds
            return min(1.0, spent / self._limit), max(0.0, self._limit - spent)
        done = self._now + self._running * progress.step
        left = max(0.0, sum(self._expected.values()) - self._before - done)
        elapsed = monotonic() - self._began
        share = (self._before + done) / max(self._before + done + left, 1.0)
        return share, (left / done * elapsed if done else None)

    def tell(self, trial: Trial) -> None:
        """Take in that a trial is over."""
        self._spent += trial.outcome.seconds if trial.outcome else 0.0
        if isinstance(trial.outcome, Measurement) and trial.outcome.cost:
            self._now += trial.outcome.cost.flops


class PlainListener:
    """Prints a line for each trial, and one now and then while it trains."""

    def __init__(self, console: Console, study: Study) -> None:
        self._console, self._study, self._pace = console, study, Pace(study)
        self._printed = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def expects(self, flops: Mapping[str, float]) -> None:
        """Hear what the phases will take."""
        self._pace.expect(flops)

    def begins(self, phase: str, history: History) -> None:
        """Hear that a phase begins, or goes on."""
        self._pace.resume(history)
        if len(history):
            self._console.print(f"going on with {_phase(phase)} after {len(history.finished)} finished trials")

    def asked(self, phase: str, trial: Trial) -> None:
        """Hear that a trial begins."""
        self._pace.ask(trial)
        self._printed = monotonic()

    def progress(self, phase: str, progress: Progress) -> None:
        """Print a line if the last one is some time ago."""
        if monotonic() - self._printed >= PLAIN_SECONDS:
            self._printed = monotonic()
            self._console.print(f"  {status(self._study, phase, progress)}{_eta(self._pace.progress(progress)[1])}")

    def told(self, phase: str, trial: Trial) -> None:
        """Print how the trial went."""
        self._pace.tell(trial)
        self._console.print(outcome(self._study, phase, trial))


class LiveListener:
    """Shows one line that moves, and above it a line for each trial that is over."""

    def __init__(self, console: Console, study: Study) -> None:
        self._study, self._pace = study, Pace(study)
        columns = (BarColumn(bar_width=24), TaskProgressColumn(), TextColumn("{task.description}"))
        self._bar = Bar(*columns, console=console, transient=True)
        self._task = self._bar.add_task("starting", total=1.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def expects(self, flops: Mapping[str, float]) -> None:
        """Hear what the phases will take."""
        self._pace.expect(flops)

    def begins(self, phase: str, history: History) -> None:
        """Hear that a phase begins, or goes on."""
        self._pace.resume(history)
        if len(history):
            self._bar.console.print(f"going on with {_phase(phase)} after {len(history.finished)} finished trials")
        self._bar.update(self._task, description=_phase(phase))

    def asked(self, phase: str, trial: Trial) -> None:
        """Hear that a trial begins."""
        self._pace.ask(trial)

    def progress(self, phase: str, progress: Progress) -> None:
        """Move the line."""
        share, left = self._pace.progress(progress)
        text = f"{status(self._study, phase, progress)}{_eta(left)}"
        self._bar.update(self._task, completed=share, description=text)

    def told(self, phase: str, trial: Trial) -> None:
        """Print how the trial went."""
        self._pace.tell(trial)
        self._bar.console.print(outcome(self._study, phase, trial))


def status(study: Study, phase: str, progress: Progress) -> str:
    """Return one line about a trial that trains."""
    return (
        f"{_which(study, phase, progress.trial)}  step {progress.step}/{progress.budget}  "
        f"loss {progress.loss:.3f}  accuracy {percent(progress.accuracy)}"
    )


def outcome(study: Study, phase: str, trial: Trial) -> str:
    """Return one line about a trial that is over."""
    which = _which(study, phase, trial.id)
    match trial.outcome:
        case Failure(reason=reason, message=message):
            return f"[red]{which} failed ({reason})[/red]: {message}"
        case Measurement(metrics=metrics, seconds=seconds):
            costs_text = f"{count(metrics['parameters'])} parameters, {count(metrics['macs'])} MACs"
            score = f", {_part(phase, trial)} accuracy {percent(metrics['accuracy'])}" if "accuracy" in metrics else ""
            return f"{which}: {costs_text}{score}, {duration(seconds)}"
        case _:
            return which


def _which(study: Study, phase: str, trial_id: int) -> str:
    """Return what a trial is called: "construction 2 of 5"."""
    if phase == REHEARSAL:
        return "rehearsal"
    if phase == FINAL:
        return f"final training, leg {trial_id + 1}" if study.final.steps is None else "final training"
    match study.algorithm:
        case NacSettings(iterations=iterations):
            return f"construction {trial_id} of {iterations}"
        case RandomSettings(trials=trials):
            return f"random network {trial_id + 1} of {trials}"
        case FixedSettings(architectures=files):
            return f"network {trial_id + 1} of {len(files)}"


def _phase(phase: str) -> str:
    return {REHEARSAL: "a rehearsal", SEARCH: "the search", FINAL: "the final training"}[phase]


def _part(phase: str, trial: Trial) -> str:
    return "test" if phase == FINAL and not trial.proposal.budget else "validation"


def _eta(left: float | None) -> str:
    return "" if left is None else f"  ETA {duration(left)}"
