"""Scores a network with its initial weights; each score makes one of its own, so none leaves a trace in another."""

from collections.abc import Mapping

import torch

from amla import scores
from amla.backends.protocol import Beat
from amla.backends.torch.faults import memory_faults
from amla.backends.torch.untrained.blocks import blockwise
from amla.backends.torch.untrained.passes import change, codes, flow, jacobian
from amla.backends.torch.untrained.views import View
from amla.scores import BLOCKWISE, SCORES, ScoreError
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import costs
from amla.spec.values import SpecError
from amla.tasks.task import Task
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Cost, Table, Untrained


class UntrainedLearner:
    """Trains nothing. Raises SpecError for scores that do not exist, and for an open architecture."""

    def __init__(
        self, architecture: Architecture, method: Untrained, task: Task, seed: int, device: torch.device
    ) -> None:
        if architecture.is_open:
            raise SpecError(f"Only closed networks are scored; {next(iter(architecture.picks))!r} is undecided.")
        try:
            self._names = scores.parts(method.scores)
        except ScoreError as error:
            raise SpecError(f"untrained.scores: {error}") from None
        self.architecture, self.method, self.steps = architecture, method, 0
        self._view = View(architecture.trunk, task, seed, device, method.examples)

    def restore(self, snapshot: Snapshot) -> None:
        """Raise SpecError: what was trained is not scored so."""
        raise SpecError("An untrained network starts from no other.")

    def watch(self, probes: Mapping[str, tuple[NodeId, ...]]) -> None:
        """Raise SpecError for probes, which watch training."""
        if probes:
            raise SpecError(f"Probe {next(iter(probes))!r} watches training; leave it out.")

    def fit(self, steps: int, horizon: int, beat: Beat) -> None:
        """Raise SpecError for any step."""
        if steps:
            raise SpecError("An untrained network is scored, not trained; let the budget be 0.")

    def statistics(self) -> Mapping[str, Table]:
        """Return nothing."""
        return {}

    def score(self) -> Table:
        """Return the scores asked for. Raises SpecError where one cannot be had of this network, and says why."""
        wanted = [name for name in self._names if SCORES[name].passes is not None]
        found: dict[str, float] = {}
        with memory_faults():
            for name in wanted:
                if name not in found:
                    found |= self._measured(name)
        return {name: found[name] for name in wanted}

    def cost(self, steps: int) -> Cost:
        """Return what scoring takes, counted: forward and backward passes over as many examples as are looked at."""
        macs, examples = costs(self.architecture.trunk).macs, self.method.examples
        wanted = {"blocks" if name in BLOCKWISE else name: SCORES[name].passes or 0 for name in self._names}
        seen = sum(passes * (1 if name == "synflow" else examples) for name, passes in wanted.items())
        return Cost(self._view.device.type, 2.0 * macs * seen)

    def snapshot(self) -> Snapshot:
        """Raise SpecError: there is nothing to keep."""
        raise SpecError("An untrained network is not kept; its weights follow from the seed.")

    def _measured(self, name: str) -> Table:
        view = self._view
        match name:
            case "synflow":
                return {name: flow(view)}
            case "naswot":
                return {name: scores.naswot(codes(view))}
            case "jacob_cov":
                return {name: scores.jacob_cov(jacobian(view))}
            case "zen":
                return {name: scores.zen(*change(view))}
            case _:
                read = blockwise(view)
                return {
                    "expressivity": scores.expressivity(read.entropies),
                    "progressivity": scores.progressivity(read.entropies, read.links),
                    "trainability": scores.trainability(read.couplings),
                }
