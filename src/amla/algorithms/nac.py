"""NAC on EnvelopeNets (Kamath et al. 2018, Algorithm 1): train briefly, prune the weakest branches, grow, repeat.

Stage by stage: the branches of all its cells compete, and the lowest third (at most `quota`) by a statistic of their
feature maps leave, but never the last one of a cell; half of each cell's skip connections leave, those with the
smallest learned scale; one more cell with all branches is put at the tail. A stage that is as deep as the space allows
is left as it is, unless pruning shall go on. Pruned branches leave their channels to the others of their cell.
Differences from the released code: all branches are protected and compared, a quota of zero prunes nothing, skips are
ranked by the size of their scale, and the recommendation is the best construction by validation rather than the last,
untrained one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isnan

from amla.algorithms.protocol import best
from amla.spaces.envelope import Cell, Envelope, Stage
from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions
from amla.trials.history import History
from amla.trials.trial import Proposal, Table, Trial

SKIP_SCALE = "scale"  # the probe that reads the learned scale of a skip connection
PATIENCE = 3  # attempts at a construction whose training fails


@dataclass(frozen=True)
class Nac:
    """Construct `iterations` networks from an EnvelopeNet, each from the statistics of the one before.

    Branches are ranked by the probe `statistic`, skips by `skip_statistic`. With `growing_only` a stage that is as deep
    as it may be is no longer pruned, as in the released code.

    With `inherit` each network begins with what the last one has learned, so that the search is one training of
    `iterations` + 1 legs in which the network changes: its schedule spans them all, and suits if it is constant. A
    later construction has then trained longer, so it is the last one that is recommended.
    """

    envelope: Envelope
    steps: int = 300
    iterations: int = 5
    statistic: str = "msss"
    quota: int = 6
    share: float = 1 / 3
    skip_share: float = 0.5
    skip_statistic: str = SKIP_SCALE
    growing_only: bool = True
    inherit: bool = False
    seed: int = 0
    metric: str = "accuracy"

    def ask(self, history: History) -> Proposal | None:
        """Return the next construction, or None while one trains and once the search is over."""
        attempts = failures_since_done(history)
        if history.pending or len(history.done) > self.iterations or attempts >= PATIENCE:
            return None
        architecture = self._construct(history, grow=attempts < PATIENCE - 1)
        return self._proposal(history, architecture, attempts) if architecture else None

    def recommend(self, history: History) -> Architecture | None:
        """Return the construction with the best validation metric."""
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None

    def _construct(self, history: History, grow: bool) -> Architecture | None:
        """Return the next network (the last attempt at one that fails does without growth), or None if none is left."""
        space = self.envelope.space
        if not history.done:
            first = space.close(self.envelope.initial())
            return first if space.accepts(first) else None
        last: Trial = history.done[-1]
        kept = space.read(last.proposal.architecture)
        pruned = self._pruned(kept, last.measurement.statistics)
        for decisions in (self._grown(kept, pruned), pruned) if grow else (pruned,):
            child = space.close(decisions)
            if child != last.proposal.architecture and space.accepts(child):
                return child
        return None

    def _proposal(self, history: History, architecture: Architecture, attempt: int) -> Proposal:
        kept = self.envelope.space.read(architecture)
        branches = tuple(branch for cell in self._cells(kept) for branch in kept[cell.branches])
        skips = tuple(skip for cell in self._cells(kept) if cell.skips for skip in kept[cell.skips][1:])
        probes = {self.statistic: branches}
        if skips:
            probes[self.skip_statistic] = (*probes.get(self.skip_statistic, ()), *skips)
        fresh = Proposal(architecture, self.steps, probes=probes, seed=self.seed + attempt, keep=False)
        if not self.inherit:
            return fresh
        start = history.done[-1].id if history.done else None
        return replace(fresh, start=start, horizon=(self.iterations + 1) * self.steps, keep=True)

    def _pruned(self, kept: Decisions, statistics: Mapping[str, Table]) -> Decisions:
        """Return `kept` without the weakest branches and skips of every stage, or every one that may still grow."""
        pruned = dict(kept)
        for stage in self._growing(kept) if self.growing_only else self.envelope.stages:
            cells = self._cells_of(stage, kept)
            pruned |= self._without_weakest(cells, kept, statistics[self.statistic])
            pruned |= self._without_half(cells, kept, statistics.get(self.skip_statistic, {}))
        return pruned

    def _without_weakest(self, cells: list[Cell], kept: Decisions, worth: Table) -> dict[NodeId, tuple[NodeId, ...]]:
        left = {cell.branches: list(kept[cell.branches]) for cell in cells}
        ranked = sorted((_rank(worth[branch]), cell, branch) for cell in left for branch in left[cell])
        quota = min(self.quota, int(len(ranked) * self.share + 1e-9))
        for _, cell, branch in ranked:
            if quota and len(left[cell]) > 1:
                left[cell].remove(branch)
                quota -= 1
        return {cell: tuple(branches) for cell, branches in left.items()}

    def _without_half(self, cells: list[Cell], kept: Decisions, scales: Table) -> dict[NodeId, tuple[NodeId, ...]]:
        left: dict[NodeId, tuple[NodeId, ...]] = {}
        for skips in (cell.skips for cell in cells if cell.skips):
            before, *scaled = kept[skips]
            strongest = sorted(scaled, key=lambda skip: -_rank(abs(scales[skip])))
            staying = set(strongest[: len(scaled) - int(len(scaled) * self.skip_share)])
            left[skips] = (before, *(skip for skip in scaled if skip in staying))
        return left

    def _grown(self, kept: Decisions, pruned: Decisions) -> Decisions:
        """Return `pruned` with one more cell, all its branches and skips, at the tail of every stage that may grow."""
        template = self.envelope.space.template
        deeper = {
            stage.depth: template[stage.depth].inputs[len(self._cells_of(stage, kept)) :][:1]
            for stage in self._growing(kept)
        }
        return {**self.envelope.space.fullest(), **pruned, **deeper}

    def _growing(self, kept: Decisions) -> list[Stage]:
        return [stage for stage in self.envelope.stages if len(self._cells_of(stage, kept)) < len(stage.cells)]

    def _cells(self, kept: Decisions) -> list[Cell]:
        return [cell for stage in self.envelope.stages for cell in self._cells_of(stage, kept)]

    def _cells_of(self, stage: Stage, kept: Decisions) -> list[Cell]:
        return [cell for cell in stage.cells if cell.branches in kept]


def failures_since_done(history: History) -> int:
    """Return how many trials failed after the last one that was done."""
    last = history.done[-1].id if history.done else -1
    return sum(trial.id > last for trial in history.failed)


def _rank(worth: float) -> float:
    return -inf if isnan(worth) else worth
