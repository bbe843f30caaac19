"""Train a trial: build, restore, fit, score, save. The one place that knows the order."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic
from typing import Protocol

from amla.backends.energy import Energy
from amla.backends.protocol import Backend, Diverged, Learner, OutOfMemory
from amla.spec.costs import BYTES, Costs, at_scale, costs
from amla.spec.supernet import supernet
from amla.spec.values import SpecError
from amla.tasks.dials import turned
from amla.tasks.memory import memory
from amla.tasks.task import Task
from amla.trials.progress import Progress, Report
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Failure, FailureKind, Measurement, Outcome, Trial, TrialId

OPTIMISER_COPIES = 4  # of the weights: themselves, gradient, two of the optimiser
CURVE_STEPS = 10  # between the lines of a learning curve
CHECKPOINT_SECONDS = 30.0  # between checkpoints, unless the environment says otherwise
CHECKPOINTS = "AMLA_CHECKPOINTS"


def checkpoint_seconds() -> float:
    """Return the seconds between checkpoints, as AMLA_CHECKPOINTS in the environment has them. Raises SpecError."""
    said = os.environ.get(CHECKPOINTS, str(CHECKPOINT_SECONDS))
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise SpecError(f"{CHECKPOINTS} in the environment is {said!r}; it must be seconds, more than 0, and finite.")
    return seconds


class Snapshots(Protocol):
    """Where learners at rest are kept."""

    def save(self, key: str, snapshot: Snapshot) -> None:
        """Write a snapshot, replacing one of the same key, all or nothing."""

    def load(self, key: str) -> Snapshot:
        """Return a snapshot. Raises ValueError for a damaged one."""

    def exists(self, key: str) -> bool:
        """Return whether there is one."""

    def drop(self, key: str) -> None:
        """Delete one, if it is there."""


def left_by(snapshots: Snapshots, phase: str, trial_id: TrialId) -> Snapshot:
    """Return what a trial left. Raises OSError if that is damaged: no fault of who starts there."""
    key = f"{phase}/{trial_id}"
    try:
        return snapshots.load(key)
    except ValueError as error:
        what = f"The weights that trial {trial_id} left have just been damaged; they are trained again next time"
        raise OSError(errno.EIO, what, key) from error


@dataclass(frozen=True)
class Training:
    """Evaluates the trials of one study by training them.

    The weights of trial 7 are kept under "<study>/7"; while it trains, under "<study>/7-cut-off" every
    `checkpoint_seconds`, from where a trial that was cut off goes on as if nothing had happened. A network that by
    its counted cost needs more than `memory` bytes to train is refused before anything is built.
    """

    study: str
    backend: Backend
    task: Task
    snapshots: Snapshots
    memory: int | None = None
    seconds: float | None = None
    checkpoint_seconds: float = field(default_factory=checkpoint_seconds)
    clock: Callable[[], float] = field(default=monotonic)
    energy: Callable[[], Energy] = Energy  # begun with each trial

    def __call__(self, trial: Trial, report: Report) -> Outcome:
        """Return the trial's measurement, or why it has none."""
        began = self.clock()
        if changes := trial.proposal.recipe:
            try:
                recipe = turned(self.task.recipe, changes)
            except SpecError as error:
                return Failure("infeasible", str(error), self.clock() - began)
            trial = replace(trial, proposal=replace(trial.proposal, recipe={}))
            return replace(self, task=self.task.with_recipe(recipe))(trial, report)

        def failure(reason: FailureKind, message: str) -> Failure:
            return Failure(reason, message, self.clock() - began)

        try:
            network = supernet(trial.proposal.architecture)  # of an open one, all that its Picks may keep
            counted = costs(network)
            if small := self.task.recipe.small:
                at_scale(network, small.scale)
        except SpecError as error:
            return failure("infeasible", str(error))
        if too_much := self._beyond_memory(counted):
            return failure("infeasible", too_much)
        measured: Outcome
        try:
            measured = self._measure(trial, counted, report, began, self.energy())
        except SpecError as error:
            measured = failure("infeasible", str(error))
        except Diverged as error:
            measured = failure("diverged", f"{error}. Lower the learning rate, or clip gradients.")
        except OutOfMemory as error:
            measured = failure("out_of_memory", str(error))
        except _OutOfTime as error:
            measured = failure("timeout", f"stopped after {error} s, the limit of a trial")
        self.snapshots.drop(self._cut_off(trial))
        return measured

    def _measure(self, trial: Trial, counted: Costs, report: Report, began: float, energy: Energy) -> Measurement:
        learner, first = self._learner(trial)
        step_seconds = self._fit(trial, learner, first, report, began, energy)
        metrics = {
            "parameters": float(counted.parameters),
            "macs": float(counted.macs),
            "peak_memory": float(counted.peak_memory),
            "steps": float(learner.steps),
            **({} if step_seconds is None else {"step_seconds": step_seconds}),
            **learner.score(),
        }
        if trial.proposal.keep:
            self.snapshots.save(self._key(trial.id), learner.snapshot())
        spent, statistics, cost = self.clock() - began, learner.statistics(), learner.cost(learner.steps - first)
        return Measurement(metrics, statistics, spent, replace(cost, joules=energy.joules(cost.device)))

    def _learner(self, trial: Trial) -> tuple[Learner, int]:
        """Return the learner as it is at the beginning of the leg, or was when cut off, and the leg's first step."""
        proposal = trial.proposal
        learner = self.backend.build(proposal.architecture, proposal.method, self.task, proposal.seed)
        if proposal.start is not None:
            learner.restore(left_by(self.snapshots, self.study, proposal.start))
        first = learner.steps
        learner.watch(proposal.probes)
        if self.snapshots.exists(self._cut_off(trial)):
            try:
                learner.restore(self._cut_off_of(trial, first))
            except ValueError:  # damaged, or of another trial: the leg begins again
                self.snapshots.drop(self._cut_off(trial))
        return learner, first

    def _cut_off_of(self, trial: Trial, first: int) -> Snapshot:
        """Return the checkpoint of a leg that began at step `first`. Raises ValueError for one that cannot be it."""
        found = self.snapshots.load(self._cut_off(trial))
        if found.architecture != trial.proposal.architecture or not 0 <= found.steps - first <= trial.proposal.budget:
            raise ValueError(f"The checkpoint of trial {trial.id}, after {found.steps} steps, is of another proposal.")
        return found

    def _fit(
        self, trial: Trial, learner: Learner, first: int, report: Report, began: float, energy: Energy
    ) -> float | None:
        """Train to the end of the leg, with a checkpoint every now and then on the way.

        Returns the seconds of a step in the fastest ten or so: what the machine can do when it is left alone.
        """
        budget = trial.proposal.budget
        horizon = trial.proposal.horizon or max(first + budget, 1)

        paces: list[float] = []
        last = (learner.steps, self.clock())

        def beat(step: int, loss: float, accuracy: float, rate: float) -> None:
            nonlocal last
            paces.append((self.clock() - last[1]) / (step - last[0]))
            last = (step, self.clock())
            energy.note()
            spent = self.clock() - began
            report(Progress(trial.id, step - first, budget, loss, accuracy, rate, spent))
            if self.seconds is not None and spent > self.seconds:
                raise _OutOfTime(self.seconds)

        steps = CURVE_STEPS
        while (left := first + budget - learner.steps) > 0:
            chunk_began = self.clock()
            learner.fit(min(steps, left), horizon, beat)
            if left > steps and steps > CURVE_STEPS:
                self.snapshots.save(self._cut_off(trial), learner.snapshot())
            speed = min(steps, left) / max(self.clock() - chunk_began, 1e-6)
            steps = CURVE_STEPS * max(1, int(speed * self.checkpoint_seconds) // CURVE_STEPS)
            last = (learner.steps, self.clock())
        return min(paces, default=None)

    def _beyond_memory(self, counted: Costs) -> str | None:
        """Return why a network cannot be trained in the memory there is, by its counted cost; None if it can."""
        limit = self.memory or memory()
        batch = min(self.task.recipe.batch, len(self.task.fitting.labels))
        needed = BYTES * OPTIMISER_COPIES * counted.training_parameters + batch * counted.training_memory
        if limit is None or needed <= limit:
            return None
        return (
            f"training this network needs about {_giga(needed)}, for {counted.training_parameters:,} parameters and "
            f"batches of {batch}; the limit is {_giga(limit)}. Make it narrower, or the batch smaller."
        )

    def _key(self, trial_id: TrialId) -> str:
        return f"{self.study}/{trial_id}"

    def _cut_off(self, trial: Trial) -> str:
        return f"{self._key(trial.id)}-cut-off"


class _OutOfTime(Exception):
    """A trial has used up its seconds."""


def _giga(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
