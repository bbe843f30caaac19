"""A search that ends once it has used up a budget."""

from dataclasses import dataclass

from amla.algorithms.protocol import Algorithm, has_asked
from amla.spec.architecture import Architecture
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal, Trial


@dataclass(frozen=True, eq=False)
class Budgeted:
    """Whatever `search` asks for, while that is within the budget; None is without limit.

    `trials` and `steps` count what has been asked for, so both are never exceeded; of the trials, those count that were
    not refused as infeasible (`amla.algorithms.protocol.has_asked`). `flops` and `seconds` are those of
    finished trials, as they report them: the trials that run then go on to their end.
    """

    search: Algorithm
    trials: int | None = None
    steps: int | None = None
    flops: float | None = None
    seconds: float | None = None

    def ask(self, history: History) -> Proposal | None:
        """Return what the search asks for, or None once there is no budget for it."""
        if self._is_used_up(history) or (asked := self.search.ask(history)) is None:
            return None
        if self.steps is not None and self._spent(history).steps + _running(history) + asked.budget > self.steps:
            return None
        return asked

    def recommend(self, history: History) -> Architecture | None:
        """Return what the search recommends."""
        return self.search.recommend(history)

    def _is_used_up(self, history: History) -> bool:
        return (
            (self.trials is not None and has_asked(history, self.trials))
            or (self.seconds is not None and history.seconds >= self.seconds)
            or (self.flops is not None and self._spent(history).flops >= self.flops)
        )

    def _spent(self, history: History) -> "_Spent":
        return history.replayed(self, _Spent, _Spent.hear)


@dataclass
class _Spent:
    """What finished trials took."""

    steps: int = 0
    flops: float = 0.0

    def hear(self, trial: Trial) -> None:
        self.steps += trial.proposal.budget
        if isinstance(trial.outcome, Measurement) and trial.outcome.cost:
            self.flops += trial.outcome.cost.flops


def _running(history: History) -> int:
    return sum(trial.proposal.budget for trial in history.running)
