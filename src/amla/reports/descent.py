"""Which network each of a search grew from, read off its history, whichever algorithm wrote it."""

from collections.abc import Mapping
from math import inf, isnan, nan

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.trials.history import History
from amla.trials.trial import Measurement, Trial, TrialId


def parents(history: History, growing: bool, metric: str = "accuracy") -> dict[TrialId, Trial | None]:
    """Return for every trial the one whose weights it inherits; in a growth, the one whose network it grew from.

    That is the last one before it that was measured. If it could not have grown from that, as several prunings of a
    network were tried, it is the best of those by `metric` from which it could, or the network that they grew from. If
    the same network was trained before, as in a run-off, it is the first one that did. Guests grew from none.
    """
    found: dict[TrialId, Trial | None] = {}
    measured: list[Trial] = []
    first, invited = firsts(history), guests(history)
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


def guests(history: History) -> frozenset[TrialId]:
    """Return the trials of a run-off whose networks were not searched for, in a history that may end in one.

    They train longer than the first trial, from new weights, and nothing was made of their networks before.
    """
    seen, found = set[Architecture](), set[TrialId]()
    for trial in history.trials:
        proposal, network = trial.proposal, trial.proposal.architecture
        if proposal.start is None and proposal.budget > history[0].proposal.budget and network not in seen:
            found.add(trial.id)
        seen.add(network)
    return frozenset(found)


def firsts(history: History) -> dict[Architecture, TrialId]:
    """Return for every network the first trial that has measured it."""
    found: dict[Architecture, TrialId] = {}
    for trial in sorted(history.done, key=lambda trial: trial.id):
        found.setdefault(trial.proposal.architecture, trial.id)
    return found


def cells(architecture: Architecture) -> dict[NodeId, tuple[NodeId, ...]]:
    """Return the branches of each cell of each stage, by the cell's address."""
    return {node.id: node.inputs for node in architecture if _is_cell(node)}


def skips(architecture: Architecture) -> tuple[NodeId, ...]:
    """Return the learned skips: Scale nodes that a merge reads."""
    return tuple(
        node.id for node in architecture if isinstance(node.op, ops.Scale) and _feeds_merge(architecture, node)
    )


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


def _is_cell(node: Node) -> bool:
    joins = isinstance(node.op, ops.Merge | ops.Pick) and node.op.how == "concat"
    return joins and "/" in node.id and all(source.startswith(f"{node.id}/") for source in node.inputs)


def _feeds_merge(architecture: Architecture, node: Node) -> bool:
    return any(isinstance(architecture[reader].op, ops.Merge | ops.Pick) for reader in architecture.readers[node.id])
