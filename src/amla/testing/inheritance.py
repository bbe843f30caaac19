"""The law of inheritance: a network that was made from a trained one computes what that one computed."""

from __future__ import annotations  # learners and tasks are named for type checkers only, so that no library is loaded

from collections.abc import Iterator
from dataclasses import replace
from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import shapes
from amla.spec.values import SpecError
from amla.trials.snapshot import Arrays, Snapshot, weight_name
from amla.trials.trial import Fit

if TYPE_CHECKING:
    from amla.backends.protocol import Backend, Learner
    from amla.tasks.task import Task

STEPS = 2  # of the parent's training
HORIZON = 5
TOLERANCE = 1e-3  # of the loss, relatively: what sums in another order may come to


def check_inheritance(backend: Backend, task: Task, architecture: Architecture, seed: int) -> None:
    """Raise AssertionError where networks that were made from `architecture` do not inherit what it has learned.

    With a node more that computes nothing, a network has the same weights bit for bit; without a branch, the loss of
    the one whose branch puts out zeros; with a wider convolution, or one more that only new nodes read, the same
    loss. Each is at the step at which the one before was, and can be trained on. Loss is on the task's held-out part;
    a variation for which `architecture` has no place is left out.
    """
    parent = backend.build(architecture, Fit(), task, seed)
    parent.fit(STEPS, HORIZON, _unheard)
    kept = parent.snapshot()
    child = _restored(backend, task, longer(architecture), kept, seed + 1)
    if name := _difference(child.snapshot().weights, kept.weights):
        raise AssertionError(f"Another network restored from a snapshot did not inherit {name!r}.")
    if child.steps != STEPS:
        raise AssertionError(f"Another network restored from step {STEPS} should go on there; it is at {child.steps}.")
    loss = parent.score().get("loss")
    if pruned := next(without_branches(architecture), None):
        branch, network = pruned
        silent = backend.build(architecture, Fit(), task, seed)
        silent.restore(replace(kept, weights=_silenced(kept.weights, architecture, branch)))
        child = _restored(backend, task, network, kept, seed + 1)
        _check_loss(child, silent.score().get("loss"), f"without {branch!r}", "with that branch's output at 0")
    for how, found in (("wider", next(wider(architecture), None)), ("deeper", deeper(architecture))):
        if found:
            _check_loss(_restored(backend, task, found, kept, seed + 1), loss, how, "that it was made from")


def longer(architecture: Architecture) -> Architecture:
    """Return a network with the same weights and one node more, before its output."""
    *body, output = architecture
    more = Node("one-node-more", ops.Identity(), output.inputs[:1])
    return Architecture((*body, more, replace(output, inputs=(more.id, *output.inputs[1:]))))


def without_branches(architecture: Architecture) -> Iterator[tuple[NodeId, Architecture]]:
    """Yield networks without one branch of a concatenation, and that branch: a ReLU of a batch normalisation."""
    for node in architecture:
        if isinstance(node.op, ops.Merge) and node.op.how == "concat" and len(node.inputs) > 1:
            for branch in node.inputs:
                if architecture.readers[branch] == (node.id,) and _normalised(architecture, branch):
                    left = replace(node, inputs=tuple(source for source in node.inputs if source != branch))
                    network = _living(tuple(left if other is node else other for other in architecture))
                    if _fits(network):
                        yield branch, network


def wider(architecture: Architecture) -> Iterator[Architecture]:
    """Yield networks of which one convolution has a channel more, where nothing normalises over channels."""
    if any(isinstance(node.op, ops.LayerNorm | ops.ResponseNorm) for node in architecture):
        return
    for node in architecture:
        if isinstance(node.op, ops.Conv) and node.op.channels and node.op.groups == 1:
            more = replace(node, op=replace(node.op, channels=node.op.channels + 1))
            network = Architecture(tuple(more if other is node else other for other in architecture))
            if _fits(network) and shapes(network)[network.output.id] == shapes(architecture)[network.output.id]:
                yield network


def deeper(architecture: Architecture) -> Architecture | None:
    """Return a network with a convolution of 3, batch normalisation and ReLU more after its last ReLU of images."""
    found = shapes(architecture)
    for node in reversed(architecture.nodes):
        channels, *extents = found[node.id]
        if node.op == ops.Activation("relu") and extents and node is not architecture.output:
            more = (
                Node("one-cell-more/conv", ops.Conv(channels, (3,) * len(extents)), (node.id,)),
                Node("one-cell-more/norm", ops.BatchNorm(), ("one-cell-more/conv",)),
                Node("one-cell-more", ops.Activation("relu"), ("one-cell-more/norm",)),
            )
            place = architecture.nodes.index(node) + 1
            later = [_reading(other, node.id, "one-cell-more") for other in architecture.nodes[place:]]
            return Architecture((*architecture.nodes[:place], *more, *later))
    return None


def _reading(node: Node, old: NodeId, new: NodeId) -> Node:
    return replace(node, inputs=tuple(new if source == old else source for source in node.inputs))


def _normalised(architecture: Architecture, branch: NodeId) -> bool:
    node = architecture[branch]
    before = architecture[node.inputs[0]] if node.inputs else node
    full = isinstance(before.op, ops.BatchNorm) and before.op.scale and before.op.shift
    return node.op == ops.Activation("relu") and full and architecture.readers[before.id] == (branch,)


def _silenced(weights: Arrays, architecture: Architecture, branch: NodeId) -> Arrays:
    norm = architecture[branch].inputs[0]
    names = [weight_name(norm, role) for role in ("scale", "shift")]
    return {**weights, **{name: np.zeros_like(weights[name]) for name in names}}


def _living(nodes: tuple[Node, ...]) -> Architecture:
    """Return the network of those `nodes` from which a path leads to the last one."""
    wanted = {nodes[-1].id}
    for node in reversed(nodes):
        wanted |= set(node.inputs) if node.id in wanted else set()
    return Architecture(tuple(node for node in nodes if node.id in wanted))


def _fits(architecture: Architecture) -> bool:
    try:
        shapes(architecture)
    except SpecError:
        return False
    return True


def _restored(backend: Backend, task: Task, network: Architecture, kept: Snapshot, seed: int) -> Learner:
    learner = backend.build(network, Fit(), task, seed)
    learner.restore(kept)
    return learner


def _check_loss(child: Learner, expected: float | None, how: str, whom: str) -> None:
    found = child.score().get("loss")
    if found is not None and expected is not None and not isclose(found, expected, rel_tol=TOLERANCE):
        raise AssertionError(f"A network made {how} has a loss of {found:.6g}; it should be {expected:.6g}, as {whom}.")
    child.fit(1, HORIZON, _unheard)


def _difference(one: Arrays, other: Arrays) -> str | None:
    names = sorted(one.keys() | other.keys())
    return next((n for n in names if n not in one or n not in other or not np.array_equal(one[n], other[n])), None)


def _unheard(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Let a beat pass."""
