"""A search that is one lineage: legs of one training, each from the weights of the one before."""

from dataclasses import dataclass

from amla.trials.history import History
from amla.trials.trial import Failure, Trial, TrialId

PATIENCE = 3  # failures of other kinds that are tried again
CERTAIN = frozenset({"infeasible", "diverged", "out_of_memory"})  # what would fail again


@dataclass(frozen=True)
class Legs:
    """The legs that are done, oldest first, and whether the next one may be asked for."""

    done: tuple[Trial, ...]
    ready: bool

    @property
    def steps(self) -> int:
        """The steps of all legs."""
        return sum(leg.proposal.budget for leg in self.done)

    @property
    def last(self) -> TrialId | None:
        """The trial that the next leg starts from, or None if there is none yet."""
        return self.done[-1].id if self.done else None


def legs(history: History) -> Legs:
    """Return the lineage of what was done last. The next leg waits for what runs, and never comes after a hopeless one.

    A leg that failed is asked for again unless it would fail again, or too many have.
    """
    failures = [trial.outcome for trial in history.failed if isinstance(trial.outcome, Failure)]
    hopeless = len(failures) > PATIENCE or any(failure.reason in CERTAIN for failure in failures)
    done = history.lineage(history.done[-1])[::-1] if history.done else ()
    return Legs(done, not history.pending and not hopeless)
