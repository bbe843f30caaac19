"""The whole system in one loop: ask, run, tell, until nothing more is asked and nothing runs."""

from collections.abc import Iterable
from typing import Literal, Protocol

from amla.algorithms.protocol import Algorithm
from amla.spec.values import value
from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal, Trial, TrialId


class Executor(Protocol):
    """Where trials run. Every submitted trial is answered exactly once, whatever dies."""

    @property
    def idle(self) -> int:
        """How many more trials it can take now."""

    def submit(self, trial: Trial) -> None:
        """Take a trial. Call only while `idle`."""

    def wait(self) -> Iterable[tuple[TrialId, Outcome]]:
        """Block until at least one submitted trial is over; yield those that are."""


class Store(Protocol):
    """Where asks and tells are written down, in order. What it has returned from is durable."""

    def history(self, study: str) -> History:
        """Return what has been written of `study`; an empty history if nothing has."""

    def asked(self, study: str, proposal: Proposal) -> None:
        """Append a proposal; its trial's id is the number of proposals before it."""

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        """Append the outcome of a running trial."""


@value
class Limit:
    """What a study may use up before it asks for nothing more; None is without limit.

    `seconds` go by the wall or, where others use the machine too, by CPU time: the `clock` "cpu" counts what the trials
    would have taken on as many idle cores as there are. `steps` are those of all legs together, and `flops` the
    floating-point operations of their training, as counted: what comparisons are fair by. `search` is the share for the
    search where the limit is of a whole run, whose final training has the rest.
    """

    trials: int | None = None
    seconds: float | None = None
    clock: Literal["wall", "cpu"] = "wall"
    steps: int | None = None
    flops: float | None = None
    search: float = 0.25

    @property
    def is_empty(self) -> bool:
        """Whether it limits nothing."""
        return all(part is None for part in (self.trials, self.seconds, self.steps, self.flops))

    def reached(self, history: History) -> bool:
        """Return whether `history` has used the limit up, by what its finished trials took together."""
        if self.trials is not None and len(history) >= self.trials:
            return True
        used = ((self.seconds, history.seconds), (self.steps, history.steps), (self.flops, history.flops))
        return any(limit is not None and spent >= limit for limit, spent in used)


def run(name: str, algorithm: Algorithm, executor: Executor, store: Store, limit: Limit) -> History:
    """Run the study `name` to its end, from wherever the store says it was cut off, and return its history."""
    history = store.history(name)
    for trial in history.running:  # left over from a run that was cut off
        while not executor.idle:
            history = _tell(name, executor, store, history)
        executor.submit(trial)
    while True:
        while executor.idle and not limit.reached(history) and (proposal := algorithm.ask(history)):
            store.asked(name, proposal)
            history = history.asked(proposal)
            executor.submit(history.trials[-1])
        if not history.pending:
            return history
        history = _tell(name, executor, store, history)


def _tell(name: str, executor: Executor, store: Store, history: History) -> History:
    for trial_id, outcome in executor.wait():
        store.told(name, trial_id, outcome)
        history = history.told(trial_id, outcome)
    return history
