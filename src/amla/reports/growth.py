"""What each construction of a search did: which branches left and which came, what it cost and how well it did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from amla.reports.descent import cells, firsts, is_growth, parents, skips
from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import Costs, costs, shapes
from amla.spec.supernet import supernet
from amla.spec.values import SpecError
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Trial, TrialId


@dataclass(frozen=True)
class Standing:
    """What a branch or skip was worth: its reading, and its rank `of` so many that it competed with, 1 the weakest."""

    reading: float
    rank: int
    of: int


@dataclass(frozen=True)
class Construction:
    """One trial of a search, set against the construction it grew from: trial `parent`, or None where there is none.

    A branch is an input of a cell, a cell a concatenation of what lies under its own address ("stage0/cell1" of
    "stage0/cell1/3x3"), and a cell's stage the address above it. `cells` counts cells by stage, and `widths` are the
    channels of each stage; `depth` is the most layers with weights, norms apart, that lie on one way through.
    `standings` says how the branches and skips that left had stood in the parent. `inherits` is the trial whose weights
    it began with, `repeats` the first one that trained the same network. Numbers that are not known (of an open
    network, of a trial that runs or failed) are None.
    """

    trial: TrialId
    parent: TrialId | None
    inherits: TrialId | None
    repeats: TrialId | None
    failure: Failure | None
    is_running: bool
    branches: int
    pruned: tuple[NodeId, ...]
    added: tuple[NodeId, ...]
    skips: int
    skips_pruned: tuple[NodeId, ...]
    standings: Mapping[NodeId, Standing]
    cells: Mapping[NodeId, int]
    depth: int
    widths: tuple[int, ...]
    parameters: int | None
    macs: int | None
    metric: float | None
    loss: float | None
    seconds: float | None
    steps: int

    @property
    def changed(self) -> bool:
        """Whether branches or skips left or came."""
        return bool(self.pruned or self.added or self.skips_pruned)


def constructions(history: History, metric: str = "accuracy", grows: bool | None = None) -> tuple[Construction, ...]:
    """Return what each trial of `history` did, in the order in which they were asked for.

    Without `grows`, it is read off the history whether each network grew from the one before: see `is_growth`.
    """
    found = parents(history, is_growth(history, metric) if grows is None else grows, metric)
    statistic, first = ranking(history), firsts(history)
    return tuple(
        _construction(trial, found[trial.id], first.get(trial.proposal.architecture), metric, statistic)
        for trial in history.trials
    )


def ranking(history: History) -> str | None:
    """Return the statistic by which branches were compared: the probe that read the most of them, or None."""
    seen: Counter[str] = Counter()
    for trial in history.done:
        branches = {branch for inputs in cells(trial.proposal.architecture).values() for branch in inputs}
        for probe, readings in trial.measurement.statistics.items():
            seen[probe] += len(branches & readings.keys())
    best = seen.most_common(1)
    return best[0][0] if best and best[0][1] else None


def _standings(parent: Trial | None, statistic: str | None) -> dict[NodeId, Standing]:
    """Return how the branches of each stage stood, by the statistic, and the skips of each cell, by their scales."""
    if parent is None or not isinstance(parent.outcome, Measurement):
        return {}
    network, found = parent.proposal.architecture, dict[NodeId, Standing]()
    rivals: dict[NodeId, dict[NodeId, float]] = {}
    read = parent.outcome.statistics.get(statistic or "", {})
    for cell, branches in cells(network).items():
        rivals.setdefault(cell.rpartition("/")[0], {}).update({b: read[b] for b in branches if b in read})
    others = [table for name, table in parent.outcome.statistics.items() if name != statistic] or [read]
    for skip in skips(network):
        if readings := [abs(table[skip]) for table in others if skip in table]:
            rivals.setdefault(skip.rpartition("/")[0], {})[skip] = readings[0]
    for among in rivals.values():
        ranked = sorted(among, key=lambda node: (among[node], node))
        found |= {node: Standing(among[node], rank, len(ranked)) for rank, node in enumerate(ranked, 1)}
    return found


def _widths(architecture: Architecture) -> tuple[int, ...]:
    """Return the channels of each stage: of its last cell."""
    try:
        found = shapes(architecture)
    except SpecError:
        return ()
    return tuple({cell.rpartition("/")[0]: found[cell][0] for cell in cells(architecture)}.values())


def _construction(
    trial: Trial, parent: Trial | None, first: TrialId | None, metric: str, statistic: str | None
) -> Construction:
    now, outcome = trial.proposal.architecture, trial.outcome
    before = parent.proposal.architecture if parent else now
    measured = outcome if isinstance(outcome, Measurement) else None
    counted = _costs(now)
    branches, skipping = _branches(now), skips(now)
    pruned = tuple(branch for branch in _branches(before) if branch not in now)
    skips_pruned = tuple(skip for skip in skips(before) if skip not in now)
    stood = _standings(parent, statistic)
    return Construction(
        trial=trial.id,
        parent=parent.id if parent else None,
        inherits=trial.proposal.start,
        repeats=first if first is not None and first < trial.id and trial.proposal.start is None else None,
        failure=outcome if isinstance(outcome, Failure) else None,
        is_running=trial.is_running,
        branches=len(branches),
        pruned=pruned,
        added=tuple(branch for branch in branches if branch not in before),
        skips=len(skipping),
        skips_pruned=skips_pruned,
        standings={node: stood[node] for node in (*pruned, *skips_pruned) if node in stood},
        cells=Counter(cell.rpartition("/")[0] for cell in cells(now)),
        depth=_depth(now),
        widths=_widths(now),
        parameters=counted.parameters if counted else None,
        macs=counted.macs if counted else None,
        metric=measured.metrics.get(metric) if measured else None,
        loss=measured.metrics.get("loss") if measured else None,
        seconds=outcome.seconds if outcome else None,
        steps=trial.proposal.budget,
    )


def _branches(architecture: Architecture) -> tuple[NodeId, ...]:
    return tuple(branch for inputs in cells(architecture).values() for branch in inputs)


def _depth(architecture: Architecture) -> int:
    found = dict[NodeId, int]()
    for node in architecture:
        here = isinstance(node.op, ops.Conv | ops.Depthwise | ops.Dense | ops.Classify)
        found[node.id] = here + max((found[source] for source in node.inputs), default=0)
    return max(found.values())


def _costs(architecture: Architecture) -> Costs | None:
    try:
        return costs(supernet(architecture))
    except SpecError:  # what made the trial infeasible
        return None
