"""Tells a person how a search goes: a live display in a terminal, plain lines elsewhere."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from amla.cli.console import say
from amla.cli.lines import arrangement, called, going_on, mending, outcome, status, timing, within
from amla.cli.pace import Pace
from amla.reports.numbers import duration
from amla.study.arrangement import Arranged
from amla.study.forecast import Foretold
from amla.study.phases import SEARCH
from amla.study.study import Study
from amla.study.timing import Arrangement
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Trial, TrialId

PLAIN_SECONDS = 10.0  # between the lines of one trial
BAR = 24  # characters


class _Foretelling:
    """Prints what is known of a study before it trains."""

    def __init__(self, console: Console, study: Study, examples: int) -> None:
        self._console, self._study, self._pace = console, study, Pace(study, examples)

    def times(self, arrangements: Sequence[Arrangement]) -> None:
        """Print what is going to be timed."""
        say(self._console, timing(arrangements))

    def arranged(self, found: Arranged) -> None:
        """Print in which arrangements the study trains, if they were chosen by figures, and within which limit."""
        self._pace.arrange(found)
        if found.timings:
            say(self._console, arrangement(found))
        if limited := within(self._study):
            say(self._console, limited)

    def expects(self, foretold: Foretold) -> None:
        """Hear what phases will take; print what all will, where no limit of seconds says so."""
        forecast = foretold()
        self._pace.expect(forecast)
        if SEARCH in forecast.phases and within(self._study) is None:
            say(self._console, str(forecast))


class PlainListener(_Foretelling):
    """Prints a line for each trial, and one now and then while it trains."""

    def __init__(self, console: Console, study: Study, examples: int, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(console, study, examples)
        self._clock = clock
        self._printed: dict[TrialId, float] = {}
        self._failed, self._begun = 0, set[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def begins(self, phase: str, history: History) -> None:
        """Print that a phase goes on, if it had begun before this."""
        self._pace.begin(phase, history)
        self._failed = len(history.failed)
        if len(history) and phase not in self._begun:  # a rehearsal has two parts
            say(self._console, going_on(phase, history))
        self._begun.add(phase)

    def asked(self, phase: str, trial: Trial) -> None:
        """Hear that a trial begins."""
        self._pace.ask(trial)
        self._printed[trial.id] = self._clock()

    def progress(self, phase: str, progress: Progress) -> None:
        """Print a line if the last one about this trial is some time ago."""
        self._pace.hear(progress)
        if self._clock() - self._printed[progress.trial] >= PLAIN_SECONDS:
            self._printed[progress.trial] = self._clock()
            say(self._console, f"  {status(self._study, phase, progress, self._failed)}{_eta(self._pace)}")

    def mends(self, phase: str, trial_id: TrialId, why: str) -> None:
        """Print which trial is trained again, and why."""
        say(self._console, mending(phase, trial_id, why))

    def told(self, phase: str, trial: Trial) -> None:
        """Print how the trial went."""
        self._pace.tell(trial)
        self._printed.pop(trial.id, None)
        say(self._console, outcome(self._study, phase, trial, self._failed))
        self._failed += isinstance(trial.outcome, Failure)


class LiveListener(_Foretelling):
    """Shows a bar and a line for each trial that runs, which move, and above them a line for each that is over."""

    def __init__(self, console: Console, study: Study, examples: int) -> None:
        super().__init__(console, study, examples)
        self._running: dict[TrialId, str] = {}
        self._failed, self._begun = 0, set[str]()
        self._live = Live(self._shown(), console=console, transient=True, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def begins(self, phase: str, history: History) -> None:
        """Print that a phase goes on, if it had begun before this."""
        self._pace.begin(phase, history)
        self._running, self._failed = {}, len(history.failed)
        if len(history) and phase not in self._begun:  # a rehearsal has two parts
            say(self._console, going_on(phase, history))
        self._begun.add(phase)

    def asked(self, phase: str, trial: Trial) -> None:
        """Show that a trial begins."""
        self._pace.ask(trial)
        self._running[trial.id] = f"{called(self._study, phase, trial.id, self._failed)} begins"
        self._live.update(self._shown())

    def progress(self, phase: str, progress: Progress) -> None:
        """Move the bar, and the trial's line."""
        self._pace.hear(progress)
        self._running[progress.trial] = status(self._study, phase, progress, self._failed)
        self._live.update(self._shown())

    def mends(self, phase: str, trial_id: TrialId, why: str) -> None:
        """Print which trial is trained again, and why."""
        say(self._console, mending(phase, trial_id, why))

    def told(self, phase: str, trial: Trial) -> None:
        """Print how the trial went."""
        self._pace.tell(trial)
        del self._running[trial.id]
        say(self._console, outcome(self._study, phase, trial, self._failed))
        self._failed += isinstance(trial.outcome, Failure)
        self._live.update(self._shown())

    def _shown(self) -> Group:
        """Return what is shown until the next event; the thread that refreshes the display changes nothing."""
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(1.0, self._pace.share, BAR), f"{self._pace.share:4.0%}{_eta(self._pace)}")
        return Group(bar, *(Text(line, no_wrap=True, overflow="ellipsis") for line in self._running.values()))


def _eta(pace: Pace) -> str:
    return "" if pace.left is None else f"  ETA {duration(pace.left)}"
