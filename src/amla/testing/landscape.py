"""A made-up landscape: what a network reaches follows from its addresses, so that a search runs in milliseconds."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import log
from statistics import fmean

from pydantic import TypeAdapter, ValidationError

from amla.scores import parts
from amla.spaces.paths import for_all
from amla.spec.architecture import Architecture
from amla.spec.costs import Costs, costs, training_flops
from amla.spec.decisions import close
from amla.spec.ops import Merge, Pick
from amla.spec.text import explain
from amla.spec.values import SpecError, value
from amla.trials.progress import Progress, Report, silent
from amla.trials.trial import (
    Cost,
    Failure,
    Fit,
    Measurement,
    Outcome,
    Proposal,
    Relax,
    SamplePaths,
    Table,
    Trial,
    Untrained,
)

Evaluate = Callable[[Trial, Report], Outcome]

HALFWAY = 100  # steps after which about half is learned
BATCH = 32  # examples a step, for counting operations
LINES = 4  # of a learning curve


def succeeds(trial: Trial) -> Failure | None:
    """Let no trial fail."""
    return None


@dataclass(frozen=True)
class Synthetic:
    """An evaluator that trains nothing: it gives the same trial the same answer, in any order and any process.

    Every node and every input of a merge has a worth, a number between 0 and 1 made of its address. An architecture's
    accuracy is their mean; how much of it a leg reaches grows with its budget, and with its horizon where it has one;
    `noise` is what the seed may take away. Every probe reads the worth of its nodes, Relax the worth of every input of
    a Pick ("pick_weight"), SamplePaths the accuracy of every path ("accuracy", at "path/0" and on). Every score of an
    untrained network is its accuracy, but for noise of a tenth. `fails` says which trials fail; `seconds` is what a
    trial claims to have taken.
    """

    fails: Callable[[Trial], Failure | None] = succeeds
    seconds: float = 0.0
    noise: float = 0.01

    def evaluate(self, trial: Trial, report: Report = silent) -> Outcome:
        """Return what `trial` would have come to; a failure, "infeasible", where its network cannot be built."""
        if failure := self.fails(trial):
            return failure
        try:
            return self._measured(trial, report)
        except SpecError as error:
            return Failure("infeasible", str(error), seconds=self.seconds)

    def accuracy(self, architecture: Architecture) -> float:
        """Return what a closed architecture reaches at last, noise aside: the truth that a search looks for."""
        return fmean(_worths(architecture))

    def _measured(self, trial: Trial, report: Report) -> Measurement:
        ask = trial.proposal
        if isinstance(ask.method, Untrained):
            return self._untrained(ask, ask.method)
        truth, counted, found = self._judged(ask)
        reached = truth * (1 - self.noise * _fraction(f"{truth} {ask.seed}"))
        self._report(trial, reached, report)
        metrics = _metrics(reached * _learned(ask.budget, ask))
        if counted:
            metrics |= {"parameters": float(counted.parameters), "macs": float(counted.macs)}
        watched = {probe: {node: _worth(node) for node in nodes} for probe, nodes in _watched(ask)}
        flops = training_flops(counted.macs, ask.budget * BATCH) if counted else 0
        return Measurement(metrics, {**watched, **found}, self.seconds, Cost("synthetic", float(flops)))

    def _untrained(self, ask: Proposal, method: Untrained) -> Measurement:
        truth, counted = self.accuracy(ask.architecture), _counted(ask.architecture)
        metrics = {name: truth + 0.1 * (_fraction(f"{name} {truth} {ask.seed}") - 0.5) for name in parts(method.scores)}
        metrics |= {"parameters": float(counted.parameters), "macs": float(counted.macs)}
        flops = training_flops(counted.macs, method.examples)
        return Measurement(metrics, {}, self.seconds, Cost("synthetic", float(flops)))

    def _judged(self, ask: Proposal) -> tuple[float, Costs | None, Mapping[str, Table]]:
        """Return the accuracy, the costs of a closed network, and what its method finds. Raises SpecError."""
        network = ask.architecture
        if isinstance(ask.method, Relax | SamplePaths) and not network.is_open:
            raise SpecError(f"{ask.method.kind} trains an open architecture, but this one has no Pick.")
        match ask.method:
            case Fit() | Untrained():
                counted = _counted(network)
                return self.accuracy(network), counted, {}
            case Relax():
                weights = {source: _worth(source) for pick in network.picks for source in network[pick].inputs}
                return fmean(weights.values()), None, {"pick_weight": weights}
            case SamplePaths(paths=paths):
                closed = [close(network, for_all(network, path, ask.method.tied)) for path in paths]
                scores = {f"path/{place}": self.accuracy(found) for place, found in enumerate(closed)}
                return max(scores.values(), default=0.5), None, {"accuracy": scores}

    def _report(self, trial: Trial, reached: float, report: Report) -> None:
        ask = trial.proposal
        for step in sorted({ask.budget * line // LINES for line in range(1, LINES + 1)} - {0}):
            now, left = _metrics(reached * _learned(step, ask)), 1 - step / ask.budget
            seconds = self.seconds * (1 - left)
            report(Progress(trial.id, step, ask.budget, now["loss"], now["accuracy"], 0.1 * left, seconds))


@value
class Faults:
    """How an evaluator misbehaves: which trials do what, and how many seconds each of the others sleeps."""

    seconds: float = 0.0
    crash: tuple[int, ...] = ()  # end the process at once
    hang: tuple[int, ...] = ()  # never come back
    fail: tuple[int, ...] = ()  # answer with a failure
    memory: tuple[int, ...] = ()  # want more memory than there is


def synthetic(config: str = "{}") -> Evaluate:
    """Return an evaluator that misbehaves as `config`, the JSON of `Faults`, says. Raises SpecError.

    A worker in another process makes it by name, "amla.testing:synthetic": `{"seconds": 0.1, "crash": [3]}`.
    """
    try:
        faults = TypeAdapter(Faults).validate_json(config)
    except ValidationError as error:
        raise SpecError(explain(error)) from None
    landscape = Synthetic(seconds=faults.seconds)

    def evaluate(trial: Trial, report: Report = silent) -> Outcome:
        if trial.id in faults.crash:
            os._exit(9)
        while trial.id in faults.hang:
            time.sleep(60)
        if trial.id in faults.memory:
            _hoard()
        if trial.id in faults.fail:
            return Failure("diverged", f"Trial {trial.id} was made to fail.")
        time.sleep(faults.seconds)
        return landscape.evaluate(trial, report)

    return evaluate


def _worths(architecture: Architecture) -> Iterator[float]:
    for node in architecture:
        yield _worth(node.id)
        if isinstance(node.op, Merge | Pick):
            yield from (_worth(f"{node.id} < {source}") for source in node.inputs)


@lru_cache(maxsize=100_000)
def _worth(address: str) -> float:
    return _fraction(address)


def _fraction(text: str) -> float:
    """Return a number above 0 and below 1 that looks random but is always the same for `text`."""
    return (int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) + 0.5) / 2**48


@lru_cache(maxsize=1000)
def _counted(architecture: Architecture) -> Costs:
    return costs(architecture)


def _learned(steps: int, ask: Proposal) -> float:
    reach = steps + (ask.horizon or 0)
    return (1 + reach) / (HALFWAY + reach)


def _metrics(accuracy: float) -> dict[str, float]:
    return {"accuracy": accuracy, "loss": -log(accuracy)}


def _watched(ask: Proposal) -> Iterator[tuple[str, tuple[str, ...]]]:
    for probe, nodes in ask.probes.items():
        yield probe, nodes or tuple(node.id for node in ask.architecture)


def _hoard() -> None:
    """Take memory until there is none: address space only, none of it is ever written to."""
    hoard, size = [], 2**26
    while True:
        hoard.append(bytes(size))
        size *= 2
