"""Training with PyTorch: legs, recipes, averaged weights, probes, failures."""

import numpy as np
import pytest
import torch
from made_up import make_task

from amla.backends.protocol import Diverged
from amla.backends.torch.backend import TorchBackend
from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.tasks.recipe import (
    AdamW,
    Augment,
    Constant,
    Cosine,
    Exponential,
    Muon,
    OneCycle,
    Recipe,
    Restarts,
    Sgd,
    Small,
    Steps,
)
from amla.tasks.task import Task
from amla.testing import check_backend
from amla.trials.trial import Fit


def small(shape: tuple[int, ...] = (3, 8, 8), classes: int = 4, dropout: float = 0.1) -> Architecture:
    space = envelope(shape, classes, width=8, cells=(2, 1), max_cells=(2, 1), dropout=dropout)
    return space.space.close(space.initial())


def quiet(step: int, loss: float, accuracy: float, rate: float) -> None:
    pass


RECIPES = {
    "sgd": Recipe(16, augment=Augment(flip=True, shift=1, cutout=2)),
    "adamw, averaged": Recipe(16, AdamW(), OneCycle(), ema=0.9),
    "sgd, averaged, clipped, smoothed": Recipe(16, Sgd(0.05), Steps(), clip=1.0, ema=0.99, label_smoothing=0.1),
    "no momentum": Recipe(16, Sgd(0.05, momentum=0.0), Constant(0.2)),
    "decoupled, reflected, alternately mirrored": Recipe(
        16, Sgd(0.05, decoupled=True), augment=Augment(flip="alternate", shift=1, border="reflect"), shift_rate=8.0
    ),
    "orthogonal": Recipe(16, Muon(0.02, other=Sgd(0.05)), start="identity", whiten=True, score_mirrored=True),
    "orthogonal, on the sphere, small at first": Recipe(16, Muon(0.1, on_sphere=True), small=Small(0.75, 0.4)),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_law_of_backends_holds(recipe: Recipe) -> None:
    probes = {"msss": (), "variance": ("stage0/cell0/3x3", "stem"), "scale": ()}
    check_backend(TorchBackend("cpu"), make_task(recipe=recipe), small(), probes=probes)


@pytest.mark.parametrize("shape", [(2, 12), (1, 6, 5, 4)])
def test_the_law_holds_for_series_and_volumes(shape: tuple[int, ...]) -> None:
    recipe = Recipe(16, augment=Augment(flip=True, shift=1, cutout=2))
    check_backend(TorchBackend("cpu"), make_task(shape, recipe=recipe), small(shape))


def test_probes_read_what_was_computed(task: Task) -> None:
    architecture = small(dropout=0.0)
    learner = TorchBackend("cpu").build(architecture, Fit(), task, 0)
    branches = tuple(f"stage0/cell0/{name}" for name in ("1x1", "3x3", "5x5", "3x3sep", "5x5sep", "7x7sep"))
    apart = {"mean": ("stem",), "mean_sum": ("stem",), "variance_sum": ("stem",), "msss_sum": branches[:2]}
    learner.watch({"msss": branches, "variance": branches, **apart})
    seen = []
    network = learner._network
    hook = network.register_forward_hook(
        lambda *_: seen.append({i: t.detach().clone() for i, t in network.seen.items()})
    )
    learner.fit(3, 3, quiet)
    hook.remove()
    statistics = learner.statistics()
    place = 0
    for branch in architecture["stage0/cell0"].inputs:
        channels = network.channels[branch]
        h = torch.stack([s["stage0/cell0"][:, place : place + channels] for s in seen]).double()
        place += channels
        squares = (h * h).mean((0, 1, 3, 4))
        assert statistics["msss"][branch] == pytest.approx(squares.mean().item(), rel=1e-5)
        variance = squares - h.mean((0, 1, 3, 4)) ** 2
        assert statistics["variance"][branch] == pytest.approx(variance.mean().item(), rel=1e-4)
        if branch in statistics["msss_sum"]:
            assert statistics["msss_sum"][branch] == pytest.approx(squares.sum().item(), rel=1e-5)
    stem = torch.stack([s["stem"] for s in seen]).double()
    assert statistics["mean"]["stem"] == pytest.approx(stem.mean().item(), rel=1e-5)
    assert statistics["mean_sum"]["stem"] == pytest.approx(8 * stem.mean().item(), rel=1e-5)


def test_a_learned_scale_is_read_by_its_size(task: Task) -> None:
    learner = TorchBackend("cpu").build(small(), Fit(), task, 0)
    learner.watch({"scale": ()})
    assert learner.statistics()["scale"] == pytest.approx({"stage0/cell1/from-stem": 0.5}, abs=0.05)


def test_training_learns(task: Task) -> None:
    learner = TorchBackend("cpu").build(small(dropout=0.0), Fit(), task, 0)
    before = learner.score()["loss"]
    lines = []
    learner.fit(40, 40, lambda *line: lines.append(line))
    assert [line[0] for line in lines] == [10, 20, 30, 40]
    assert lines[-1][1] < lines[0][1]
    assert learner.score()["loss"] < before


def test_averaged_weights_are_scored_and_the_raw_ones_trained() -> None:
    task = make_task(recipe=Recipe(16, Sgd(0.1), ema=0.99))
    learner = TorchBackend("cpu").build(small(), Fit(), task, 0)
    learner.fit(5, 5, quiet)
    raw = {name: tensor.detach().clone() for name, tensor in learner._tensors.items()}
    learner.score()
    assert all(torch.equal(raw[name], tensor) for name, tensor in learner._tensors.items())
    averaged = learner.snapshot().weights
    assert any(not np.array_equal(raw[name].numpy(), averaged[name]) for name in raw)


def test_a_loss_that_is_not_finite_is_divergence() -> None:
    task = make_task(recipe=Recipe(16, Sgd(1e12), Constant()))
    learner = TorchBackend("cpu").build(small(), Fit(), task, 0)
    with pytest.raises(Diverged, match=r"loss was (nan|inf) at step \d+, with a learning rate of 1e\+12"):
        learner.fit(50, 50, quiet)


def test_the_test_part_is_scored_by_class(task: Task) -> None:
    learner = TorchBackend("cpu").build(small(), Fit(), task.test(), 0)
    metrics = learner.score()
    right = sum(metrics[f"right/{number}"] for number in range(4))
    assert right / metrics["examples"] == pytest.approx(metrics["accuracy"])
    assert sum(metrics[f"examples/{number}"] for number in range(4)) == metrics["examples"] == 16


def test_the_final_task_fits_all_but_the_test_part_and_scores_nothing(task: Task) -> None:
    learner = TorchBackend("cpu").build(small(), Fit(), task.final(), 0)
    assert learner.score() == {}
    assert len(task.final().fitting.labels) == 80 - 16


def test_a_network_without_kernels_or_a_part_of_them_trains(task: Task) -> None:
    nodes = (
        Node("x", ops.Input((3, 8, 8))),
        Node("s", ops.Scale(), ("x",)),
        Node("g", ops.GlobalPool(), ("s",)),
        Node("y", ops.Classify(4), ("g",)),
    )
    learner = TorchBackend("cpu").build(Architecture(nodes), Fit(), task, 0)
    learner.fit(2, 2, quiet)
    assert learner.steps == 2


def test_cost_counts_three_passes_of_two_operations(task: Task) -> None:
    nodes = (Node("x", ops.Input((3, 8, 8))), Node("g", ops.GlobalPool(), ("x",)), Node("y", ops.Classify(4), ("g",)))
    learner = TorchBackend("cpu").build(Architecture(nodes), Fit(), task, 0)
    assert learner.cost(5).flops == 6 * 12 * 16 * 5


@pytest.mark.parametrize("schedule", [Constant(), Cosine(), OneCycle(), Steps(), Exponential(), Restarts()])
def test_every_schedule_trains(schedule: Cosine) -> None:
    learner = TorchBackend("cpu").build(small(), Fit(), make_task(recipe=Recipe(16, schedule=schedule)), 0)
    learner.fit(2, 4, quiet)
    assert np.isfinite(learner.score()["loss"])


def test_mirrored_scores_do_not_depend_on_the_side(task: Task) -> None:
    recipe = Recipe(16, score_mirrored=True)
    one, other = make_task(recipe=recipe), make_task(recipe=recipe)
    other.parts.validation.inputs[:] = other.parts.validation.inputs[:, :, ::-1].copy()
    scores = [TorchBackend("cpu").build(small(), Fit(), t, 0).score() for t in (one, other)]
    assert scores[0]["loss"] == pytest.approx(scores[1]["loss"], rel=1e-5)
    plain = TorchBackend("cpu").build(small(), Fit(), make_task(), 0).score()
    assert plain["loss"] != pytest.approx(scores[0]["loss"], rel=1e-5)


def test_what_whitens_is_not_trained_and_whitens() -> None:
    task = make_task(recipe=Recipe(16, whiten=True))
    learner = TorchBackend("cpu").build(small(), Fit(), task, 0)
    before = learner.snapshot().weights
    learner.fit(3, 3, quiet)
    after = learner.snapshot().weights
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert "stem/conv.kernel" not in moved
    assert "stage0/cell0/3x3/conv.kernel" in moved


def test_decoupled_decay_shrinks_by_the_rate_alone() -> None:
    rate, decay = 1e-3, 0.5
    for decoupled, expected in ((True, (1 - rate * decay) ** 3), (False, None)):
        sgd = Sgd(rate, momentum=0.9, nesterov=False, decoupled=decoupled)
        task = make_task(recipe=Recipe(16, sgd, Constant(), weight_decay=decay))
        learner = TorchBackend("cpu").build(small(), Fit(), task, 0)
        weight = learner._weights["stem/conv.kernel"]
        start = weight.detach().clone()
        for _ in range(3):
            weight.grad = torch.zeros_like(weight)
            learner._mover.move(1.0, 0)
        ratio = (weight / start).mean().item()
        if expected:
            assert ratio == pytest.approx(expected, rel=1e-6)
        else:
            assert ratio < (1 - rate * decay) ** 3 - 1e-5  # through the momentum it acts more than once


def with_head(weight: float) -> Architecture:
    *body, output = small(dropout=0.0)
    head = (
        Node("early/pool", ops.GlobalPool(), ("stem",)),
        Node("early", ops.Classify(4, auxiliary=weight), ("early/pool",)),
    )
    return Architecture((*body, *head, output))


def test_the_law_holds_with_auxiliary_heads(task: Task) -> None:
    check_backend(TorchBackend("cpu"), task, with_head(0.4))


def test_an_auxiliary_head_adds_its_weight_times_its_gradient(task: Task) -> None:
    moved = {}
    for weight in (1e-9, 0.5, 1.0):
        recipe = Recipe(16, Sgd(1e-3, momentum=0.0), Constant(), weight_decay=0.0)
        learner = TorchBackend("cpu").build(with_head(weight), Fit(), make_task(recipe=recipe), 0)
        before = learner.snapshot().weights
        learner.fit(1, 1, quiet)
        after = learner.snapshot().weights
        moved[weight] = {name: after[name] - before[name] for name in before}
    for name in ("stem/conv.kernel", "early.kernel"):
        half, whole = moved[0.5][name] - moved[1e-9][name], moved[1.0][name] - moved[1e-9][name]
        np.testing.assert_allclose(2 * half, whole, rtol=0.01, atol=1e-6)
        assert np.abs(whole).max() > 1e-5
    np.testing.assert_array_equal(moved[1e-9]["logits.kernel"], moved[1.0]["logits.kernel"])


def test_scores_do_not_look_at_auxiliary_heads(task: Task) -> None:
    learner = TorchBackend("cpu").build(with_head(0.4), Fit(), task, 0)
    trunk = TorchBackend("cpu").build(with_head(0.4).trunk, Fit(), task, 0)
    assert learner.score() == trunk.score()
    assert learner.cost(1).flops > trunk.cost(1).flops


def test_the_gradient_is_clipped_as_a_whole_or_each_weight_by_itself() -> None:
    for each in (False, True):
        recipe = Recipe(16, Sgd(1.0, momentum=0.0), Constant(), weight_decay=0.0, clip=0.5, clip_each=each)
        learner = TorchBackend("cpu").build(small(), Fit(), make_task(recipe=recipe), 0)
        weights = list(learner._weights.values())
        before = [weight.detach().clone() for weight in weights]
        for place, weight in enumerate(weights):
            weight.grad = torch.full_like(weight, 0.0 if place > 1 else 10.0)
        learner._mover.move(1.0, 0)
        norms = [(old - new).norm().item() for old, new in zip(before, weights, strict=True)]
        assert sum(norm**2 for norm in norms) ** 0.5 == pytest.approx(0.5 * 2**0.5 if each else 0.5, rel=1e-4)
        if each:
            assert norms[:2] == pytest.approx([0.5, 0.5], rel=1e-4)


def test_smaller_images_cost_less(task: Task) -> None:
    costs = {}
    for until in (0.0, 0.5, 1.0):
        learner = TorchBackend("cpu").build(small(), Fit(), make_task(recipe=Recipe(16, small=Small(0.5, until))), 0)
        learner.fit(4, 4, quiet)
        costs[until] = learner.cost(4).flops
    assert costs[0.0] > costs[0.5] > costs[1.0]
    assert costs[0.5] == pytest.approx((costs[0.0] + costs[1.0]) / 2)
