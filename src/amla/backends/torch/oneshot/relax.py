"""Trains an open architecture as a mixture of all that its Picks may keep (DARTS)."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from amla.backends.protocol import Beat
from amla.backends.torch.ablation import BATCH, EXAMPLES, losses_with, spread
from amla.backends.torch.curve import Lines
from amla.backends.torch.data import Batches, mixed
from amla.backends.torch.faults import memory_faults
from amla.backends.torch.norms import normalising_anew, remembering
from amla.backends.torch.oneshot.gradients import first_order, second_order
from amla.backends.torch.oneshot.mixture import Mixture
from amla.backends.torch.oneshot.shared import SharedWeights
from amla.backends.torch.precision import faster
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import at_scale, costs
from amla.spec.supernet import supernet
from amla.spec.values import SpecError
from amla.tasks.recipe import rate
from amla.tasks.task import Task
from amla.trials.snapshot import Snapshot, ungrouped
from amla.trials.trial import Cost, Relax, Table

HALVES, PICKING = 11, 12  # what random numbers are for, besides those of `data`
DROP_ONE = "drop_one"


class RelaxLearner:
    """Trains the weights of an open architecture on one half of the data, its pick weights on the other."""

    def __init__(self, architecture: Architecture, method: Relax, task: Task, seed: int, device: torch.device) -> None:
        self.architecture, self.method, self.task, self.seed = architecture, method, task, seed
        self.steps, self._horizon = 0, 1
        self._shared = SharedWeights(architecture, task, seed, device, method.affine)
        self._mixture = Mixture(architecture, method, device)
        self._halves: tuple[Batches, Batches] | None = None
        self._dropped: tuple[NodeId, ...] = ()

    def watch(self, probes: Mapping[str, tuple[NodeId, ...]]) -> None:
        """Begin a leg: read `drop_one` of inputs of Picks. Raises SpecError for other probes and nodes."""
        for name in probes:
            if name != DROP_ONE:
                raise SpecError(f"Probe {name!r} does not watch mixtures; {DROP_ONE!r} does, of inputs of Picks.")
        every = (source for pick in self.architecture.picks for source in self.architecture[pick].inputs)
        self._dropped = (probes[DROP_ONE] or tuple(every)) if DROP_ONE in probes else ()
        for source in self._dropped:
            self._mixture.shares(without=source)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on, or take over what is of the same name and shape, and the number of steps."""
        groups = ungrouped(snapshot.resume)
        self._mixture.restore(snapshot.weights, groups.pop("picks", {}))
        self._shared.restore(snapshot.weights, groups)
        self.steps = snapshot.steps

    def fit(self, steps: int, horizon: int, beat: Beat) -> None:
        """Train for `steps` of a schedule `horizon` long. Raises Diverged, OutOfMemory."""
        with memory_faults():
            self._fit(steps, horizon, beat)

    def statistics(self) -> Mapping[str, Table]:
        """Return what every input of a Pick counts, as `pick_weight`, and what the probe reads."""
        found: dict[str, Table] = {"pick_weight": self._mixture.weights()}
        if self._dropped:
            with memory_faults(), torch.no_grad():
                found[DROP_ONE] = self._rises()
        return found

    def score(self) -> Table:
        """Return accuracy, loss and number of examples of the mixture on the held-out part."""
        if self.task.held_out is None:
            return {}
        with memory_faults(), torch.no_grad():
            return self._shared.scored(self._mixture.shares(self._skip(self.steps)), self.task.held_out)

    def cost(self, steps: int) -> Cost:
        """Return what the last `steps` of training took, counted with all inputs of every Pick."""
        batch, whole = self._sizes()[0], supernet(self.architecture)
        scales = Counter(self._shared.scale(step, self._horizon) for step in range(self.steps - steps, self.steps))
        macs = sum(times * costs(at_scale(whole, scale)).training_macs for scale, times in scales.items())
        return Cost(self._shared.device.type, 2.0 * self.method.passes * macs * batch)

    def snapshot(self) -> Snapshot:
        """Return weights and pick weights, and all that is needed to go on exactly."""
        weights = {**self._shared.arrays(), **self._mixture.arrays()}
        resume = {**self._shared.state(), **{f"picks/{name}": array for name, array in self._mixture.state().items()}}
        return Snapshot(self.architecture, self.method.kind, self.steps, weights, resume)

    def _fit(self, steps: int, horizon: int, beat: Beat) -> None:
        fitting, picking = self._batches()
        recipe, shared, mixture = self.task.recipe, self._shared, self._mixture
        self._horizon = horizon
        shared.network.train()
        lines = Lines(beat)
        for step in range(self.steps, self.steps + steps):
            batch = fitting.training(self.seed, step, recipe.augment)
            if mixture.learns:
                other = picking.training(mixed(self.seed, PICKING), step, recipe.augment)
                mixture.move(self._gradients(batch, other, step, horizon))
            with torch.no_grad():
                shares = mixture.shares(self._skip(step))
            total, loss, logits = shared.loss(shares, batch, step, horizon)
            total.backward()  # type: ignore[no-untyped-call]
            speed = shared.move(step, horizon)
            self.steps = step + 1
            lines.add(self.steps, loss, logits, batch[1], speed)
        lines.flush()

    def _gradients(
        self, batch: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], step: int, horizon: int
    ) -> list[Tensor]:
        """Return the gradient by the pick weights on `other`; batch normalisation remembers nothing of it."""

        def loss(of: tuple[Tensor, Tensor]) -> Tensor:
            return self._shared.loss(self._mixture.shares(self._skip(step)), of, step, horizon)[0]

        logits = list(self._mixture.logits.values())
        with remembering(self._shared.network, 0.0):
            if not self.method.unrolled:
                return first_order(lambda: loss(other), logits)
            speed = self.task.recipe.optimiser.rate * rate(self.task.recipe.schedule, step, horizon)
            return second_order(lambda: loss(other), lambda: loss(batch), logits, self._shared.weights, speed)

    def _skip(self, step: int) -> float:
        """Return what identities count besides at a step (Chu et al. 2021, section 3.2)."""
        return self.method.skip * max(0.0, 1 - step / self._horizon)

    def _rises(self) -> Table:
        """Return by how much the loss on held-out examples rises without each input, others counting as before."""
        if self.task.held_out is None:
            return dict.fromkeys(self._dropped, 0.0)
        batches = self._shared.batches(spread(self.task.held_out, EXAMPLES), BATCH)
        skip = self._skip(self.steps)
        shares = {dropped: self._mixture.shares(skip, dropped) for dropped in (None, *self._dropped)}

        def outputs(dropped: NodeId | None, inputs: Tensor) -> Tensor:
            with faster(self.task.recipe, self._shared.device):
                found: Tensor = self._shared.network(inputs, shares[dropped])
            return found.float()

        with normalising_anew(self._shared.network):
            losses = losses_with(shares, outputs, batches)
        return {dropped: losses[dropped] - losses[None] for dropped in self._dropped}

    def _batches(self) -> tuple[Batches, Batches]:
        """Return the half for weights, and that for pick weights; all the examples twice where those do not learn."""
        if self._halves is None:
            examples, (first, second) = self.task.fitting, self._sizes()
            if self._mixture.learns:
                order = np.random.default_rng((self.seed, HALVES)).permutation(len(examples.labels))
                middle = len(order) - len(order) // 2
                parts = [examples.only(some) for some in np.split(order, [middle])]
            else:
                parts = [examples, examples]
            self._halves = self._shared.batches(parts[0], first), self._shared.batches(parts[1], second)
        return self._halves

    def _sizes(self) -> tuple[int, int]:
        """Return the sizes of batches of weights and of pick weights."""
        count, batch = len(self.task.fitting.labels), self.task.recipe.batch
        if not self._mixture.learns:
            return min(batch, count), min(batch, count)
        return min(batch, count - count // 2), min(batch, count // 2)
