"""How much of a study is done, and how long the rest will take: by counted operations and the seconds of trials.

Where steps were timed beforehand, work is counted in the seconds that this foretells; else in operations alone, which
take longer in thin networks than in wide ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from amla.spec.architecture import Architecture
from amla.spec.costs import costs, training_flops
from amla.spec.supernet import supernet
from amla.study.arrangement import Arranged
from amla.study.forecast import Forecast
from amla.study.phases import ALONE, FINAL, SEARCH, TIMING, TUNING
from amla.study.study import Study
from amla.study.tempo import Tempo
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Measurement, Trial, TrialId


@dataclass
class _Leg:
    """A trial that runs: its network, how many examples a step of it has, and the last line that was heard of it."""

    network: Architecture
    batch: int
    lines: int = 0
    step: int = 0
    seconds: float = 0.0

    @cached_property
    def flops(self) -> float:
        """The operations of one of its steps. To count them takes longer than some trials do, so not unless asked."""
        return training_flops(costs(supernet(self.network)).macs, self.batch)


class Pace:
    """Follows a study, told of all that happens in it. `examples` is how many there are to train on."""

    def __init__(self, study: Study, examples: int) -> None:
        self._study, self._examples = study, examples
        self._phase, self._searching = SEARCH, 1  # and how many trials of the search run at once
        self._tempo: Tempo | None = None
        self._foretold: dict[str, float] = {}  # seconds, by phase, as far as they are
        self._expected: dict[str, float] = {}  # work, by phase
        self._done: dict[str, float] = {}  # work of trials that are over, by phase
        self._spent: dict[str, float] = {}  # seconds of trials that are over, by phase
        self._legs: dict[TrialId, _Leg] = {}
        self._work = self._worked = 0.0  # what was heard of, and the seconds it took

    def arrange(self, found: Arranged) -> None:
        """Take in how many trials of the search run at once, and what finding that out took."""
        self._searching, self._spent[TIMING] = found.search.workers, found.seconds

    def expect(self, forecast: Forecast) -> None:
        """Take in what phases are expected to take, or more exactly than before."""
        self._tempo = forecast.tempo
        for phase, expected in forecast.phases.items():
            self._expected[phase] = self._amount(expected.flops, expected.steps)
            self._foretold[phase] = expected.seconds or 0.0

    def begin(self, phase: str, history: History) -> None:
        """Take in that a phase begins or goes on; the one before it is over, whatever was expected of it."""
        if phase != self._phase:
            self._expected[self._phase] = self._done.get(self._phase, 0.0)
        self._phase, self._legs = phase, {}
        self._done[phase] = sum(
            self._amount(t.measurement.cost.flops, t.proposal.budget) for t in history.done if t.measurement.cost
        )
        self._spent[phase] = history.seconds

    def ask(self, trial: Trial) -> None:
        """Take in that a trial begins."""
        self._legs[trial.id] = _Leg(trial.proposal.architecture, self._batch())

    def hear(self, progress: Progress) -> None:
        """Take in how far a trial is. What came before its first line does not show how fast it trains."""
        leg = self._legs[progress.trial]
        if leg.lines and progress.step > leg.step:  # a trial that another worker took over begins again
            self._work += self._amount((progress.step - leg.step) * leg.flops, progress.step - leg.step)
            self._worked += progress.seconds - leg.seconds
        leg.lines, leg.step, leg.seconds = leg.lines + 1, progress.step, progress.seconds

    def tell(self, trial: Trial) -> None:
        """Take in that a trial is over."""
        leg, outcome = self._legs.pop(trial.id), trial.outcome
        self._spent[self._phase] += outcome.seconds if outcome else 0.0
        if isinstance(outcome, Measurement) and outcome.cost:
            done = self._amount(outcome.cost.flops, trial.proposal.budget)
            self._done[self._phase] += done
            self._work += done if leg.lines < 2 else 0.0
            self._worked += max(0.0, outcome.seconds - (leg.seconds if leg.lines > 1 else 0.0))

    @property
    def share(self) -> float:
        """The share of the study that is done, 0 to 1."""
        if limit := self._seconds():
            return min(1.0, self._elapsed() / limit)
        done = sum(self._done.values()) + self._running
        return done / max(done + sum(self._left().values()), 1e-9)

    @property
    def left(self) -> float | None:
        """The seconds until the study is over, 0 or more; None before that can be said."""
        if limit := self._seconds():
            return max(0.0, limit - self._elapsed())
        left = self._left()
        if not self._work:
            return self._begun(left) if self._tempo else None
        return sum(work / self._workers(phase) for phase, work in left.items()) * self._worked / self._work

    def _begun(self, left: Mapping[str, float]) -> float:
        """Return the seconds that are foretold of what is left, before any of it was heard of."""
        wholes = {phase: max(self._expected[phase], 1e-9) for phase in self._foretold}
        return sum(seconds * left[phase] / wholes[phase] for phase, seconds in self._foretold.items())

    def _amount(self, flops: float, steps: float) -> float:
        """Return how much work so many steps are that have so many operations together."""
        return self._tempo.seconds(flops, steps) if self._tempo else flops

    @property
    def _running(self) -> float:
        """The work of trials that run, as far as was heard."""
        return sum(self._amount(leg.step * leg.flops, leg.step) for leg in self._legs.values() if leg.step)

    def _seconds(self) -> float | None:
        """Return the seconds that the study is planned to take, if it is."""
        return self._study.limit.seconds if self._study.final.steps is None else None

    def _elapsed(self) -> float:
        running = sum(leg.seconds for leg in self._legs.values()) / self._workers(self._phase)
        return sum(seconds / self._workers(phase) for phase, seconds in self._spent.items()) + running

    def _left(self) -> dict[str, float]:
        """Return the work that is left, by phase."""
        left = {phase: work - self._done.get(phase, 0.0) for phase, work in self._expected.items()}
        left[self._phase] = left.get(self._phase, 0.0) - self._running
        return {phase: max(0.0, work) for phase, work in left.items()}

    def _workers(self, phase: str) -> int:
        return 1 if phase in ALONE else self._searching

    def _batch(self) -> int:
        recipe = self._study.final_recipe if self._phase in (TUNING, FINAL) else self._study.recipe
        return min(recipe.batch, self._examples)
