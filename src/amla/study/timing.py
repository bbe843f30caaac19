"""How many steps a second a machine trains with so many trials at once, of so many threads each: really trained.

Workers share the memory's bandwidth and the processor's heat, so w of them are timed while w train. What counts is the
time in which all do: it begins with the last one's first line, and ends with the first one's last.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from time import monotonic

import numpy as np

from amla.execution.work import WorkerError
from amla.spec.values import value
from amla.study.run import Executor
from amla.trials.progress import Progress, Report
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId

LEAST = 3  # arrangements that are timed in any case: the widest, the most parallel, and another
SECONDS = 1.0  # for which all workers are watched while they train at once
PATIENCE = 10  # times as long a busy machine is given for it, if a little was seen
STEPS, ROUNDS = 20, 4  # of the first round; and how often it is tried to see all train at once


@value
class Arrangement:
    """So many trials at once, each with so many threads."""

    workers: int
    threads: int


@value
class Timing:
    """The steps a second of all workers of an arrangement together, None if they were not seen.

    `starting` is what starting the workers, and ending them, took in seconds.
    """

    arrangement: Arrangement
    steps: float | None
    starting: float = 0.0


Opened = Callable[[Arrangement, Report], AbstractContextManager[Executor]]  # what runs trials in an arrangement


def timed(
    arrangements: Sequence[Arrangement],
    usual: Sequence[Arrangement],
    proposal: Proposal,
    opened: Opened,
    allowed: float,
) -> tuple[tuple[Timing, ...], float]:
    """Time a proposal's steps in three arrangements at least, in more while `allowed` seconds last, and count them.

    On anything but a CPU threads matter little, and workers would have to share its memory: there, only the usual
    arrangements are timed.
    """
    began, device, timings = monotonic(), "cpu", list[Timing]()
    for arrangement in arrangements:
        if len(timings) >= LEAST and monotonic() - began >= allowed:
            break
        steps, starting = None, 0.0
        if device == "cpu" or arrangement in usual:
            opening = monotonic()
            with suppress(WorkerError):  # that so many cannot be started here is an answer too
                steps, device, took = _steps_a_second(arrangement, proposal, opened, min(SECONDS, allowed / 10))
                starting = max(0.0, monotonic() - opening - took)
        timings.append(Timing(arrangement, steps, starting))
    return tuple(timings), monotonic() - began


def _steps_a_second(
    arrangement: Arrangement, proposal: Proposal, opened: Opened, seconds: float
) -> tuple[float | None, str, float]:
    """Return how many steps the workers train together, seen for `seconds` if they can be; the device; what it took.

    Workers begin as soon as they have started, and the first may be done by then: so there are several rounds.
    """
    seen, budget, device, took = _Seen(), STEPS, "cpu", 0.0
    span, rate = 0.0, 0.0  # for how long all were seen at once, at most, and how fast they were
    with opened(arrangement, seen) as executor:
        for turn in range(ROUNDS):
            seen.lines.clear()
            outcomes = _run(executor, replace(proposal, budget=budget), turn, arrangement.workers)
            took += max(outcome.seconds for outcome in outcomes)
            if any(isinstance(outcome, Failure) for outcome in outcomes):
                return None, device, took
            device = next((o.cost.device for o in outcomes if isinstance(o, Measurement) and o.cost), device)
            span, rate = max((span, rate), seen.together())
            if span >= seconds or (rate and took >= PATIENCE * seconds):
                break
            budget = STEPS + 10 * round(seen.pace * 1.3 * seconds / 10)
    return rate or None, device, took


def _run(executor: Executor, proposal: Proposal, turn: int, workers: int) -> list[Outcome]:
    for number in range(turn * workers, (turn + 1) * workers):
        executor.submit(Trial(number, proposal))
    outcomes = list[Outcome]()
    while len(outcomes) < workers:
        outcomes += [outcome for _, outcome in executor.wait()]
    return outcomes


class _Seen:
    """Hears how far each worker is, and notes when."""

    def __init__(self) -> None:
        self.lines: dict[TrialId, list[tuple[float, int]]] = {}

    def __call__(self, progress: Progress) -> None:
        self.lines.setdefault(progress.trial, []).append((monotonic(), progress.step))

    @property
    def pace(self) -> float:
        """The steps a second of the fastest worker, by itself."""
        return max((_between(line, line[0][0], line[-1][0]) for line in self.lines.values()), default=0.0)

    def together(self) -> tuple[float, float]:
        """Return for how long all were training at once, and how many steps a second all made meanwhile."""
        start = max((line[0][0] for line in self.lines.values()), default=0.0)
        end = min((line[-1][0] for line in self.lines.values()), default=0.0)
        return end - start, sum(_between(line, start, end) for line in self.lines.values())


def _between(line: Sequence[tuple[float, int]], start: float, end: float) -> float:
    """Return the steps a second of a worker from `start` to `end`, 0 if that is no time."""
    if end <= start:
        return 0.0
    times, steps = zip(*line, strict=True)
    return float(np.interp(end, times, steps) - np.interp(start, times, steps)) / (end - start)
