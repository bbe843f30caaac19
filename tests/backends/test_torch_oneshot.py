"""One-shot methods in PyTorch: mixtures and paths are what their closings are, and train as the papers say."""

import math

import numpy as np
import pytest
import torch
from made_up import make_task
from open_networks import cells, several, ties

from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.oneshot.gradients import first_order, second_order
from amla.backends.torch.oneshot.shared import SharedWeights
from amla.backends.torch.oneshot.supernet import Supernet, along
from amla.spaces.darts import darts
from amla.spaces.envelope import envelope
from amla.spaces.paths import draw_path, for_all, genes
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import costs
from amla.spec.decisions import close
from amla.spec.supernet import narrowed, supernet
from amla.spec.values import SpecError
from amla.tasks.recipe import AdamW, Muon, Recipe, Sgd, Small
from amla.tasks.task import Task
from amla.testing import check_one_shot
from amla.trials.trial import Fit, Method, Proposal, Relax, SamplePaths

BACKEND = TorchBackend("cpu")
CELLS, TIES = cells(), ties(cells())


def quiet(step: int, loss: float, accuracy: float, rate: float) -> None: ...


@pytest.mark.parametrize(
    "recipe",
    [
        None,
        Recipe(16, Sgd(0.1, momentum=0.0), clip=1.0),
        Recipe(16, AdamW(), clip=1.0, clip_each=True),
        Recipe(16, Muon(), whiten=True, start="identity"),
        Recipe(16, small=Small(0.5, 0.5), ema=0.9, label_smoothing=0.1, score_mirrored=True),
    ],
)
def test_cells_with_tied_picks(recipe: Recipe | None):
    check_one_shot(BACKEND, make_task(recipe=recipe), CELLS, tied=TIES)


@pytest.mark.parametrize("seed", range(3))
def test_picks_of_every_kind(seed: int, task: Task):
    check_one_shot(BACKEND, task, several(), seed=seed)


@pytest.mark.slow
def test_cells_of_darts(task: Task):
    """Picks of two edges, each of which is a Pick of seven operations; cells in a row; an auxiliary head."""
    space = darts((3, 8, 8), 4, width=2, cells=3)
    check_one_shot(BACKEND, task, space.template, tied=space.tied)


def test_series(task: Task):
    nodes = (
        Node("x", ops.Input((2, 12))),
        Node("a", ops.Conv(4, (3,)), ("x",)),
        Node("b", ops.Conv(4, (5,)), ("x",)),
        Node("c", ops.Depthwise((3,), multiplier=2), ("x",)),
        Node("p", ops.Pick(1, 2), ("a", "b", "c")),
        Node("g", ops.GlobalPool(), ("p",)),
        Node("y", ops.Classify(4), ("g",)),
    )
    check_one_shot(BACKEND, make_task((2, 12)), Architecture(nodes))


@pytest.mark.parametrize("template", [CELLS, several()], ids=["cells", "several"])
def test_a_path_computes_what_the_closed_network_does_and_nothing_else(template: Architecture, task: Task):
    path = draw_path(template, np.random.default_rng(3), {}, {})
    network = Supernet(template)
    computed = {node.id for node in network.living(along(template, path), heads=True)}
    assert computed == {node.id for node in close(template, path)}


def test_untied_cells_decide_by_themselves(task: Task):
    learner = BACKEND.build(CELLS, Relax(0.1), task, 0)
    learner.fit(4, 4, quiet)
    weights = learner.statistics()["pick_weight"]
    assert weights["cell0/0-1/conv"] != weights["cell1/0-1/conv"]


def test_tied_picks_have_the_same_weights_which_add_up_to_one(task: Task):
    learner = BACKEND.build(CELLS, Relax(0.1, tied=TIES), task, 0)
    learner.fit(4, 4, quiet)
    weights = learner.statistics()["pick_weight"]
    for pick, gene in TIES.items():
        mine, its = ([weights[source] for source in CELLS[name].inputs] for name in (pick, gene))
        assert mine == its
        assert sum(mine) == pytest.approx(1)
        assert len(set(mine)) > 1


