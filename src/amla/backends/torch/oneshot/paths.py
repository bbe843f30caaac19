"""Trains an open architecture one path a step, and scores paths with the weights they share (ENAS, SPOS)."""

from collections.abc import Mapping
from math import inf, isfinite

import numpy as np
import torch

from amla.backends.protocol import Beat
from amla.backends.torch.ablation import spread
from amla.backends.torch.curve import Lines
from amla.backends.torch.data import Batches
from amla.backends.torch.faults import memory_faults
from amla.backends.torch.oneshot.shared import SharedWeights
from amla.backends.torch.oneshot.supernet import along
from amla.spaces.paths import draw_path, for_all
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import at_scale, macs_by_node
from amla.spec.decisions import Decisions, close
from amla.spec.supernet import supernet
from amla.spec.values import SpecError
from amla.tasks.dataset import Examples
from amla.tasks.task import Task
from amla.trials.snapshot import Snapshot, ungrouped
from amla.trials.trial import Cost, SamplePaths, Table

PATH = 13  # what random numbers are for, besides those of `data`


class PathLearner:
    """Trains one path of an open architecture a step, drawn by seed and step."""

    def __init__(
        self, architecture: Architecture, method: SamplePaths, task: Task, seed: int, device: torch.device
    ) -> None:
        self.architecture, self.method, self.task, self.seed = architecture, method, task, seed
        self.steps, self._horizon, self._scored = 0, 1, 0.0
        self._shared = SharedWeights(architecture, task, seed, device)
        self._fitting: Batches | None = None
        self._tables: dict[str, Table] = {}
        self._by_node: dict[float, Mapping[NodeId, int]] = {}
        self._paths = [for_all(architecture, path, method.tied) for path in method.paths]
        for path in self._paths:
            close(architecture, path)

    def watch(self, probes: Mapping[str, tuple[NodeId, ...]]) -> None:
        """Begin a leg. Raises SpecError for probes: a path a step has nothing for them to watch."""
        if probes:
            raise SpecError(f"Probe {next(iter(probes))!r} does not watch single paths; leave it out.")

    def restore(self, snapshot: Snapshot) -> None:
        """Go on, or take over what is of the same name and shape, and the number of steps."""
        self._shared.restore(snapshot.weights, ungrouped(snapshot.resume))
        self.steps = snapshot.steps

    def fit(self, steps: int, horizon: int, beat: Beat) -> None:
        """Train for `steps` of a schedule `horizon` long. Raises Diverged, OutOfMemory."""
        with memory_faults():
            self._fit(steps, horizon, beat)

    def statistics(self) -> Mapping[str, Table]:
        """Return the task's metric, and the loss, of the paths that `score` has scored, at "path/0" and on."""
        return self._tables

    def score(self) -> Table:
        """Score the paths, and return what the best of them by the task's metric reaches; nothing if there are none.

        One whose metric is no finite number is the best only if all are so. Each has its batch normalisation set by
        training examples first. Statistics kept of training stay as they were.
        """
        held_out = self.task.held_out
        if held_out is None or not self._paths:
            return {}
        examples = held_out if self.method.examples is None else spread(held_out, self.method.examples)
        kept = self._shared.arrays()
        with memory_faults(), torch.no_grad():
            found = [self._scored_along(path, examples) for path in self._paths]
        self._shared.restore(kept, {})
        self._scored = 2.0 * len(examples.labels) * sum(self._macs(path, 1, heads=False) for path in self._paths)
        metric = self.task.metric
        self._tables = {
            of: {f"path/{place}": table[of] for place, table in enumerate(found)} for of in (metric, "loss")
        }
        return max(found, key=lambda table: table[metric] if isfinite(table[metric]) else -inf)

    def cost(self, steps: int) -> Cost:
        """Return what the last `steps` of training took, each counted along its path, and scoring the paths."""
        flops = self._scored
        for step in range(self.steps - steps, self.steps):
            scale = self._shared.scale(step, self._horizon)
            flops += 6.0 * self._batches().batch * self._macs(self._path(step), scale, heads=True)
        return Cost(self._shared.device.type, flops)

    def snapshot(self) -> Snapshot:
        """Return the weights, and all that is needed to go on exactly."""
        return Snapshot(self.architecture, self.method.kind, self.steps, self._shared.arrays(), self._shared.state())

    def _fit(self, steps: int, horizon: int, beat: Beat) -> None:
        self._horizon = horizon
        self._shared.network.train()
        lines = Lines(beat)
        for step in range(self.steps, self.steps + steps):
            batch = self._batches().training(self.seed, step, self.task.recipe.augment)
            shares = along(self.architecture, self._path(step))
            total, loss, logits = self._shared.loss(shares, batch, step, horizon)
            total.backward()  # type: ignore[no-untyped-call]
            speed = self._shared.move(step, horizon)
            self.steps = step + 1
            lines.add(self.steps, loss, logits, batch[1], speed)
        lines.flush()

    def _path(self, step: int) -> Decisions:
        rng = np.random.default_rng((self.seed, PATH, step))
        drawn = draw_path(self.architecture, rng, self.method.logits, self.method.tied)
        return for_all(self.architecture, drawn, self.method.tied)

    def _scored_along(self, path: Decisions, examples: Examples) -> Table:
        shares = along(self.architecture, path)
        self._shared.set_norms(shares, self._batches())
        return self._shared.scored(shares, examples)

    def _macs(self, path: Decisions, scale: float, heads: bool) -> int:
        if scale not in self._by_node:
            self._by_node[scale] = macs_by_node(at_scale(supernet(self.architecture), scale))
        living = self._shared.network.living(along(self.architecture, path), heads)
        return sum(self._by_node[scale][node.id] for node in living)

    def _batches(self) -> Batches:
        if self._fitting is None:
            self._fitting = self._shared.batches(self.task.fitting, self.task.recipe.batch)
        return self._fitting
