"""The store that keeps histories in memory: for searches that take less time than writing them down would."""

from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal, TrialId


class Memory:
    """A Store without files. What it holds is gone with the process."""

    def __init__(self) -> None:
        self._histories: dict[str, History] = {}

    def history(self, study: str) -> History:
        """Return what has been appended to a study; an empty history if nothing has."""
        return self._histories.get(study, History())

    def asked(self, study: str, proposal: Proposal) -> None:
        """Append a proposal."""
        self._histories[study] = self.history(study).asked(proposal)

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        """Append the outcome of a running trial. Raises ValueError for any other trial."""
        self._histories[study] = self.history(study).told(trial_id, outcome)
