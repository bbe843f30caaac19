"""How a search goes, in lines of text for whoever wants them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from amla.reports.names import metric_name
from amla.reports.numbers import count, duration, metric_reading
from amla.spec.costs import costs
from amla.study.arrangement import Arranged
from amla.study.forecast import Foretold
from amla.study.phases import BASELINES, FINAL, SEARCH, TUNING
from amla.study.timing import Arrangement
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Trial, TrialId

Say = Callable[[str], None]
PHASES = {SEARCH: "searching", BASELINES: "training baselines", TUNING: "tuning the recipe", FINAL: "final training"}


def silence(line: str) -> None:
    """Say nothing."""


def aloud(line: str) -> None:
    """Write a line where notebooks and terminals show what goes on: on stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@dataclass
class Lines:
    """Tells of every trial, in a line of text."""

    say: Say
    metric: str = "accuracy"

    def times(self, arrangements: Sequence[Arrangement]) -> None:
        """Tell that steps are timed."""
        self.say("timing how many workers train most")

    def arranged(self, found: Arranged) -> None:
        """Hear in which arrangements the study trains."""

    def expects(self, foretold: Foretold) -> None:
        """Tell what the study is expected to take, where no limit of time says so."""
        forecast = foretold()
        if SEARCH in forecast.phases and forecast.seconds is not None:
            self.say(str(forecast))

    def begins(self, phase: str, history: History) -> None:
        """Tell that a phase begins."""
        if phase in PHASES:
            self.say(PHASES[phase])

    def asked(self, phase: str, trial: Trial) -> None:
        """Hear that a trial begins."""

    def progress(self, phase: str, progress: Progress) -> None:
        """Hear how far a trial is."""

    def mends(self, phase: str, trial_id: TrialId, why: str) -> None:
        """Tell that a trial is trained again."""
        self.say(f"training trial {trial_id} again: {why}")

    def told(self, phase: str, trial: Trial) -> None:
        """Tell what came of a trial."""
        if phase not in PHASES:
            return
        if isinstance(trial.outcome, Failure):
            self.say(f"trial {trial.id} failed ({trial.outcome.reason}): {trial.outcome.message}")
            return
        found, measured = costs(trial.proposal.architecture), trial.measurement
        reached = measured.metrics.get(self.metric)
        which = f"{'test' if phase == FINAL else 'validation'} {metric_name(self.metric)}"
        scored = "" if reached is None else f", {which} {metric_reading(self.metric, reached, 2)}"
        self.say(
            f"trial {trial.id}: {count(found.parameters)} parameters, {count(found.macs)} MACs, "
            f"{trial.proposal.budget:,} steps in {duration(measured.seconds)}{scored}"
        )
