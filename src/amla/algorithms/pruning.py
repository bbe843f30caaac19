"""NAC's rules as functions of readings: which branches and skips leave an EnvelopeNet, and where it grows.

The branches of all cells of a stage compete; the lowest third, at most `quota`, leave, but never the last one of a
cell. Half of each cell's skip connections leave. A stage that is not as deep as the space allows gets one more cell.

Cells may be kept alike: then kinds of branches compete, each by its mean rank in all cells that have it, and a kind
leaves all of them. So a reading counts that is the mean of many, and what a search decides is one cell.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from math import inf, isnan
from statistics import mean

from numpy.random import Generator

from amla.spaces.envelope import Cell, Envelope, Stage
from amla.spec.architecture import NodeId
from amla.spec.decisions import Decisions
from amla.trials.trial import Table

RESAMPLES = 200


@dataclass(frozen=True)
class Pruning:
    """The rules over one space. See `amla.algorithms.nac.Nac`."""

    envelope: Envelope
    quota: int
    share: float
    skip_share: float
    growing_only: bool
    alike: bool = False
    worst: bool = False  # the strongest leave: what a statistic must beat

    def pruned(self, kept: Decisions, worth: Table, scales: Table) -> Decisions:
        """Return `kept` without the weakest branches and skips of every stage, or of every one that may still grow."""
        pruned = dict(kept)
        for cells in self._rivals(kept):
            pruned |= self._without_weakest(cells, kept, worth)
            pruned |= self._without_half(cells, kept, scales)
        return pruned

    def leaving(self, kept: Decisions, worth: Table) -> frozenset[NodeId]:
        """Return the branches that `pruned` takes away."""
        found = set[NodeId]()
        for cells in self._rivals(kept):
            for cell, branches in self._without_weakest(cells, kept, worth).items():
                found |= set(kept[cell]) - set(branches)
        return frozenset(found)

    def grown(self, kept: Decisions, pruned: Decisions, stages: Container[NodeId] | None = None) -> Decisions:
        """Return `pruned` with one more cell at the tail of every stage that may grow, or of those among `stages`.

        It begins with all branches and skips; if cells are kept alike, with the kinds of branches that they keep.
        `stages` are named by the Picks of their depths.
        """
        fullest, deeper = self.envelope.space.fullest(), dict[NodeId, tuple[NodeId, ...]]()
        staying = {_kind(branch) for cell in self.cells(kept) for branch in pruned[cell.branches]}
        for stage in self._growing(kept):
            if stages is None or stage.depth in stages:
                count = len(self._cells_of(stage, kept))
                deeper[stage.depth] = self.envelope.space.template[stage.depth].inputs[count : count + 1]
                if self.alike:
                    new = stage.cells[count].branches
                    deeper[new] = tuple(branch for branch in fullest[new] if _kind(branch) in staying)
        return {**fullest, **pruned, **deeper}

    def some_growing(self, kept: Decisions, rng: Generator) -> frozenset[NodeId]:
        """Return some of the stages that may grow, each by a coin."""
        return frozenset(stage.depth for stage in self._growing(kept) if rng.random() < 0.5)

    def nearby(self, kept: Decisions, worth: Table, rng: Generator) -> Table:
        """Return `worth` with other numbers, so that what leaves a stage is drawn from twice as many of its weakest.

        Of cells kept alike any kind may leave: kinds are few, and readings of them do not repeat from seed to seed
        (docs/log.md), so it is left to the candidates' training to tell.
        """
        found = dict(worth)
        for cells in self._rivals(kept):
            ranked = self.ranked(cells, kept, worth)
            if self.alike:
                found |= self._nearby_kinds(ranked, rng)
                continue
            rivals = [branch for _, _, branch in ranked[: 2 * self._quota(len(ranked))]]
            readings = [worth[branch] for branch in rivals]
            found |= {
                branch: readings[place] for branch, place in zip(rivals, rng.permutation(len(rivals)), strict=True)
            }
        return found

    def cells(self, kept: Decisions) -> list[Cell]:
        """Return the cells of a network, in order."""
        return [cell for stage in self.envelope.stages for cell in self._cells_of(stage, kept)]

    def _nearby_kinds(self, ranked: list[tuple[float, NodeId, NodeId]], rng: Generator) -> Table:
        """Return the place of every branch's kind in an order that is drawn."""
        kinds = list(dict.fromkeys(_kind(branch) for _, _, branch in ranked))
        order = [kinds[place] for place in rng.permutation(len(kinds))]
        return {branch: float(order.index(_kind(branch))) for _, _, branch in ranked}

    def _without_weakest(self, cells: list[Cell], kept: Decisions, worth: Table) -> dict[NodeId, tuple[NodeId, ...]]:
        left = {cell.branches: list(kept[cell.branches]) for cell in cells}
        ranked = self.ranked(cells, kept, worth)
        if self.alike:
            kinds = list(dict.fromkeys(_kind(branch) for _, _, branch in ranked))
            leaving = kinds[: self._quota(len(kinds))]
            ranked = [(reading, cell, branch) for reading, cell, branch in ranked if _kind(branch) in leaving]
        quota = len(ranked) if self.alike else self._quota(len(ranked))
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

    def ranked(self, cells: list[Cell], kept: Decisions, worth: Table) -> list[tuple[float, NodeId, NodeId]]:
        """Return the branches of some cells, those first that leave first: reading, cell and branch.

        If cells are kept alike, the reading is the mean rank of a branch's kind.
        """
        order = self._weakest_first(cells, kept, worth)
        return order[::-1] if self.worst else order

    def _weakest_first(self, cells: list[Cell], kept: Decisions, worth: Table) -> list[tuple[float, NodeId, NodeId]]:
        if self.alike:
            kinds = _mean_ranks([[(_rank(worth[b]), b) for b in kept[cell.branches]] for cell in cells])
            worth = {branch: kinds[_kind(branch)] for cell in cells for branch in kept[cell.branches]}
            by_kind = sorted(kinds, key=lambda kind: (kinds[kind], kind))
            return sorted(
                ((worth[b], cell.branches, b) for cell in cells for b in kept[cell.branches]),
                key=lambda row: (by_kind.index(_kind(row[2])), row),
            )
        return sorted((_rank(worth[branch]), cell.branches, branch) for cell in cells for branch in kept[cell.branches])

    def _quota(self, branches: int) -> int:
        return min(self.quota, int(branches * self.share + 1e-9))

    def _rivals(self, kept: Decisions) -> list[list[Cell]]:
        """Return the cells whose branches compete, of each stage or, if cells are kept alike, of all together."""
        cells = [self._cells_of(stage, kept) for stage in self._pruned_stages(kept)]
        return [[cell for of_stage in cells for cell in of_stage]] if self.alike and cells else cells

    def _pruned_stages(self, kept: Decisions) -> Sequence[Stage]:
        return self._growing(kept) if self.growing_only else self.envelope.stages

    def _growing(self, kept: Decisions) -> list[Stage]:
        return [stage for stage in self.envelope.stages if len(self._cells_of(stage, kept)) < len(stage.cells)]

    def _cells_of(self, stage: Stage, kept: Decisions) -> list[Cell]:
        return [cell for cell in stage.cells if cell.branches in kept]


