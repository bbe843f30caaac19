"""PyTorch scores untrained networks: exact where it can be computed by hand, the same by the seed, on every space."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import make_task

from amla.backends.initial import initial, standard
from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.untrained.blocks import covariance, folded
from amla.backends.torch.untrained.passes import codes, flow, jacobian
from amla.backends.torch.untrained.views import View, distinct
from amla.evaluation.train import Training
from amla.scores import COMBINED, SCORES
from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import envelope
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import costs
from amla.spec.values import SpecError
from amla.storage.files import Files
from amla.tasks.dataset import Examples, split
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task
from amla.trials.snapshot import weight_name
from amla.trials.trial import Failure, Measurement, Proposal, Trial, Untrained

ALL = (*SCORES, *COMBINED)
CPU = torch.device("cpu")
CELLS = nasbench201((3, 8, 8), 4, width=4, cells=1)
NETWORK = CELLS.sample(np.random.default_rng(3))
SPACES = {
    "nasbench201": (CELLS, (3, 8, 8)),
    "nasbench_macro": (nasbench_macro((3, 32, 32), 4, width=4, last=8), (3, 32, 32)),
    "darts": (darts((3, 8, 8), 4, width=2, cells=3), (3, 8, 8)),
    "enas_macro": (enas_macro((3, 8, 8), 4, width=4, layers=3), (3, 8, 8)),
    "envelope": (envelope((3, 8, 8), 4, width=6, cells=(1, 1), max_cells=(2, 2)).space, (3, 8, 8)),
    "series": (
        envelope((2, 24), 4, width=4, cells=(1, 1), max_cells=(2, 2), branches=("3", "5"), skips="concat").space,
        (2, 24),
    ),
}


def scored(network: Architecture, names: tuple[str, ...], task: Task, seed: int = 0) -> dict[str, float]:
    learner = TorchBackend("cpu").build(network, Untrained(names, examples=8), task, seed)
    return dict(learner.score())


def view(network: Architecture, task: Task, seed: int = 0, examples: int = 8) -> View:
    return View(network, task, seed, CPU, examples)


def chain(*steps: ops.Op) -> Architecture:
    return Architecture(tuple(Node(f"n{i}", op, (f"n{i - 1}",) if i else ()) for i, op in enumerate(steps)))


@pytest.mark.parametrize("name", SPACES)
def test_networks_of_every_space_are_scored(name: str):
    space, shape = SPACES[name]
    network = space.sample(np.random.default_rng(1))
    found = scored(network, ALL, make_task(shape))
    assert found.keys() == set(SCORES) - {"parameters", "macs"}
    assert not any(map(np.isnan, found.values()))


def test_synflow_of_a_linear_network_is_the_sum_over_paths_once_for_each_layer():
    """R is the sum of all products |a| |b|; each of the two layers has all of it as its share."""
    network = chain(ops.Input((3,)), ops.Dense(5, bias=False), ops.BatchNorm(), ops.Classify(2, bias=False))
    weights = {name: np.abs(array.astype(float)) for name, array in initial(network, 7).items()}
    first, last = weights[weight_name("n1", "kernel")], weights[weight_name("n3", "kernel")]
    assert flow(view(network, make_task((3,)), seed=7)) == pytest.approx(2 * (last @ first).sum())


def test_synflow_of_a_network_that_nothing_passes_through_is_nothing():
    network = chain(ops.Input((3, 8, 8)), ops.Conv(4, (3, 3)), ops.Zero(), ops.GlobalPool(), ops.Classify(2))
    assert flow(view(network, make_task())) == 0


def test_synflow_and_what_sees_noise_do_not_depend_on_the_data():
    task, other = make_task(), make_task(examples=40)
    for name in ("synflow", "zen", "az_nas"):
        assert scored(NETWORK, (name,), task) == scored(NETWORK, (name,), other)
    assert scored(NETWORK, ("naswot",), task) != scored(NETWORK, ("naswot",), other)


def test_cells_that_pass_on_what_they_read_grow_nothing_and_cannot_be_trained():
    kept = {gene: (f"{gene}/skip" if gene.endswith("0-3") else f"{gene}/none",) for gene in CELLS.genes}
    found = scored(CELLS.close(kept), ("progressivity", "trainability"), make_task())
    assert found["progressivity"] <= 0
    assert found["trainability"] == -np.inf


def test_scores_follow_from_the_seed_alone_whatever_else_is_scored():
    task = make_task()
    together = scored(NETWORK, ALL, task)
    torch.manual_seed(99)
    assert scored(NETWORK, ALL, task) == together
    for name in ("synflow", "naswot", "jacob_cov", "zen", "expressivity"):
        assert scored(NETWORK, (name,), task)[name] == together[name]
    assert scored(NETWORK, ("synflow",), task, seed=1) != scored(NETWORK, ("synflow",), task)


def test_the_recipe_says_nothing_about_weights_that_are_scored():
    plain, other = make_task(), make_task(recipe=Recipe(batch=16, start="identity", ema=0.9))
    assert scored(NETWORK, ("synflow", "naswot"), plain) == scored(NETWORK, ("synflow", "naswot"), other)


def test_the_kernel_of_naswot_counts_relus_that_answer_alike():
    """Two units that see one number each: examples on either side of the mean have codes that differ in both."""
    network = chain(ops.Input((1,)), ops.Dense(6, bias=False), ops.Activation(), ops.Classify(2))
    task = make_task((1,))
    kernel = codes(view(network, task, examples=6))
    side = (view(network, task, examples=6).batch().numpy().ravel() > 0).astype(float)
    alike = side[:, None] == side[None, :]
    assert np.array_equal(kernel, np.where(alike, 6.0, 0.0))


def test_the_jacobian_of_a_linear_network_is_its_weights():
    network = chain(ops.Input((3,)), ops.Dense(5, bias=False), ops.Classify(2, bias=False))
    drawn = initial(network, 0)
    first, last = drawn[weight_name("n1", "kernel")], drawn[weight_name("n2", "kernel")]
    rows = jacobian(view(network, make_task((3,))))
    assert rows == pytest.approx(np.tile((last @ first).sum(axis=0), (8, 1)), abs=1e-5)


def test_covariances_are_those_of_numpy():
    outputs = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype(np.float32)
    expected = np.cov(outputs.transpose(0, 2, 3, 1).reshape(-1, 3).T, bias=True)
    assert covariance(torch.from_numpy(outputs)) == pytest.approx(expected, abs=1e-6)


def test_windows_are_folded_into_channels():
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    assert torch.equal(folded(x[..., :4], (2, 2)), torch.nn.functional.pixel_unshuffle(x[..., :4], 2))
    odd = folded(torch.ones((1, 1, 7)), (4,))
    assert odd.shape == (1, 2, 4)
    assert float(odd.sum()) == 7
    assert folded(x, (4, 6)) is x


def test_standard_weights_have_variance_one():
    network = chain(ops.Input((3, 8, 8)), ops.Conv(64, (3, 3)), ops.GlobalPool(), ops.Classify(50))
    drawn, usual = standard(network, 0), initial(network, 0)
    kernel = weight_name("n1", "kernel")
    assert drawn[kernel].std() == pytest.approx(1, abs=0.05)
    assert usual[kernel] * np.sqrt(27 / 2) == pytest.approx(drawn[kernel], rel=1e-5)


WITHOUT = {
    "naswot": (chain(ops.Input((3, 8, 8)), ops.Conv(4, (3, 3)), ops.GlobalPool(), ops.Classify(4)), "has none"),
    "zen": (chain(ops.Input((3, 8, 8)), ops.Conv(4, (3, 3)), ops.GlobalPool(), ops.Classify(4)), "has none"),
    "az_nas": (chain(ops.Input((3, 8, 8)), ops.GlobalPool(), ops.Classify(4)), "no two blocks"),
    "jacob_cov": (
        chain(ops.Input((3, 8, 8)), ops.Conv(4, (3, 3)), ops.Zero(), ops.GlobalPool(), ops.Classify(4)),
        "does not depend",
    ),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_what_cannot_be_scored_is_a_failure_with_words(name: str, tmp_path):
    network, words = WITHOUT[name]
    training = Training("s", TorchBackend("cpu"), make_task(), Files(tmp_path))
    outcome = training(Trial(0, Proposal(network, 0, Untrained((name,), 8), keep=False)), lambda progress: None)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"
    assert words in outcome.message


def test_a_trial_that_scores_has_what_is_counted_too_and_costs_what_it_takes(tmp_path):
    training = Training("s", TorchBackend("cpu"), make_task(), Files(tmp_path))
    ask = Proposal(NETWORK, 0, Untrained(("naswot", "jacob_cov", "synflow"), 8), keep=False)
    outcome = training(Trial(0, ask), lambda progress: None)
    assert isinstance(outcome, Measurement)
    counted = costs(NETWORK)
    assert outcome.metrics["parameters"] == counted.parameters
    assert outcome.metrics["macs"] == counted.macs
    assert "accuracy" not in outcome.metrics
    assert outcome.cost
    assert outcome.cost.flops == 2 * costs(NETWORK).macs * (1 * 8 + 2 * 8 + 3)
    assert list(tmp_path.iterdir()) == []


def test_unknown_scores_and_open_networks_are_refused():
    with pytest.raises(SpecError, match=r"untrained.scores: There is no score 'snip'"):
        TorchBackend("cpu").build(NETWORK, Untrained(("snip",)), make_task(), 0)
    with pytest.raises(SpecError, match="is undecided"):
        TorchBackend("cpu").build(CELLS.template, Untrained(("synflow",)), make_task(), 0)


@pytest.mark.parametrize("change", [{"budget": 3}, {"start": 0}, {"probes": {"msss": ()}}, {"keep": True}])
def test_a_proposal_to_score_trains_nothing_and_keeps_nothing(change):
    ask = Proposal(NETWORK, 0, Untrained(("synflow",)), keep=False)
    with pytest.raises(SpecError, match="an untrained network has a budget of 0"):
        replace(ask, **change)


def test_examples_that_are_looked_at_all_differ():
    inputs = np.zeros((40, 2, 2, 1), np.uint8)
    inputs[::2] = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    found = distinct(Examples(inputs, np.arange(40)), 8, seed=0)
    assert len(np.unique(found.inputs.reshape(len(found.labels), -1), axis=0)) == len(found.labels) == 8
    assert np.array_equal(found.labels, distinct(Examples(inputs, np.arange(40)), 8, seed=0).labels)


def test_data_of_one_example_again_and_again_cannot_be_compared():
    task = make_task()
    train = task.dataset.train
    data = replace(task.dataset, train=Examples(np.zeros_like(train.inputs), train.labels))
    alike = view(NETWORK, Task(data, split(data), task.recipe))
    with pytest.raises(SpecError, match="not two different examples"):
        alike.batch()
