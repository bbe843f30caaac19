"""PyTorch networks that grow without forgetting."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from made_up import make_task

from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.learner import TorchLearner
from amla.backends.torch.network import write_arrays
from amla.backends.torch.optimisers import WARM_UP
from amla.spaces.envelope import Envelope, envelope
from amla.spec.architecture import Architecture
from amla.tasks.recipe import AdamW, Constant, Muon, Optimiser, Recipe, Sgd
from amla.tasks.task import Task
from amla.testing import check_backend
from amla.trials.inheritance import Inheritance
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Fit

BRANCHES = ("1x1", "3x3", "3x3sep")
SPACES = [("add", (3, 8, 8), None), ("concat", (3, 8, 8), 0.9), ("none", (2, 12), None)]


def quiet(step: int, loss: float, accuracy: float, rate: float) -> None:
    pass


def space(skips: str = "add", shape: tuple[int, ...] = (3, 8, 8)) -> Envelope:
    return envelope(shape, 4, width=9, cells=(1, 1), max_cells=(3, 3), branches=BRANCHES, skips=skips, dropout=0.1)  # type: ignore[arg-type]


def deep(found: Envelope, cells: int) -> Architecture:
    depth = {stage.depth: found.space.template[stage.depth].inputs[cells - 1 : cells] for stage in found.stages}
    return found.space.close({**found.space.fullest(), **depth})


def built(architecture: Architecture, task: Task, seed: int = 0) -> TorchLearner:
    return TorchBackend("cpu").build(architecture, Fit(), task, seed)


def trained(architecture: Architecture, task: Task, steps: int = 10) -> TorchLearner:
    learner = built(architecture, task)
    learner.fit(steps, 100, quiet)
    return learner


def plain(optimiser: Optimiser = Sgd(0.02), ema: float | None = None) -> Recipe:  # noqa: B008 - it is frozen
    return Recipe(16, optimiser, Constant(), ema=ema)


@pytest.mark.parametrize(("skips", "shape", "ema"), SPACES)
def test_a_deeper_network_computes_what_its_parent_computes(skips: str, shape: tuple[int, ...], ema: float | None):
    found, task = space(skips, shape), make_task(shape, recipe=plain(ema=ema))
    parent, child = trained(deep(found, 1), task), built(deep(found, 3), task, seed=1)
    before = child.score()["loss"]
    child.restore(parent.snapshot())
    assert child.score()["loss"] == pytest.approx(parent.score()["loss"], rel=1e-4)
    assert before != pytest.approx(parent.score()["loss"], rel=1e-2)


def test_a_network_without_a_branch_computes_what_its_parent_does_without_it():
    found, task = space(), make_task(recipe=plain())
    parent = trained(deep(found, 1), task)
    left = tuple(f"stage1/cell0/{branch}" for branch in ("1x1", "3x3sep"))
    child = built(found.space.close({**found.space.read(parent.architecture), "stage1/cell0": left}), task, seed=1)
    child.restore(parent.snapshot())  # the branches that are left are wider, too
    images = torch.rand(5, 3, 8, 8)
    for learner in (parent, child):
        learner._network.eval()
    assert torch.allclose(child._network(images), parent._network.without("stage1/cell0/3x3", images), atol=1e-5)
    assert not torch.allclose(child._network(images), parent._network(images), atol=1e-3)


def test_new_normalisations_remember_what_they_were_given():
    found, task = space(), make_task(recipe=plain())
    child = built(deep(found, 2), task, seed=1)
    parent = trained(deep(found, 1), task).snapshot()
    child.restore(parent)
    weights = child.snapshot().weights
    assert np.array_equal(weights["stem/norm.mean"], parent.weights["stem/norm.mean"])
    assert not child._network.modules_by_node()["stem/norm"].training
    norm = "stage0/cell1/3x3/norm"
    assert np.allclose(weights[f"{norm}.scale"] ** 2, weights[f"{norm}.variance"] + 1e-5)
    assert np.array_equal(weights[f"{norm}.shift"], weights[f"{norm}.mean"])
    assert weights[f"{norm}.mean"].any()


@pytest.mark.parametrize(
    ("optimiser", "ema"),
    [(Sgd(0.02), 0.9), (AdamW(), None), (Muon(0.02, other=Sgd(0.02)), 0.9)],
    ids=["sgd, averaged", "adamw", "muon, averaged"],
)
def test_a_leg_that_begins_with_growth_is_bit_for_bit_one(optimiser: Optimiser, ema: float | None):
    """Cut off amid the warm-up or after it, the child goes on as if it had not been."""
    found, task = space(), make_task(recipe=plain(optimiser, ema))
    parent = trained(deep(found, 1), task, 5).snapshot()
    network, legs = deep(found, 2), (3, WARM_UP, 2)
    whole = built(network, task)
    whole.restore(parent)
    whole.fit(sum(legs), 100, quiet)
    kept = parent
    for steps in legs:
        part = built(network, task)
        part.restore(kept)
        part.fit(steps, 100, quiet)
        kept = part.snapshot()
    for ours, theirs in ((kept.weights, whole.snapshot().weights), (kept.resume, whole.snapshot().resume)):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert kept.steps == 5 + sum(legs)


def test_weights_of_new_nodes_move_slowly_at_first():
    found, task = space(), make_task(recipe=plain(Sgd(0.02, momentum=0.0)))
    parent = trained(deep(found, 1), task, 5).snapshot()
    child = built(deep(found, 2), task)
    child.restore(parent)
    unheld = built(deep(found, 2), task)
    unheld.restore(parent)
    unheld._mover.warm({})
    before = child.snapshot().weights
    for learner in (child, unheld):
        learner.fit(1, 100, quiet)
    new, old = "stage0/cell1/3x3/conv.kernel", "stage0/cell0/3x3/conv.kernel"
    moved, free = (learner.snapshot().weights for learner in (child, unheld))
    assert np.array_equal(moved[old], free[old])
    assert np.allclose(moved[new] - before[new], (free[new] - before[new]) / WARM_UP, atol=1e-7)
    assert child._mover.young
    child.fit(WARM_UP - 1, 100, quiet)
    assert not child._mover.young


def test_momentum_is_inherited():
    found, task = space(), make_task(recipe=plain())
    parent = trained(deep(found, 1), task).snapshot()
    child = built(deep(found, 2), task)
    child.restore(parent)
    resume = child.snapshot().resume
    name = "momentum_buffer/stem/conv.kernel"
    assert np.array_equal(resume[name], parent.resume[name])
    assert not resume["momentum_buffer/stage0/cell1/3x3/conv.kernel"].any()


def test_what_another_library_remembers_is_left_alone():
    found, task = space(), make_task(recipe=plain())
    parent = trained(deep(found, 1), task).snapshot()
    foreign = Snapshot(parent.architecture, "fit", 30, parent.weights, {"mu/stem/conv.kernel": np.ones(3)})
    child = built(deep(found, 2), task)
    child.restore(foreign)
    child.fit(2, 100, quiet)
    assert child.steps == 32


def by_name(learner: TorchLearner, snapshot: Snapshot) -> None:
    """Inherit what has the same name and shape: what nothing that changed its width has."""
    write_arrays(learner._tensors, snapshot.weights)
    learner.steps = snapshot.steps


def as_is(inheritance: object, node: object, role: str, fresh: object) -> object:
    """Let new nodes begin as if there had been nothing before them."""
    return fresh


def begins_anew(
    learner: TorchLearner, snapshot: Snapshot, inherit: Callable[..., None] = TorchLearner._inherit
) -> None:
    inherit(learner, snapshot)
    learner.steps = 0


@pytest.mark.parametrize(
    ("whose", "what", "fault", "broken"),
    [
        (TorchLearner, "_inherit", by_name, "made without 'stage0/cell0/1x1' has a loss"),
        (Inheritance, "_begun", as_is, "made deeper has a loss"),
        (TorchLearner, "_inherit", begins_anew, "should go on there; it is at 0"),
    ],
)
def test_the_law_finds_those_that_forget(
    monkeypatch: pytest.MonkeyPatch, whose: object, what: str, fault: Callable[..., None], broken: str
):
    monkeypatch.setattr(whose, what, fault)
    found = envelope((3, 8, 8), 4, width=9, cells=(1,), max_cells=(1,), branches=BRANCHES, head_dropout=0.0)
    with pytest.raises(AssertionError, match=broken):
        check_backend(TorchBackend("cpu"), make_task(recipe=plain()), found.space.close(found.initial()))