def test_picks_of_two_have_weights_that_add_up_to_two(task: Task):
    learner = BACKEND.build(several(), Relax(0.5), task, 0)
    learner.fit(3, 3, quiet)
    weights = learner.statistics()["pick_weight"]
    assert sum(weights[source] for source in ("b0", "b1", "b2")) == pytest.approx(2)
    assert weights["c0"] == 1
    assert all(0 < weights[source] < 1 for source in ("c1", "c2", "e0", "e1", "e2"))


def test_weights_and_pick_weights_have_different_halves():
    """No example is in both, and none is in neither."""
    task = make_task(examples=100)
    learner = BACKEND.build(CELLS, Relax(0.1), task, 0)
    fitting, picking = learner._batches()
    assert len(fitting) + len(picking) == len(task.fitting.labels)
    rows = {row.numpy().tobytes() for row in fitting.inputs}
    assert rows.isdisjoint(row.numpy().tobytes() for row in picking.inputs)


def test_pick_weights_at_rate_0_stay_and_weights_learn_of_all(task: Task):
    learner = BACKEND.build(CELLS, Relax(0.0), task, 0)
    learner.fit(3, 3, quiet)
    assert set(learner.statistics()["pick_weight"].values()) == {0.25}
    assert len(learner._batches()[0]) == len(task.fitting.labels)


def test_scales_of_normalisation_are_trained_only_if_affine(task: Task):
    for affine in (False, True):
        learner = BACKEND.build(CELLS, Relax(affine=affine), task, 0)
        learner.fit(2, 2, quiet)
        weights = learner.snapshot().weights
        assert (set(np.unique(weights["cell0/0-1/conv.scale"])) == {1.0}) is not affine


def test_the_auxiliary_skip_fades(task: Task):
    plain, helped = (BACKEND.build(CELLS, Relax(0.1, skip=skip), task, 0) for skip in (0.0, 1.0))
    assert plain._skip(0) == 0
    helped._horizon = 10
    assert [helped._skip(step) for step in (0, 5, 10, 20)] == [1.0, 0.5, 0.0, 0.0]
    shares = helped._mixture.shares(1.0)["cell0/0-1"]
    counts = [None if share is None else share.item() for share in shares.values()]
    assert counts == [0.25, 1.25, 0.25, 0.25]


def test_the_second_order_gradient_is_that_after_a_step_of_the_weights():
    """Against automatic differentiation through the step, in double precision, of a network of one hidden layer."""
    torch.manual_seed(0)
    x, w, a = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((6, 3), (3, 2), (3,)))
    wanted = torch.randn(6, 2, dtype=torch.float64)

    def loss(weights: torch.Tensor, rows: slice) -> torch.Tensor:
        hidden = torch.tanh(x.detach()[rows] * a.softmax(0)) @ weights
        return ((hidden - wanted[rows]) ** 2).mean()

    fit, pick, rate = slice(0, 3), slice(3, 6), 0.5
    (step,) = torch.autograd.grad(loss(w, fit), w, create_graph=True)
    (exact,) = torch.autograd.grad(loss(w - rate * step, pick), a)
    before = w.detach().clone()
    (found,) = second_order(lambda: loss(w, pick), lambda: loss(w, fit), [a], {"w": w}, rate)
    (plain,) = first_order(lambda: loss(w, pick), [a])
    assert torch.equal(w, before)
    assert torch.allclose(found, exact, rtol=1e-3, atol=1e-6)
    assert not torch.allclose(plain, exact, rtol=0.05)


