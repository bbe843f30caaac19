"""Stop when more of the same promises little: what further trials would add is estimated from those there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite

from amla.algorithms.protocol import Algorithm, check_least, reached
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Proposal, Trial

FEWEST = 5  # trials, before it is asked what more of them promise


@dataclass(frozen=True)
class Stopping:
    """Whatever `search` asks for, until another `seconds` of trials promise a gain in `metric` of less than `gain`.

    Seconds are those of trials together, whichever worker had them. See `promised` for what a promise is.
    """

    search: Algorithm
    gain: float
    seconds: float
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_least(self, 0, "gain", "seconds")

    def ask(self, history: History) -> Proposal | None:
        """Return what the search asks for, or None once that is not worth its time."""
        found = history.replayed(
            ("reached", self.metric), _Reached, lambda found, trial: found.hear(trial, self.metric)
        )
        promise = found.promise(self.seconds)
        return self.search.ask(history) if promise is None or promise >= self.gain else None

    def recommend(self, history: History) -> Architecture | None:
        """Return what the search recommends."""
        return self.search.recommend(history)


def promise_of(finished: Iterable[Trial], seconds: float, metric: str = "accuracy") -> float | None:
    """Return what another `seconds` of trials promise after those that are finished; None while that cannot be told."""
    found = _Reached()
    for trial in finished:
        found.hear(trial, metric)
    return found.promise(seconds)


def promised(numbers: Sequence[float], further: int) -> float | None:
    """Return by how much the best of some trials would rise with so many `further` ones; None if that is not known.

    The expected best of n trials rises ever more slowly with n. So m more add less to it than the last m of n have
    added. That is estimated in two ways, of which the larger counts: by what the last m did add, and by what m of the n
    add on average, whichever they are (from the expected best of n - m drawn without repetition, Dodge et al. 2019,
    section 3). The first sees that a search has learned, the second that the last m were unlucky.
    """
    count = len(numbers)
    if further >= count:
        return None
    best = max(numbers)
    return max(best - max(numbers[:-further]), _on_average(sorted(numbers, reverse=True), further))


def _on_average(falling: Sequence[float], without: int) -> float:
    """Return by how much the best falls on average without so many of all."""
    total, share = 0.0, 1.0  # that all of the best so far are among those left out
    for place in range(without):
        share *= (without - place) / (len(falling) - place)
        total += share * (falling[place] - falling[place + 1])
    return total


@dataclass
class _Reached:
    """What finished trials reached, and the seconds that they took, failed ones too."""

    numbers: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def hear(self, trial: Trial, metric: str) -> None:
        """Take in a trial that is over."""
        self.seconds += trial.outcome.seconds if trial.outcome else 0.0
        if isfinite(found := reached(trial, metric)):
            self.numbers.append(found)

    def promise(self, seconds: float) -> float | None:
        """Return what another `seconds` promise; None while that cannot be told."""
        count = len(self.numbers)
        if count < FEWEST or not self.seconds:
            return None
        return promised(self.numbers, max(1, round(seconds * count / self.seconds)))
