"""What each construction of a search did: which branches left and which came, what it cost and how well it did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import Costs, costs
from amla.spec.values import SpecError
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Trial, TrialId


@dataclass(frozen=True)
class Construction:
    """One trial of a search, set against the construction it grew from: trial `parent`, or None where there is none.

    A branch is an input of a cell, a cell a concatenation of what lies under its own address ("stage0/cell1" of
    "stage0/cell1/3x3"), and a cell's stage the address above it. `cells` counts cells by stage. Numbers that are not
    known (of an open network, of a trial that runs or failed) are None.
    """

    trial: TrialId
    parent: TrialId | None
    failure: Failure | None
    is_running: bool
    branches: int
    pruned: tuple[NodeId, ...]
    added: tuple[NodeId, ...]
    skips: int
    skips_pruned: tuple[NodeId, ...]
    cells: Mapping[NodeId, int]
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
    growing = is_growth(history) if grows is None else grows
    return tuple(_construction(trial, _parent(trial, history, growing), metric) for trial in history.trials)


def is_growth(history: History) -> bool:
    """Return whether each network of `history` was made from the last one measured before it.

    True if cells only ever lose branches or are new as a whole, which unrelated networks of one space hardly ever
    do in a row, and if something changed at all.
    """
    pairs = [
        (parent.proposal.architecture, trial.proposal.architecture)
        for trial in history.trials
        if (parent := _parent(trial, history, growing=True)) is not None
    ]
    return any(before != now for before, now in pairs) and all(_grew(before, now) for before, now in pairs)


def cells(architecture: Architecture) -> dict[NodeId, tuple[NodeId, ...]]:
    """Return the branches of each cell of each stage, by the cell's address."""
    return {node.id: node.inputs for node in architecture if _is_cell(node)}


def skips(architecture: Architecture) -> tuple[NodeId, ...]:
    """Return the learned skips: Scale nodes that a merge reads."""
    return tuple(
        node.id for node in architecture if isinstance(node.op, ops.Scale) and _feeds_merge(architecture, node)
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


def _parent(trial: Trial, history: History, growing: bool) -> Trial | None:
    """Return the trial whose weights this one inherits, or in a growth the last one before it that was measured."""
    if trial.proposal.start is not None:
        return history[trial.proposal.start]
    earlier = (history[i] for i in range(trial.id - 1, -1, -1))
    return next((other for other in earlier if isinstance(other.outcome, Measurement)), None) if growing else None


def _grew(before: Architecture, now: Architecture) -> bool:
    old, new = cells(before), cells(now)
    shared = old.keys() & new.keys()
    return bool(shared) and all(set(new[cell]) <= set(old[cell]) for cell in shared)


def _construction(trial: Trial, parent: Trial | None, metric: str) -> Construction:
    now, outcome = trial.proposal.architecture, trial.outcome
    before = parent.proposal.architecture if parent else now
    measured = outcome if isinstance(outcome, Measurement) else None
    counted = _costs(now)
    branches, skipping = _branches(now), skips(now)
    return Construction(
        trial=trial.id,
        parent=parent.id if parent else None,
        failure=outcome if isinstance(outcome, Failure) else None,
        is_running=trial.is_running,
        branches=len(branches),
        pruned=tuple(branch for branch in _branches(before) if branch not in now),
        added=tuple(branch for branch in branches if branch not in before),
        skips=len(skipping),
        skips_pruned=tuple(skip for skip in skips(before) if skip not in now),
        cells=Counter(cell.rpartition("/")[0] for cell in cells(now)),
        parameters=counted.parameters if counted else None,
        macs=counted.macs if counted else None,
        metric=measured.metrics.get(metric) if measured else None,
        loss=measured.metrics.get("loss") if measured else None,
        seconds=outcome.seconds if outcome else None,
        steps=trial.proposal.budget,
    )


def _branches(architecture: Architecture) -> tuple[NodeId, ...]:
    return tuple(branch for inputs in cells(architecture).values() for branch in inputs)


def _is_cell(node: Node) -> bool:
    joins = isinstance(node.op, ops.Merge | ops.Pick) and node.op.how == "concat"
    return joins and "/" in node.id and all(source.startswith(f"{node.id}/") for source in node.inputs)


def _feeds_merge(architecture: Architecture, node: Node) -> bool:
    return any(isinstance(architecture[reader].op, ops.Merge | ops.Pick) for reader in architecture.readers[node.id])


def _costs(architecture: Architecture) -> Costs | None:
    try:
        return costs(architecture)
    except SpecError:  # still open, or what made the trial infeasible
        return None
