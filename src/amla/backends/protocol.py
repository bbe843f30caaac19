"""What a machine-learning library must offer: build a network from its spec, then train, score and save it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from amla.spec.architecture import Architecture, NodeId
from amla.spec.values import value
from amla.tasks.task import Task
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Cost, Method, Table

Statistics = Mapping[str, Table]
Beat = Callable[[int, float, float, float], None]  # step, loss, accuracy, learning rate: means since the last beat


@value
class Member:
    """One of the `of` processes that train a network together, the `number`th from 0.

    They meet by a file at the path `meeting`, which is new and which nobody else uses.
    """

    number: int
    of: int
    meeting: str


class Diverged(Exception):
    """Training gave a loss that is not a finite number."""


class OutOfMemory(Exception):
    """The device has not the memory that the network needs."""


class Learner(Protocol):
    """A network in training. All randomness and the order of the data are functions of (seed, step).

    A new leg is build, restore (its start), watch, fit; one that was cut off is build, watch, restore, fit.
    """

    steps: int  # optimiser steps so far, over all legs

    def restore(self, snapshot: Snapshot) -> None:
        """Go on exactly if the snapshot is of this architecture and method; else inherit, from the same step on.

        What a network has from another one is said by `amla.trials.inheritance`.
        """

    def watch(self, probes: Mapping[str, tuple[NodeId, ...]]) -> None:
        """Begin a leg: watch what `probes` name, from nothing."""

    def fit(self, steps: int, horizon: int, beat: Beat) -> None:
        """Train for `steps` of a schedule `horizon` long. Raises Diverged, OutOfMemory."""

    def statistics(self) -> Statistics:
        """Return the readings of the probes since the leg began."""

    def score(self) -> Table:
        """Return the metrics on the task's held-out part; empty if it has none."""

    def cost(self, steps: int) -> Cost:
        """Return what the last `steps` of training took, counted."""

    def snapshot(self) -> Snapshot:
        """Return the weights, and all that is needed to go on exactly."""


class Backend(Protocol):
    """A machine-learning library."""

    def build(self, architecture: Architecture, method: Method, task: Task, seed: int) -> Learner:
        """Return an untrained learner, its initial weights a function of (seed, node id)."""