def test_dropping_an_input_is_dropping_all_that_are_tied_to_it(task: Task):
    learner = BACKEND.build(CELLS, Relax(0.0, tied=TIES), task, 0)
    learner.fit(8, 8, quiet)
    learner.watch({"drop_one": ("cell0/0-1/conv", "cell1/0-1/conv", "cell0/0-2/none", "cell0/0-1/skip")})
    rises = learner.statistics()["drop_one"]
    assert rises["cell0/0-1/conv"] == rises["cell1/0-1/conv"]
    assert rises["cell0/0-1/conv"] != rises["cell0/0-1/skip"]
    assert rises["cell0/0-2/none"] == 0


def test_a_narrowed_architecture_goes_on_with_what_it_keeps(task: Task):
    learner = BACKEND.build(CELLS, Relax(0.1, tied=TIES), task, 0)
    learner.fit(3, 6, quiet)
    kept = learner.snapshot()
    pick = "cell0/0-1"
    decided = for_all(CELLS, {pick: (f"{pick}/conv",)}, TIES)
    left = {tied: gene for tied, gene in TIES.items() if gene != pick}
    narrower = BACKEND.build(narrowed(CELLS, decided), Relax(0.1, tied=left), task, 0)
    narrower.restore(kept)
    assert narrower.steps == 3
    now = narrower.snapshot()
    assert set(now.weights) < set(kept.weights)
    assert all(np.array_equal(array, kept.weights[name]) for name, array in now.weights.items())
    assert all(np.array_equal(array, kept.resume[name]) for name, array in now.resume.items())
    narrower.fit(1, 6, quiet)


def test_steps_of_paths_are_counted_along_the_path(task: Task):
    path = for_all(CELLS, draw_path(CELLS, np.random.default_rng(2), {}, TIES), TIES)
    sure = {g: tuple(99.0 if source in path[g] else -99.0 for source in CELLS[g].inputs) for g in genes(CELLS, TIES)}
    learner = BACKEND.build(CELLS, SamplePaths((), sure, tied=TIES), task, 0)
    learner.fit(3, 3, quiet)
    assert learner.cost(3).flops == 6 * 16 * 3 * costs(close(CELLS, path)).training_macs


def test_scoring_paths_costs_a_pass_on_each_example(task: Task):
    paths = tuple(draw_path(CELLS, np.random.default_rng(seed), {}, {}) for seed in range(3))
    learner = BACKEND.build(CELLS, SamplePaths(paths), task, 0)
    learner.score()
    assert learner.cost(0).flops == sum(2 * 8 * costs(close(CELLS, path)).macs for path in paths)


def test_a_mixture_costs_five_passes_a_step_by_the_first_order_and_thirteen_by_the_second(task: Task):
    macs = costs(supernet(CELLS)).training_macs
    for method, passes in ((Relax(0.0), 3), (Relax(), 5), (Relax(unrolled=True), 13)):
        learner = BACKEND.build(CELLS, method, task, 0)
        learner.fit(2, 2, quiet)
        assert learner.cost(2).flops == 2 * passes * macs * 16 * 2


def test_paths_are_scored_on_as_many_examples_as_are_asked_for(task: Task):
    path = draw_path(CELLS, np.random.default_rng(0), {}, {})
    learner = BACKEND.build(CELLS, SamplePaths((path,), examples=4), task, 0)
    assert learner.score()["examples"] == 4


def test_a_path_whose_metric_is_no_number_is_never_the_best(task: Task, monkeypatch: pytest.MonkeyPatch):
    reached = [math.nan, 0.2, math.inf, 0.5, math.nan]
    tables = iter([{"accuracy": number, "loss": 1.0} for number in reached])
    monkeypatch.setattr(SharedWeights, "scored", lambda *_: next(tables))
    path = draw_path(CELLS, np.random.default_rng(0), {}, {})
    learner = BACKEND.build(CELLS, SamplePaths((path,) * len(reached)), task, 0)
    assert learner.score()["accuracy"] == 0.5
    assert len(learner.statistics()["accuracy"]) == len(reached)


