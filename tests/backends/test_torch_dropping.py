"""What is dropped in training: elements and paths, by the seed and the step."""

import numpy as np
import pytest
import torch
from made_up import make_task
from torch import Tensor, nn

from amla.backends.initial import initial
from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.dropping import Dropping
from amla.backends.torch.layers import layer
from amla.backends.torch.network import write_arrays
from amla.backends.torch.oneshot.supernet import Supernet, along
from amla.spaces.darts import darts
from amla.spaces.paths import draw_path, for_all
from amla.spec import ops
from amla.spec.supernet import supernet
from amla.tasks.recipe import Recipe, Sgd
from amla.testing import check_backend
from amla.trials.trial import Fit

CPU = torch.device("cpu")
SPACE = darts((3, 8, 8), 4, width=4, cells=3, stem=1, auxiliary=None, drop_path=0.5)


def quiet(step: int, loss: float, accuracy: float, rate: float) -> None: ...


def begun(module: nn.Module, step: int, horizon: int, share: tuple[int, int] = (0, 1)) -> nn.Module:
    Dropping([module], CPU, share).begin(7, step, horizon)
    return module


def dropped(step: int, rate: float = 0.4, share: tuple[int, int] = (0, 1), batch: int = 4000) -> Tensor:
    """Return what becomes of ones, (batch, 3, 2, 2), at a step of ten."""
    module = begun(layer(ops.DropPath(rate), (3, 2, 2)), step, 10, share)
    found: Tensor = module(torch.ones(batch, 3, 2, 2))
    return found


def test_dropout_draws_from_the_generator_it_is_lent() -> None:
    module = layer(ops.Dropout(0.5), (64,))
    draws = []
    for _ in range(2):
        module.generator = torch.Generator().manual_seed(7)
        draws.append(module(torch.ones(1, 64)))
    assert torch.equal(*draws)
    assert set(draws[0].unique().tolist()) == {0.0, 2.0}
    assert torch.equal(module.eval()(torch.ones(1, 64)), torch.ones(1, 64))


def test_a_path_is_dropped_by_example_and_its_mean_stays() -> None:
    found = dropped(10)
    assert torch.equal(found, found[:, :1, :1, :1].expand_as(found))
    assert found.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert found.mean().item() == pytest.approx(1, abs=0.05)  # four standard errors


def test_its_rate_rises_over_training_and_stays_where_it_has_risen_to() -> None:
    shares = [(dropped(step) == 0).float().mean().item() for step in (0, 5, 10, 15)]
    assert shares == pytest.approx([0, 0.2, 0.4, 0.4], abs=0.032)  # four standard errors


def test_its_gradient_is_that_of_what_was_kept() -> None:
    x = torch.ones(50, 2, 3, requires_grad=True)
    found = begun(layer(ops.DropPath(0.4), (2, 3)), 10, 10)(x)
    found.sum().backward()
    assert torch.equal(x.grad, found.detach())


def test_nothing_is_dropped_in_use_nor_at_a_rate_of_zero() -> None:
    x = torch.randn(50, 3, 2, 2)
    assert torch.equal(begun(layer(ops.DropPath(0.4), (3, 2, 2)), 10, 10).eval()(x), x)
    assert torch.equal(dropped(10, 0.0, batch=50), torch.ones(50, 3, 2, 2))


def test_processes_drop_together_what_one_would() -> None:
    parts = [dropped(10, share=(number, 4), batch=5) for number in range(4)]
    assert torch.equal(torch.cat(parts), dropped(10, batch=20))


def test_steps_and_seeds_drop_each_its_own() -> None:
    module = layer(ops.DropPath(0.5), (3, 2, 2))
    dropping, x = Dropping([module], CPU), torch.ones(64, 3, 2, 2)
    found = []
    for seed, step in ((7, 10), (7, 11), (8, 10), (7, 10)):
        dropping.begin(seed, step, 10)
        found.append(module(x))
    assert torch.equal(found[0], found[3])
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_law_of_backends_holds_where_paths_are_dropped() -> None:
    network = SPACE.sample(np.random.default_rng(0))
    assert any(isinstance(node.op, ops.DropPath) for node in network)
    check_backend(TorchBackend("cpu"), make_task(), network)


def test_a_network_of_darts_learns_while_its_paths_are_dropped() -> None:
    task = make_task(recipe=Recipe(16, Sgd(0.1)))
    learner = TorchBackend("cpu").build(SPACE.sample(np.random.default_rng(1)), Fit(), task, 0)
    before = learner.score()["loss"]
    learner.fit(30, 30, quiet)
    after = learner.score()
    assert after["loss"] < before / 2
    assert after["accuracy"] > 0.8


def test_a_network_of_all_paths_drops_none() -> None:
    network = Supernet(SPACE.template).train()
    write_arrays(network.tensors(), initial(supernet(SPACE.template), 0))
    dropping, x = Dropping(network.layers, CPU), torch.randn(6, 3, 8, 8)
    path = draw_path(SPACE.template, np.random.default_rng(0), {}, SPACE.tied)
    shares = along(SPACE.template, for_all(SPACE.template, path, SPACE.tied))
    found = []
    for step in (1, 2):
        dropping.begin(0, step, 1)
        found.append(network(x, shares))
    assert torch.equal(*found)
