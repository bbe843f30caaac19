"""What each construction of a search did: which branches left and which came, what it cost and how well it did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan, nan

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
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
    channels of each stage. `standings` says how the branches and skips that left had stood in the parent. `inherits`
    is the trial whose weights it began with, `repeats` the first one that trained the same network. Numbers that are
    not known (of an open network, of a trial that runs or failed) are None.
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
    statistic, first = ranking(history), _firsts(history)
    return tuple(
        _construction(trial, found[trial.id], first.get(trial.proposal.architecture), metric, statistic)
        for trial in history.trials
    )


def is_growth(history: History, metric: str = "accuracy") -> bool:
    """Return whether each network of `history` was made from the last one measured before it, or its parent.

    True if cells only ever lose branches or are new as a whole, which unrelated networks of one space hardly ever
    do in a row, and if something changed at all.
    """
    found = parents(history, growing=True, metric=metric)
    pairs = [
        (parent.proposal.architecture, trial.proposal.architecture)
        for trial in history.trials
        if (parent := found[trial.id]) is not None
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


def parents(history: History, growing: bool, metric: str = "accuracy") -> dict[TrialId, Trial | None]:
    """Return for every trial the one whose weights it inherits; in a growth, the one whose network it grew from.

    That is the last one before it that was measured. If it could not have grown from that, as several prunings of a
    network were tried, it is the best of those by `metric` from which it could, or the network that they grew from. If
    the same network was trained before, as in a run-off, it is the first one that did. Guests grew from none.
    """
    found: dict[TrialId, Trial | None] = {}
    measured: list[Trial] = []
    first, invited = _firsts(history), guests(history)
    for trial in history.trials:
        grew = growing and measured and trial.id not in invited
        found[trial.id] = _grown_from(trial, measured, found, metric) if grew else None
        if growing and (known := first.get(trial.proposal.architecture, trial.id)) < trial.id:
            found[trial.id] = history[known]
        if trial.proposal.start is not None:
            found[trial.id] = history[trial.proposal.start]
        if isinstance(trial.outcome, Measurement):
            measured.append(trial)
    return found


def guests(history: History) -> frozenset[TrialId]:
    """Return the trials of a run-off whose networks were not searched for, in a history that may end in one.

    They train longer than the first trial, from new weights, and nothing was made of their networks before.
    """
    seen, found = set[Architecture](), set[TrialId]()
    for trial in history.trials:
        proposal = trial.proposal
        if (
            proposal.start is None
            and proposal.budget > history[0].proposal.budget
            and proposal.architecture not in seen
        ):
            found.add(trial.id)
        seen.add(proposal.architecture)
    return frozenset(found)


def _firsts(history: History) -> dict[Architecture, TrialId]:
    """Return for every network the first trial that has measured it."""
    found: dict[Architecture, TrialId] = {}
    for trial in sorted(history.done, key=lambda trial: trial.id):
        found.setdefault(trial.proposal.architecture, trial.id)
    return found


def _grown_from(trial: Trial, measured: list[Trial], parents: Mapping[TrialId, Trial | None], metric: str) -> Trial:
    last = measured[-1]
    root = parents[last.id] or last
    now = trial.proposal.architecture
    possible = [o for o in reversed(measured) if o.id >= root.id and _grew(o.proposal.architecture, now)]
    # One that was tried beside this one may have the same branches and fewer cells: that is no parent.
    likely = [other for other in possible if _lost_branches(other.proposal.architecture, now)] or possible
    if not likely:
        return last
    beside = [other for other in likely if parents[other.id] == parents[likely[0].id]]
    return max(beside, key=lambda other: _reading(other, metric))


def _grew(before: Architecture, now: Architecture) -> bool:
    old, new = cells(before), cells(now)
    return bool(old) and old.keys() <= new.keys() and all(set(new[cell]) <= set(old[cell]) for cell in old)


def _lost_branches(before: Architecture, now: Architecture) -> bool:
    new = cells(now)
    return any(set(branches) - set(new[cell]) for cell, branches in cells(before).items())


def _reading(trial: Trial, metric: str) -> float:
    found = trial.measurement.metrics.get(metric, nan)
    return -inf if isnan(found) else found


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


def _is_cell(node: Node) -> bool:
    joins = isinstance(node.op, ops.Merge | ops.Pick) and node.op.how == "concat"
    return joins and "/" in node.id and all(source.startswith(f"{node.id}/") for source in node.inputs)


def _feeds_merge(architecture: Architecture, node: Node) -> bool:
    return any(isinstance(architecture[reader].op, ops.Merge | ops.Pick) for reader in architecture.readers[node.id])


def _costs(architecture: Architecture) -> Costs | None:
    try:
        return costs(supernet(architecture))
    except SpecError:  # what made the trial infeasible
        return None
