"""An executor that sees to the weights a trial starts from: those that are torn, altered or gone are trained again.

The record says of every trial what was trained, so its weights can be had once more. Such a leg is not a trial of its
own: nothing is written down of it, and where training repeats exactly, the weights are the same bit for bit.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from amla.storage.errors import DamagedFile
from amla.storage.files import Files
from amla.study.run import Executor
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Trial, TrialId


@dataclass
class Mending:
    """Runs trials on another executor; before those whose start is not as it was left, it runs the legs that left it.

    `known` returns the history of the phase. `mends` is told which trial is trained again, and why.
    """

    executor: Executor
    phase: str
    files: Files
    known: Callable[[], History]
    mends: Callable[[TrialId, str], None]
    _after: dict[TrialId, list[Trial]] = field(default_factory=dict)  # what waits for a leg that runs again
    _gone: set[TrialId] = field(default_factory=set)  # of these legs, those whose weights had been deleted

    @property
    def idle(self) -> int:
        """How many more trials it can take now."""
        return self.executor.idle - sum(map(len, self._after.values())) + len(self._after)

    def submit(self, trial: Trial) -> None:
        """Take a trial, and before it the legs whose weights it lacks."""
        start = trial.proposal.start
        if start in self._after:
            self._after[start].append(trial)
        elif start is None or (why := self._why_unusable(start)) is None:
            self.executor.submit(trial)
        else:
            self.mends(start, why)
            self._after[start] = [trial]
            self.submit(Trial(start, self.known()[start].proposal))

    def wait(self) -> Iterable[tuple[TrialId, Outcome]]:
        """Block until a submitted trial is over, and return those that are.

        Raises DamagedFile if a leg that ran again failed this time, so that what starts from it cannot be trained.
        """
        over: list[tuple[TrialId, Outcome]] = []
        while not over and (answers := list(self.executor.wait())):
            over = [answer for answer in answers if not self._goes_on(*answer)]
        return over

    def sound(self, trial_id: TrialId | None) -> None:
        """Have the weights of a trial, if it was to leave any, as it left them. Only while nothing runs."""
        if trial_id is None or (why := self._why_unusable(trial_id)) is None:
            return
        self.mends(trial_id, why)
        self._after[trial_id] = []
        self.submit(Trial(trial_id, self.known()[trial_id].proposal))
        while trial_id in self._after:
            for answer in self.executor.wait():
                self._goes_on(*answer)

    def _goes_on(self, trial_id: TrialId, outcome: Outcome) -> bool:
        """Return whether an answer is of a leg that ran again; then run what has waited for it."""
        if trial_id not in self._after:
            return False
        if isinstance(outcome, Failure):
            raise DamagedFile(
                f"The weights that trial {trial_id} of the {self.phase} left cannot be used. It was trained again, and "
                f"failed ({outcome.reason}): {outcome.message} Start the same command again to try once more."
            )
        start = self.known()[trial_id].proposal.start
        if start in self._gone:
            self._gone.remove(start)
            self.files.drop(self._key(start))
        for trial in self._after.pop(trial_id):
            self.executor.submit(trial)
        return True

    def _why_unusable(self, trial_id: TrialId) -> str | None:
        """Return why no trial can start from the weights that this one left; None if one can, or it left none."""
        trial = self.known()[trial_id]
        if not isinstance(trial.outcome, Measurement) or not trial.proposal.keep:
            return None
        try:
            found = self.files.load(self._key(trial_id))
        except FileNotFoundError:
            self._gone.add(trial_id)
            return f"'{self._key(trial_id)}' is gone."
        except DamagedFile as error:
            return str(error)
        steps = trial.outcome.metrics.get("steps", found.steps)
        if found.architecture != trial.proposal.architecture or found.steps != steps:
            return f"'{self._key(trial_id)}' has the weights of another trial."
        return None

    def _key(self, trial_id: TrialId) -> str:
        return f"{self.phase}/{trial_id}"
