"""Histories of searches that were never run: made-up statistics and metrics, the same at every call."""

from math import exp

import numpy as np

from amla.algorithms.nac import Nac
from amla.algorithms.random import RandomSearch
from amla.spaces.envelope import Envelope, envelope
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement, Proposal

ENVELOPE = envelope((3, 32, 32), 10, width=32)


def grown(iterations: int = 3, fails: tuple[int, ...] = (), space: Envelope = ENVELOPE) -> History:
    """Return a growth by NAC, in which the trials `fails` run out of memory."""
    history, rng = History(), np.random.default_rng(0)
    algorithm = Nac(space, iterations=iterations, statistic="msss")
    while proposal := algorithm.ask(history):
        trial = len(history)
        outcome = Failure("out_of_memory", "no room for 2 GiB", 12.0) if trial in fails else measured(proposal, rng)
        history = history.asked(proposal).told(trial, outcome)
    return history


def random(trials: int = 5, seed: int = 0) -> History:
    """Return a random search."""
    history, rng = History(), np.random.default_rng(seed)
    algorithm = RandomSearch(ENVELOPE.space, steps=100, trials=trials, seed=seed)
    while proposal := algorithm.ask(history):
        history = history.asked(proposal).told(len(history), measured(proposal, rng))
    return history


def measured(proposal: Proposal, rng: np.random.Generator) -> Measurement:
    statistics = {
        probe: {node: float(rng.uniform(0.1, 0.9)) for node in nodes} for probe, nodes in proposal.probes.items()
    }
    accuracy = float(rng.uniform(0.5, 0.8))
    return Measurement({"accuracy": accuracy, "loss": 1.5 - accuracy}, statistics, seconds=60.0)


def curve(trial: int, steps: int = 300) -> list[Progress]:
    return [
        Progress(trial, step, steps, 2 * exp(-step / steps), 1 - exp(-step / steps), 0.1, float(step))
        for step in range(10, steps + 1, 10)
    ]
