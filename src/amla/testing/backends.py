"""The law of backends: legs add up bit for bit, weights have canonical names and shapes, seeds are all the chance."""

from __future__ import annotations  # learners and tasks are named for type checkers only, so that no library is loaded

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import buffers, costs, shapes, weights
from amla.spec.ops import Size
from amla.testing.inheritance import check_inheritance
from amla.trials.snapshot import Arrays, Snapshot, weight_name
from amla.trials.trial import Fit, Method

if TYPE_CHECKING:
    from amla.backends.protocol import Backend, Learner
    from amla.tasks.task import Task

LEGS = (2, 3)  # optimiser steps
HORIZON = sum(LEGS)
WATCHED: Mapping[str, tuple[NodeId, ...]] = {"msss": ()}


def check_backend(
    backend: Backend,
    task: Task,
    architecture: Architecture,
    *,
    seed: int = 0,
    probes: Mapping[str, tuple[NodeId, ...]] = WATCHED,
) -> None:
    """Raise AssertionError where a backend breaks its law in training a closed `architecture` on `task`.

    Two legs are bit for bit one, their `probes` too, through a snapshot that further training leaves alone; a snapshot
    has exactly the weights that the specification counts, in its shapes; a seed gives the same network each time,
    another seed another one; scoring changes nothing; and a network that was made from this one inherits what it has
    learned (`amla.testing.inheritance`).
    """
    start, same, other = (backend.build(architecture, Fit(), task, s).snapshot() for s in (seed, seed, seed + 1))
    _check_weights(start, architecture)
    _check_same(same, start, "A learner with the same seed")
    if _difference(other.weights, start.weights) is None:
        raise AssertionError(f"Seeds {seed} and {seed + 1} give the same weights.")
    check_legs(backend, task, architecture, Fit(), seed, probes)
    check_inheritance(backend, task, architecture, seed)


def check_legs(
    backend: Backend,
    task: Task,
    architecture: Architecture,
    method: Method,
    seed: int,
    probes: Mapping[str, tuple[NodeId, ...]],
) -> None:
    """Raise AssertionError unless two legs of training by `method` are bit for bit one."""
    whole, first, second = (backend.build(architecture, method, task, seed) for _ in range(3))
    for learner in (whole, first, second):
        learner.watch(probes)
    train(whole, HORIZON)
    train(first, LEGS[0])
    between = first.snapshot()
    before = {name: np.array(array) for name, array in (*between.weights.items(), *between.resume.items())}
    first.score()
    train(first, LEGS[1])
    _check_same(first.snapshot(), whole.snapshot(), "A learner that was saved and scored in between")
    if name := _difference({**between.weights, **between.resume}, before):
        raise AssertionError(f"{name!r} in a snapshot changed when its learner went on; a snapshot is a copy.")
    second.restore(between)
    train(second, LEGS[1])
    _check_same(second.snapshot(), whole.snapshot(), "A learner restored in between")
    for what in ("statistics", "score"):
        one, two = getattr(second, what)(), getattr(whole, what)()
        if one != two:
            raise AssertionError(f"{what}() of a learner restored in between is {one}; of one never cut off, {two}.")


def train(learner: Learner, steps: int) -> None:
    """Train for `steps`, and raise AssertionError unless the learner has counted them."""
    before = learner.steps
    learner.fit(steps, HORIZON, _unheard)
    if learner.steps != before + steps:
        raise AssertionError(f"A learner fitted for {steps} steps from step {before} says it is at {learner.steps}.")


def _unheard(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Let a beat pass."""


def _check_weights(snapshot: Snapshot, architecture: Architecture) -> None:
    found = {name: array.shape for name, array in snapshot.weights.items()}
    sizes = shapes(architecture)
    trained: dict[str, Size] = {}
    expected: dict[str, Size] = {}
    for node in architecture:
        source = sizes[node.inputs[0]] if node.inputs else ()
        trained |= _named(node.id, weights(node.op, source))
        expected |= _named(node.id, weights(node.op, source) | buffers(node.op, source))
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise AssertionError(f"Weight {name!r} has shape {found.get(name)}; it should be {expected.get(name)}.")
    if (count := sum(prod(shape) for shape in trained.values())) != (
        counted := costs(architecture).training_parameters
    ):
        raise AssertionError(f"The trained weights hold {count} numbers; counted are {counted}.")


def _named(node_id: NodeId, roles: Mapping[str, Size]) -> dict[str, Size]:
    return {weight_name(node_id, role): shape for role, shape in roles.items()}


def _check_same(one: Snapshot, other: Snapshot, who: str) -> None:
    if one.steps != other.steps or one.method != other.method or one.architecture != other.architecture:
        raise AssertionError(f"{who} saves other steps, another method or another architecture than one that was not.")
    for kind, ours, theirs in (("weight", one.weights, other.weights), ("state", one.resume, other.resume)):
        if name := _difference(ours, theirs):
            raise AssertionError(f"{who} differs in {kind} {name!r}; it should be the same bit for bit.")


def _difference(one: Arrays, other: Arrays) -> str | None:
    """Return the name of an array that is not the same in both, or None."""
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other or one[name].dtype != other[name].dtype:
            return name
        if one[name].shape != other[name].shape or one[name].tobytes() != other[name].tobytes():
            return name
    return None
