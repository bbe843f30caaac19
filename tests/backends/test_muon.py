"""Muon: its steps are orthogonal, and it agrees with its definition."""

import pytest
import torch

from amla.backends.torch.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_singular_values_become_about_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonal(matrix)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ found @ vh.T
    assert torch.allclose(inside, torch.diag(inside.diagonal()), atol=1e-4)
    assert inside.diagonal().min() > 0.5
    assert inside.diagonal().max() < 1.3
    assert s.max() / s.min() > 1.5 or shape[0] == shape[1]


def test_nothing_comes_of_no_gradient() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


def test_a_kernel_on_the_sphere_has_the_norm_of_its_outputs() -> None:
    weight = torch.nn.Parameter(5 * torch.randn(8, 3, 3, 3))
    group = {"params": [weight], "lr": 0.0, "momentum": 0.5, "nesterov": True, "muon": True, "on_sphere": True}
    optimiser = Muon([group])
    weight.grad = torch.randn_like(weight)
    optimiser.step()
    assert weight.norm().item() == pytest.approx(8**0.5, rel=1e-5)


@pytest.mark.parametrize("nesterov", [True, False])
def test_what_is_not_orthogonal_moves_as_by_sgd(nesterov: bool) -> None:
    start, gradients = torch.randn(4, 3), torch.randn(5, 4, 3)
    weights = [torch.nn.Parameter(start.clone()) for _ in range(2)]
    settings = {"lr": 0.1, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.01}
    optimisers = (
        Muon([{"params": [weights[0]], "muon": False, **settings}]),
        torch.optim.SGD([weights[1]], **settings),
    )
    for gradient in gradients:
        for weight, optimiser in zip(weights, optimisers, strict=True):
            weight.grad = gradient.clone()
            optimiser.step()
    assert torch.allclose(weights[0], weights[1], atol=1e-6)
