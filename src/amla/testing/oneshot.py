"""The law of one-shot methods: what is trained open is, in every closing, what that closing is by itself."""

from __future__ import annotations  # learners and tasks are named for type checkers only, so that no library is loaded

from collections.abc import Mapping
from dataclasses import replace
from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from amla.spaces.paths import draw_path, for_all
from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions, close
from amla.testing.backends import HORIZON, LEGS, check_legs, train
from amla.trials.snapshot import PICK, Arrays, Snapshot, weight_name
from amla.trials.trial import Fit, Method, Relax, SamplePaths, Tied

if TYPE_CHECKING:
    from amla.backends.protocol import Backend, Learner
    from amla.tasks.task import Task

PATHS = 2  # that are looked at
SURE = 1e9  # a logit of what a Pick keeps; of what it does not, with the other sign
TOLERANCE = 1e-4  # of the loss, relatively: what sums in another order may come to
RATE = 0.1  # of pick weights, so that they move in few steps


def check_one_shot(
    backend: Backend, task: Task, template: Architecture, *, tied: Tied | None = None, seed: int = 0
) -> None:
    """Raise AssertionError where a backend breaks the law of one-shot methods in training an open `template`.

    By each method two legs are bit for bit one, and training costs what is counted, at least what a closing does. A
    mixture of which every Pick has settled scores as the closed network that was restored from it; so does a path, as
    the closed network restored from what trained one path a step. The loss is on the task's held-out part; Picks that
    are `tied` decide as others do.
    """
    ties, rng = tied or {}, np.random.default_rng(seed)
    paths = tuple(draw_path(template, rng, {}, ties) for _ in range(PATHS))
    first = next(iter(paths[0]))
    favoured = {first: tuple(map(float, range(len(template[first].inputs) - template.picks[first].fixed)))}
    _check_names(backend.build(template, Relax(tied=ties), task, seed).snapshot(), template, paths[0])
    dropped: Mapping[str, tuple[NodeId, ...]] = {"drop_one": template[first].inputs[-1:]}
    for method, probes in (
        (Relax(RATE, tied=ties), dropped),
        (Relax(RATE, unrolled=True, skip=1.0, affine=True, tied=ties), {}),
        (SamplePaths(paths, favoured, tied=ties), {}),
    ):
        check_legs(backend, task, template, method, seed, probes)
    for path in paths:
        _check_settled(backend, task, template, path, ties, seed)
    _check_paths(backend, task, template, paths, ties, seed)


def _check_settled(
    backend: Backend, task: Task, template: Architecture, path: Decisions, tied: Tied, seed: int
) -> None:
    kept = _trained(backend, task, template, Relax(RATE, tied=tied), seed).snapshot()
    settled = replace(kept, weights={**kept.weights, **_settled(template, path, kept.weights)})
    mixture = backend.build(template, Relax(RATE, tied=tied), task, seed)
    mixture.restore(settled)
    child = _child(backend, task, template, path, tied, settled, seed)
    _check_loss(mixture.score().get("loss"), child.score().get("loss"), "A mixture whose Picks have settled", path)
    train(mixture, 1)
    _check_cost(mixture, child)


def _check_paths(
    backend: Backend, task: Task, template: Architecture, paths: tuple[Decisions, ...], tied: Tied, seed: int
) -> None:
    learner = _trained(backend, task, template, SamplePaths(paths, tied=tied), seed)
    learner.score()
    losses, kept = learner.statistics().get("loss", {}), learner.snapshot()
    for place, path in enumerate(paths):
        child = _child(backend, task, template, path, tied, kept, seed)
        _check_loss(losses.get(f"path/{place}"), child.score().get("loss"), f"Path {place}", path)


def _trained(backend: Backend, task: Task, template: Architecture, method: Method, seed: int) -> Learner:
    learner = backend.build(template, method, task, seed)
    learner.watch({})
    learner.fit(LEGS[0], HORIZON, _unheard)
    return learner


def _child(
    backend: Backend, task: Task, template: Architecture, path: Decisions, tied: Tied, kept: Snapshot, seed: int
) -> Learner:
    child = backend.build(close(template, for_all(template, path, tied)), Fit(), task, seed)
    child.restore(kept)
    if child.steps != kept.steps:
        raise AssertionError(f"A closed network restored from step {kept.steps} should go on there, not {child.steps}.")
    return child


def _settled(template: Architecture, path: Decisions, weights: Arrays) -> Arrays:
    """Return pick weights with which every Pick keeps what `path` says."""
    found = {}
    for gene, kept in path.items():
        free = template[gene].inputs[template.picks[gene].fixed :]
        if weight_name(gene, PICK) in weights:
            logits = [SURE if source in kept else -SURE for source in free]
            found[weight_name(gene, PICK)] = np.array(logits, dtype=weights[weight_name(gene, PICK)].dtype)
    return found


def _check_names(mixture: Snapshot, template: Architecture, path: Decisions) -> None:
    for gene in path:
        if (
            template.picks[gene].at_least < len(template[gene].inputs)
            and weight_name(gene, PICK) not in mixture.weights
        ):
            raise AssertionError(f"A mixture's snapshot should have its pick weights; {gene!r} has none.")


def _check_loss(found: float | None, expected: float | None, who: str, path: Decisions) -> None:
    if found is None or expected is None or not isclose(found, expected, rel_tol=TOLERANCE):
        raise AssertionError(f"{who} has a loss of {found}; the closed network has {expected}. The path is {path}.")


def _check_cost(mixture: Learner, child: Learner) -> None:
    train(child, 1)
    mixed, closed = mixture.cost(1).flops, child.cost(1).flops
    if not mixed >= closed:
        raise AssertionError(f"A step of a mixture is counted as {mixed} operations, one of a part of it as {closed}.")


def _unheard(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Let a beat pass."""
