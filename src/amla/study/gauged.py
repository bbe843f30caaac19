"""An executor that measures the latency of a network before it is trained: one that is too slow is not trained.

What it refuses is answered "infeasible", as what cannot be built is, so the algorithm asks for another. What is trained
has its latency among its metrics: the record holds it, and whatever reads the record later measures nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from time import monotonic

from amla.backends.latency import Latency
from amla.reports.costs import LATENCY
from amla.reports.numbers import milliseconds
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.spec.values import SpecError
from amla.study.latency import Meter
from amla.study.run import Executor
from amla.study.study import StudyError
from amla.trials.history import History
from amla.trials.trial import Failure, Fit, Measurement, Outcome, Trial, TrialId

SPREAD = "latency_spread"  # a metric as LATENCY, the median, is: seconds between the quartiles
TRIES = 50  # networks in a row that are too slow, after which the search gives up


@dataclass
class Gauged:
    """Runs trials on another executor if their networks take `at_most` seconds (None: any) by `meter`.

    `submit` raises StudyError after fifty networks in a row that are too slow, and where latency cannot be measured.
    """

    executor: Executor
    meter: Meter
    at_most: float | None
    _found: dict[TrialId, tuple[Latency, float]] = field(default_factory=dict)
    _refused: list[tuple[TrialId, Outcome]] = field(default_factory=list)
    _in_a_row: int = 0

    @property
    def idle(self) -> int:
        """How many more trials it can take now; one that it has refused has its place until that is told."""
        return self.executor.idle - len(self._refused)

    def submit(self, trial: Trial) -> None:
        """Take a trial, and have it trained unless its network is too slow."""
        network = trial.proposal.architecture
        if network.is_open or not isinstance(trial.proposal.method, Fit):
            self.executor.submit(trial)
            return
        began = monotonic()
        try:
            found = self.meter(network)
        except SpecError:  # it cannot be built: training says why
            self.executor.submit(trial)
            return
        if self.at_most is None or found.median <= self.at_most:
            self._in_a_row = 0
            self._found[trial.id] = found, monotonic() - began
            self.executor.submit(trial)
            return
        self._in_a_row += 1
        if self._in_a_row >= TRIES:
            raise StudyError(
                f"{TRIES} networks in a row took more than {milliseconds(self.at_most)}, though an estimate let them "
                "pass; the last one "
                f"{told(found)}. Allow more, delete the run folder and have more of the space measured "
                "(--set latency.networks=100), or measure on a machine with nothing else to do."
            )
        close = "; by its spread it may be within" if found.is_close_to(self.at_most) else ""
        why = f"its latency is {told(found)}, and {milliseconds(self.at_most)} are allowed{close}"
        self._refused.append((trial.id, Failure("infeasible", why, monotonic() - began)))

    def wait(self) -> Iterable[tuple[TrialId, Outcome]]:
        """Block until a submitted trial is over, and return those that are, with the latencies of their networks."""
        if self._refused:
            refused, self._refused = self._refused, []
            return refused
        return [(trial_id, self._with_latency(trial_id, outcome)) for trial_id, outcome in self.executor.wait()]

    def _with_latency(self, trial_id: TrialId, outcome: Outcome) -> Outcome:
        found = self._found.pop(trial_id, None)
        if found is None or not isinstance(outcome, Measurement):
            return outcome
        latency, seconds = found
        metrics = {**outcome.metrics, LATENCY: latency.median, SPREAD: latency.spread}
        return replace(outcome, metrics=metrics, seconds=outcome.seconds + seconds)


def recorded(history: History) -> dict[str, Latency]:
    """Return the latencies that a history holds, by the digest of the network."""
    found = {}
    for trial in history.done:
        metrics = trial.measurement.metrics
        if LATENCY in metrics:
            median, half = metrics[LATENCY], metrics.get(SPREAD, 0.0) / 2
            found[digest(trial.proposal.architecture)] = Latency(median, median - half, median + half, 0, "recorded")
    return found


def in_time(
    at_most: float,
    meter: Meter,
    winner: Architecture,
    narrow: Architecture,
    notice: Callable[[str], None],
) -> Architecture:
    """Return the network to train to the end: `winner`, or where it was made wider and is too slow, the `narrow` one.

    Raises StudyError where that takes more than `at_most` seconds too; `notice` is told where it is close to that.
    """
    found = meter(winner)
    if found.median > at_most:
        if (found := meter(narrow)).median > at_most:
            raise StudyError(
                f"The network to be trained to the end has a latency of {told(found)}, and {milliseconds(at_most)} "
                "are allowed; take another algorithm or space."
            )
        winner = narrow
    if found.is_close_to(at_most):
        notice(
            f"The latency of the network is {told(found)}: that spreads by more than what is left to "
            f"{milliseconds(at_most)}, so another measurement may be beyond."
        )
    return winner


def told(latency: Latency) -> str:
    """Return a latency in words."""
    return f"{milliseconds(latency.median)} (quartiles {milliseconds(latency.low)} to {milliseconds(latency.high)})"