def test_scoring_paths_leaves_the_weights_as_they_were(task: Task):
    path = draw_path(CELLS, np.random.default_rng(0), {}, {})
    learner = BACKEND.build(CELLS, SamplePaths((path,)), task, 0)
    learner.fit(2, 2, quiet)
    before = learner.snapshot().weights
    learner.score()
    assert all(np.array_equal(array, before[name]) for name, array in learner.snapshot().weights.items())


@pytest.mark.parametrize(
    ("template", "method", "probes", "message"),
    [
        (CELLS, Relax(), {"msss": ("stem",)}, "'msss' does not watch mixtures"),
        (CELLS, Relax(), {"drop_one": ("stem",)}, "'stem' is no input of a Pick"),
        (CELLS, SamplePaths(()), {"msss": ("stem",)}, "'msss' does not watch single paths"),
        (CELLS, SamplePaths(({},)), {}, "No decision for"),
    ],
)
def test_what_a_method_cannot_do_is_refused(
    template: Architecture, method: Method, probes: dict[str, tuple[str, ...]], message: str, task: Task
):
    with pytest.raises(SpecError, match=message):
        BACKEND.build(template, method, task, 0).watch(probes)


def test_inputs_of_two_picks_have_no_pick_weight(task: Task):
    nodes = (
        Node("x", ops.Input((3, 8, 8))),
        Node("a", ops.Conv(3, (3, 3)), ("x",)),
        Node("p", ops.Pick(), ("x", "a")),
        Node("q", ops.Pick(), ("p", "a")),
        Node("g", ops.GlobalPool(), ("q",)),
        Node("y", ops.Classify(4), ("g",)),
    )
    with pytest.raises(SpecError, match=r"'a' is an input of 'p' and 'q'.*put an identity between"):
        BACKEND.build(Architecture(nodes), Relax(), task, 0)
    BACKEND.build(Architecture(nodes), SamplePaths(()), task, 0).fit(1, 1, quiet)


def test_a_width_that_inputs_share_has_no_mixture(task: Task):
    template = envelope((3, 8, 8), 4, width=4, cells=(1,), max_cells=(2,), branches=("1x1", "3x3")).space.template
    for method in (Relax(), SamplePaths(())):
        with pytest.raises(SpecError, match="shares a width"):
            BACKEND.build(template, method, task, 0)


def test_ties_that_cannot_be_are_refused():
    with pytest.raises(SpecError, match="'stem' is no Pick"):
        Proposal(CELLS, 1, Relax(tied={"stem": "cell0/0-1"}))
    with pytest.raises(SpecError, match="a like Pick that is itself not tied"):
        Proposal(several(), 1, SamplePaths((), tied={"row": "some"}))


def test_a_closed_network_goes_on_from_its_supernet(task: Task):
    path = draw_path(CELLS, np.random.default_rng(0), {}, TIES)
    network = close(CELLS, for_all(CELLS, path, TIES))
    supernets = BACKEND.build(CELLS, SamplePaths((path,), tied=TIES), task, 0)
    supernets.fit(3, 6, quiet)
    child = BACKEND.build(network, Fit(), task, 0)
    child.restore(supernets.snapshot())
    assert child.steps == 3
    names = [name for name in child.snapshot().resume if name.startswith("momentum_buffer/")]
    assert names
    assert all(np.array_equal(child.snapshot().resume[name], supernets.snapshot().resume[name]) for name in names)
    child.fit(3, 6, quiet)


def test_a_snapshot_of_another_method_gives_its_weights(task: Task):
    learner = BACKEND.build(CELLS, SamplePaths(()), task, 0)
    learner.fit(2, 4, quiet)
    mixture = BACKEND.build(CELLS, Relax(), task, 0)
    mixture.restore(learner.snapshot())
    assert mixture.steps == 2
    assert np.array_equal(
        mixture.snapshot().weights["stem/conv.kernel"], learner.snapshot().weights["stem/conv.kernel"]
    )
