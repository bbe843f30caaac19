"""The executor of workers that are only imagined: trials finish in the order in which their seconds would have them.

For evaluators that know at once what a trial comes to and how long it would take, such as tables. So a search by many
asynchronous workers over days is replayed exactly, in the time that asking and looking up takes.
"""

from collections.abc import Sequence
from heapq import heappop, heappush

from amla.execution.work import Evaluate, attempt
from amla.trials.history import History
from amla.trials.progress import Report, silent
from amla.trials.trial import Outcome, Trial, TrialId


class SimulatedExecutor:
    """Runs trials on `workers` imagined workers: each takes the seconds that its outcome says.

    `clock` is the simulated time in seconds, 0 at the beginning; `wait` sets it to the end of the next trial. Trials
    that end at one time are answered one by one, in the order in which they began.

    To go on with a study that was cut off, give it the `history` so far: trials that were running go on where they
    were, if the algorithm never let a worker wait while it had something to ask.
    """

    def __init__(
        self, evaluate: Evaluate, workers: int = 1, report: Report = silent, history: History | None = None
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}; it must be 1 or more.")
        self._evaluate, self._workers, self._report = evaluate, workers, report
        self._running: list[tuple[float, TrialId, Outcome]] = []  # a heap: by the end, then by the beginning
        self._begun, self.clock = begun(history or History(), workers)

    @property
    def idle(self) -> int:
        """How many more trials it can take now."""
        return self._workers - len(self._running)

    def submit(self, trial: Trial) -> None:
        """Take a trial. Raises RuntimeError if all workers are busy."""
        if not self.idle:
            raise RuntimeError(f"Trial {trial.id} was submitted while {self._workers} run already; call wait() first.")
        outcome = attempt(self._evaluate, trial, self._report)
        end = max(self._begun.pop(trial.id, self.clock) + outcome.seconds, self.clock)
        heappush(self._running, (end, trial.id, outcome))

    def wait(self) -> Sequence[tuple[TrialId, Outcome]]:
        """Return the trial that ends next, nothing if none runs; it is then as late as that."""
        if not self._running:
            return ()
        self.clock, trial_id, outcome = heappop(self._running)
        return ((trial_id, outcome),)


def begun(history: History, workers: int) -> tuple[dict[TrialId, float], float]:
    """Return when each running trial of a simulated history began, and what time it is.

    Trial n began, counted from 0, when n - `workers` + 1 of the others had ended, at time 0 if none had to.
    """
    now, starts = 0.0, list[float]()
    for ended, trial in enumerate(history.finished):
        starts += [now] * (max(min(ended + workers, len(history)), trial.id + 1) - len(starts))
        now = max(now, starts[trial.id] + (trial.outcome.seconds if trial.outcome else 0.0))
    starts += [now] * (len(history) - len(starts))
    return {trial.id: starts[trial.id] for trial in history.running}, now
