"""The executor that runs trials in this process, one after another."""

from amla.execution.work import Evaluate, attempt
from amla.trials.progress import Report, silent
from amla.trials.trial import Outcome, Trial, TrialId


class InlineExecutor:
    """Runs a trial when it is waited for. A trial that kills the process kills the study; nothing bounds its time."""

    def __init__(self, evaluate: Evaluate, report: Report = silent) -> None:
        self._evaluate, self._report = evaluate, report
        self._trial: Trial | None = None

    @property
    def idle(self) -> int:
        """How many more trials it can take now: 1 or 0."""
        return 0 if self._trial else 1

    def submit(self, trial: Trial) -> None:
        """Take a trial. Raises RuntimeError if it has one already."""
        if self._trial:
            raise RuntimeError(
                f"Trial {trial.id} was submitted while {self._trial.id} waits to run; call wait() first."
            )
        self._trial = trial

    def wait(self) -> list[tuple[TrialId, Outcome]]:
        """Run the submitted trial, if there is one, and return its outcome.

        Raises OSError where the machine is at fault; the trial then stays submitted, and the next wait tries again.
        """
        if not self._trial:
            return []
        trial = self._trial
        outcome = attempt(self._evaluate, trial, self._report)
        self._trial = None
        return [(trial.id, outcome)]
