"""Networks that predict numbers: the law of backends, what they learn, and what they are scored by."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.losses import Loss, plain_loss
from amla.spaces.envelope import envelope
from amla.spec.architecture import Architecture
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.recipe import Cosine, Recipe, Sgd
from amla.tasks.task import Task
from amla.testing import check_backend
from amla.trials.trial import Fit

UNITS = 200.0


def task(targets: int = 2, examples: int = 80) -> Task:
    chance = np.random.default_rng(3)
    labels = chance.uniform(0, 1, (examples, targets))
    inputs = chance.integers(0, 40, (examples, 8, 8, 3), dtype=np.uint8)
    inputs[:, :4, :, 0] += (200 * labels[:, 0]).astype(np.uint8)[:, None, None]
    inputs[:, :, :4, 1] += (200 * labels[:, -1]).astype(np.uint8)[:, None, None]
    names = tuple(f"n{place}" for place in range(targets))
    data = Dataset("made up", "0", names, Examples(inputs, UNITS * labels), None, None)
    return Task(data, split(data), Recipe(16, Sgd(0.05), Cosine(), ema=0.9), "r2")


def small(targets: int = 2) -> Architecture:
    space = envelope((3, 8, 8), targets, width=8, cells=(1, 1), max_cells=(1, 1))
    return space.space.close(space.initial())


def quiet(step: int, loss: float, accuracy: float, rate: float) -> None:
    assert np.isfinite(loss)
    assert np.isnan(accuracy)


def test_the_law_of_backends_holds():
    probes = {"variance": ("stem",), "drop_one": ("stage0/cell0/3x3",)}
    check_backend(TorchBackend("cpu"), task(), small(), probes=probes)


@pytest.mark.parametrize("targets", [1, 2])
def test_numbers_are_learned_and_errors_are_in_their_units(targets: int):
    made = task(targets, 160)
    learner = TorchBackend("cpu").build(small(targets), Fit(), made, 0)
    before = learner.score()
    learner.fit(120, 120, quiet)
    found = learner.score()
    assert found["r2"] > max(0.6, before["r2"])
    for place in range(targets):
        assert found[f"rmse/{place}"] == pytest.approx(np.sqrt(1 - found["r2"]) * made.targets[1][place], rel=0.6)
        assert 0 < found[f"mae/{place}"] <= found[f"rmse/{place}"] < UNITS / 3
    assert "accuracy" not in found
    assert "r2_low" not in found


def test_the_test_part_has_an_interval_too():
    made = task()
    learner = TorchBackend("cpu").build(small(), Fit(), made.test(), 0)
    found = learner.score()
    assert found["r2_low"] <= found["r2"] <= found["r2_high"]
    assert found["examples"] == 16


def test_the_loss_is_the_mean_squared_error():
    said, truth = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(6, 2)
    assert Loss(task(), torch.device("cpu"))(said, truth) == functional.mse_loss(said, truth)
    assert plain_loss(said, truth) / 6 == pytest.approx(functional.mse_loss(said, truth).item())
