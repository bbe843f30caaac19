"""How long a training step takes here, whatever the network: what any step takes, and what its operations take.

A thin network keeps a processor less busy than a wide one: by operations alone the time that the one takes says little
of the other. So two networks of a study are trained for a few steps, and a line is laid through both.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from math import inf

from amla.execution.work import WorkerError
from amla.spec.architecture import Architecture
from amla.spec.costs import costs, training_flops
from amla.spec.values import value
from amla.study.run import Executor
from amla.study.timing import Arrangement, Opened
from amla.trials.progress import Progress
from amla.trials.trial import Measurement, Outcome, Proposal, Trial

SECONDS = 0.5  # of training of each network, about
ENOUGH, MOST = 20, 200  # steps: with as many there are two lines of a curve; a network is trained for at most
APART = 1.25  # times the operations, from which two networks tell what any step takes
WORTH_STEPS, WORTH_FLOPS = 500, 1e11  # of a study, some seconds: a shorter one is over as soon as it is timed


@value
class Tempo:
    """The seconds of any step, and the floating-point operations a second besides."""

    step: float
    flops: float

    def seconds(self, flops: float, steps: float) -> float:
        """Return how long so many steps take that have so many operations together."""
        return steps * self.step + flops / self.flops


def is_worth_it(flops: float, steps: float) -> bool:
    """Whether so many operations in so many steps take long enough to find out beforehand how long."""
    return flops >= WORTH_FLOPS or steps >= WORTH_STEPS


def tempo_of(
    networks: Sequence[Architecture], batch: int, seed: int, arrangement: Arrangement, opened: Opened
) -> Tempo | None:
    """Return the tempo that steps of these networks show in an arrangement; None if none of them can be trained.

    They are taken in their order, and none after one whose steps are so long that one is enough.
    """
    points, lines = list[tuple[float, float]](), list[Progress]()
    with (
        suppress(WorkerError),
        opened(arrangement, lines.append) as executor,
    ):  # the study itself will tell what is wrong
        clock = _Clock(executor, lines, seed)
        for network in networks:
            if (seconds := clock.step_seconds(network)) is None:
                continue
            points.append((float(training_flops(costs(network).macs, batch)), seconds))
            if seconds > SECONDS:
                break
    return line(points)


def line(points: Sequence[tuple[float, float]]) -> Tempo | None:
    """Return the tempo of steps that have so many operations and take so many seconds; None where there are none."""
    if not points:
        return None
    (least, short), (most, long) = min(points), max(points)
    if most < APART * least:
        return Tempo(0.0, most / long)
    if long <= short:  # nothing but what any step takes
        return Tempo(short, most / short * 1e3)
    flops = (most - least) / (long - short)
    step = short - least / flops
    return Tempo(step, flops) if step > 0 else Tempo(0.0, most / long)


class _Clock:
    """Times the steps of networks with an executor, which writes lines of what it trains."""

    def __init__(self, executor: Executor, lines: list[Progress], seed: int) -> None:
        self._executor, self._lines, self._seed, self._numbers = executor, lines, seed, count()

    def step_seconds(self, network: Architecture) -> float | None:
        """Return the seconds of a step, None if the network cannot be trained.

        A first one takes longer than those after it, libraries being loaded and memory found: it does not count.
        """
        steps, found, enough = 1, inf, False
        while not enough:
            outcome = self._trained(Proposal(network, steps, seed=self._seed, keep=False))
            if not isinstance(outcome, Measurement):
                return None
            is_first, found = found == inf, self._between() or outcome.metrics["step_seconds"]
            affordable = max(1, min(MOST, int(SECONDS / max(found, 1e-6))))
            enough, steps = not is_first and steps >= min(ENOUGH, affordable), affordable
        return found

    def _trained(self, proposal: Proposal) -> Outcome:
        self._lines.clear()
        self._executor.submit(Trial(next(self._numbers), proposal))
        while not (over := list(self._executor.wait())):
            pass
        return over[0][1]

    def _between(self) -> float | None:
        """Return the seconds of a step between the first line and the last one, None if there are no two."""
        if len(self._lines) < 2:
            return None
        first, *_, last = self._lines
        return (last.seconds - first.seconds) / (last.step - first.step)
