"""The law of stores finds those that break it, and says how."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from amla.testing import check_store
from amla.trials.history import History
from amla.trials.trial import Measurement, Outcome, Proposal, TrialId


@dataclass
class Notes:
    """A store in memory, but for what `read` makes of it."""

    read: Callable[[History], History] = lambda history: history
    mixed: bool = False
    lenient: bool = False
    events: dict[str, History] = field(default_factory=dict)

    def history(self, study: str) -> History:
        return self.read(self._written(study))

    def asked(self, study: str, proposal: Proposal) -> None:
        self.events[self._place(study)] = self._written(study).asked(proposal)

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        if not (self.lenient and self._is_over(study, trial_id)):
            self.events[self._place(study)] = self._written(study).told(trial_id, outcome)

    def _written(self, study: str) -> History:
        return self.events.get(self._place(study), History())

    def _place(self, study: str) -> str:
        return "study" if self.mixed else study

    def _is_over(self, study: str, trial_id: TrialId) -> bool:
        return any(trial.id == trial_id for trial in self._written(study).finished)


def without_failures(history: History) -> History:
    found = History()
    for trial in history.trials:
        found = found.asked(trial.proposal)
    for trial in history.done:
        found = found.told(trial.id, trial.measurement)
    return found


def in_order_of_asking(history: History) -> History:
    found = History()
    for trial in history.trials:
        found = found.asked(trial.proposal)
        if trial.outcome is not None:
            found = found.told(trial.id, trial.outcome)
    return found


def with_zero_for_nan(history: History) -> History:
    found = History()
    for trial in history.trials:
        found = found.asked(trial.proposal)
    for trial in history.finished:
        outcome = trial.outcome
        if isinstance(outcome, Measurement) and outcome.metrics["accuracy"] != outcome.metrics["accuracy"]:
            outcome = replace(outcome, metrics={"accuracy": 0.0})
        assert outcome is not None
        found = found.told(trial.id, outcome)
    return found


def test_a_store_in_memory_is_none_of_them():
    store = Notes()
    check_store(lambda: store)


@pytest.mark.parametrize(
    ("store", "broken"),
    [
        (Notes(read=lambda history: History()), "'study.*' reads as"),
        (Notes(read=without_failures), "'study.*' reads as"),
        (Notes(read=in_order_of_asking), "'study.*' reads as"),
        (Notes(mixed=True), "'study.*' reads as"),
        (Notes(lenient=True), "which is over, should raise ValueError"),
        (Notes(read=with_zero_for_nan), "lost or changed the NaN"),
    ],
)
def test_a_store_that_loses_is_found(store: Notes, broken: str):
    with pytest.raises(AssertionError, match=broken):
        check_store(lambda: store)


def test_a_store_that_forgets_when_closed_is_found():
    with pytest.raises(AssertionError, match="opened again after 5 events"):
        check_store(Notes)
