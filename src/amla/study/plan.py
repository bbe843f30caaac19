"""How long the legs of a study may be, under a limit of seconds: measured first, then counted.

A rehearsal trains the first network for a few steps; how long the networks after it take follows from their counted
costs. What networks those may be is asked of the algorithm itself, by answering it so that they are costly.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapreplace
from typing import get_args

from amla.algorithms.protocol import Algorithm
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import at_scale, costs, macs, shapes, training_flops
from amla.spec.supernet import supernet
from amla.tasks.recipe import Recipe
from amla.tasks.task import Metric
from amla.trials.history import History
from amla.trials.trial import FIT, Measurement, Relax, Untrained

BASELINE_SHARE = 0.08  # for training what was found and its baselines alike, where there are any
MOST_BASELINE_SHARE = 0.2  # for their fewest steps; without baselines, if these take more
TUNING_SHARE = 0.15  # for tuning how the network is trained, if the study asks for that
RESERVE_SHARE = 0.03  # for the final evaluation, and what was not foreseen
LEAST_FINAL_SHARE = 0.3  # for the final training, also where it then ends late: without it the search was for nothing
LEAST_SHARE = 0.05  # of operations, for it
REHEARSAL_STEPS = 30
WIDE_STEPS = 10  # of a second rehearsal, where the network found is made wider
LEAST_STEPS = 10
FEW_STEPS, USEFUL_STEPS = 20, 100  # of a leg: below, a search is told to be short; what is then advised
ENOUGH_STEPS, ENOUGH_EPOCHS = 300, 1  # of a leg, whichever are more: what a longer one would take is better spent later
FORESEEN = 128  # trainings at most that are asked for ahead
SCORED = 1000  # networks at most that are scored untrained before those
CLOSING_SECONDS = 1.5  # for the report, and for letting workers and libraries go
OVERHEAD_SECONDS = 1.0  # of a trial besides training and scoring: building, saving
UNTRAINED_SECONDS = 0.2  # of a trial that scores an untrained network, at the size of a CPU
SCORING = 1 / 3  # of what training on an example takes
EVEN = dict.fromkeys(get_args(Metric), 0.5)  # what all foreseen networks come to


@dataclass(frozen=True)
class Speed:
    """How fast a machine trains: floating-point operations a second, as counted for training."""

    flops: float

    def steps_a_second(self, macs: int, batch: int) -> float:
        """Return how many steps a second a network of `macs` trains."""
        return self.flops / training_flops(macs, batch)

    def times(self, factor: float) -> "Speed":
        """Return the speed of a machine that is `factor` times as fast."""
        return Speed(self.flops * factor)


@dataclass(frozen=True)
class Leg:
    """A trial that is foreseen: the MACs of its network, and its steps as a share of those of a whole leg.

    One that trains nothing has none of either; it takes seconds all the same. `network` is what it trains, if that is
    known, what is open merged.
    """

    macs: int
    share: float = 1.0
    seconds: float = OVERHEAD_SECONDS
    network: Architecture | None = field(default=None, compare=False, repr=False)

    @property
    def work(self) -> float:
        """The multiply-accumulates of its training, on one image a step of a whole leg."""
        return self.macs * self.share


def first(algorithm: Algorithm) -> Architecture | None:
    """Return the first network that an algorithm asks for, what is open merged: what a rehearsal trains."""
    proposal = algorithm.ask(History())
    return supernet(proposal.architecture) if proposal else None


def speed(rehearsed: Measurement, batch: int) -> Speed:
    """Return the speed that the measurement of a rehearsal shows."""
    metrics = rehearsed.metrics
    return Speed(training_flops(int(metrics["macs"]), batch) / max(metrics["step_seconds"], 1e-9))


def foreseen(algorithm: Algorithm, steps: int) -> list[Leg]:
    """Return what an algorithm of so many `steps` asks for if it is told that the dearest branches are the best."""
    history, found = History(), list[Leg]()
    while sum(leg.share > 0 for leg in found) < FORESEEN and len(found) < SCORED + FORESEEN:
        if (proposal := algorithm.ask(history)) is None:
            break
        network = supernet(proposal.architecture)
        passes = proposal.method.passes if isinstance(proposal.method, Relax) else FIT
        counted = costs(network)
        untrained = isinstance(proposal.method, Untrained)
        found.append(
            Leg(0, 0.0, UNTRAINED_SECONDS)
            if untrained
            else Leg(counted.macs * passes // FIT, proposal.budget / steps, network=network)
        )
        dear = _branch_macs(network)
        statistics = {name: {i: float(dear.get(i, 0)) for i in nodes} for name, nodes in proposal.probes.items()}
        history = history.asked(proposal)
        metrics = {name: float(getattr(counted, name)) for name in ("parameters", "macs", "peak_memory")}
        known = {**EVEN, "step_seconds": 1.0, "latency": 1.0, **metrics}
        history = history.told(len(history) - 1, Measurement(known, statistics))
    return found


def search_steps(
    seconds: float, measured: Speed, legs: list[Leg], batch: int, examples: int, scored: int, workers: int = 1
) -> int:
    """Return the steps of a whole leg with which these legs take `seconds`, `scored` examples after each included.

    `measured` is the speed of each of the `workers`. No leg is longer than is enough, by the `examples` of an epoch.
    """
    enough = enough_steps(batch, examples)
    none = legs_seconds(0, measured, legs, batch, scored, workers)
    step = legs_seconds(1, measured, legs, batch, scored, workers) - none
    return min(max(LEAST_STEPS, int((seconds - none) / step)), enough) if step else enough


def steps_within(flops: float, legs: Iterable[Leg], batch: int, examples: int) -> int:
    """Return the steps of a whole leg with which these legs train for so many operations, no more than is enough."""
    step, enough = training_flops(1, batch) * sum(leg.work for leg in legs), enough_steps(batch, examples)
    return min(max(LEAST_STEPS, int(flops / step)), enough) if step else enough


def final_steps(flops: float, network: Architecture, recipe: Recipe, batch: int) -> int:
    """Return for how many steps a network trains in so many operations, on images as small as its recipe has them."""
    parts = [(1.0, 1.0)] if recipe.small is None else [(recipe.small.scale, recipe.small.until)]
    parts += [] if recipe.small is None else [(1.0, 1 - recipe.small.until)]
    step = sum(share * training_flops(costs(at_scale(network, scale)).training_macs, batch) for scale, share in parts)
    return max(LEAST_STEPS, int(flops / step)) if step else LEAST_STEPS


def enough_steps(batch: int, examples: int) -> int:
    """Return for how many steps a leg trains at most, by the `examples` of an epoch."""
    return max(ENOUGH_STEPS, ENOUGH_EPOCHS * examples // batch)


def legs_seconds(steps: int, measured: Speed, legs: list[Leg], batch: int, scored: int, workers: int = 1) -> float:
    """Return how long these legs take if a whole one has so many steps, `scored` examples after each included."""
    scoring = training_flops(1, 1) * SCORING * scored * makespan([leg.macs for leg in legs], workers)
    training = steps * training_flops(1, batch) * makespan([leg.work for leg in legs], workers)
    return makespan([leg.seconds for leg in legs], workers) + (scoring + training) / measured.flops


def longest(searched: History) -> int:
    """Return for how many steps the network of a search has trained that trained longest, all its legs together."""
    return max((sum(leg.proposal.budget for leg in searched.lineage(trial)) for trial in searched.done), default=0)


def makespan(lengths: Iterable[float], workers: int) -> float:
    """Return how long trials of these lengths take, if each begins with the first worker that is free."""
    free = [0.0] * workers
    for length in lengths:
        heapreplace(free, free[0] + length)
    return max(free)


def final_seconds(seconds: float, spent: float) -> float:
    """Return what is left for the final training once the search has `spent` seconds, but never next to nothing."""
    return max(seconds * (1 - RESERVE_SHARE) - CLOSING_SECONDS - spent, seconds * LEAST_FINAL_SHARE)


def _branch_macs(architecture: Architecture) -> dict[NodeId, int]:
    """Return, by address, the MACs of all nodes at it and under it."""
    found, sums = shapes(architecture), dict[NodeId, int]()
    for node in architecture:
        cost = macs(node.op, found[node.inputs[0]] if node.inputs else (), found[node.id])
        steps = node.id.split("/")
        for depth in range(1, len(steps) + 1):
            address = "/".join(steps[:depth])
            sums[address] = sums.get(address, 0) + cost
    return sums