def averaged(windows: Sequence[Table]) -> Table:
    """Return the mean reading of every node that all of some windows have read."""
    if not windows:
        return {}
    nodes = (node for node in windows[0] if all(node in window for window in windows))
    return {node: mean(window[node] for window in windows) for node in nodes}


def stability(windows: Sequence[Table], leaving: Callable[[Table], frozenset[NodeId]], rng: Generator) -> float:
    """Return how firmly some windows say what leaves: 1 if it is the same whichever windows are looked at.

    The bootstrap (Efron 1979): as many windows are drawn with repetition, and what their means would take away is
    compared with what the mean of all does. The share in common, averaged over draws.
    """
    chosen = leaving(averaged(windows))
    if not chosen:
        return 1.0
    shares = []
    for _ in range(RESAMPLES):
        drawn = [windows[place] for place in rng.integers(len(windows), size=len(windows))]
        shares.append(len(chosen & leaving(averaged(drawn))) / len(chosen))
    return mean(shares)


def _kind(branch: NodeId) -> str:
    return branch.rpartition("/")[2]


def _mean_ranks(cells: Sequence[Sequence[tuple[float, NodeId]]]) -> dict[str, float]:
    """Return for each kind of branch its mean rank in the cells that have it: 0 the weakest, 1 the strongest."""
    ranks: dict[str, list[float]] = {}
    for cell in cells:
        for place, (_, branch) in enumerate(sorted(cell)):
            ranks.setdefault(_kind(branch), []).append(place / max(1, len(cell) - 1))
    return {kind: mean(found) for kind, found in ranks.items()}


def _rank(worth: float) -> float:
    return -inf if isnan(worth) else worth
