"""What training makes smaller: of one weight an example, and of classes that count the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from amla.backends.torch.losses import Loss
from amla.tasks.dataset import Dataset, Examples, Parts
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task

CPU = torch.device("cpu")
COUNTS = (16, 3, 1)


def task_of(recipe: Recipe, counts: tuple[int, ...] = COUNTS) -> Task:
    labels = np.repeat(np.arange(len(counts)), counts)
    part = Examples(np.zeros((len(labels), 4, 4, 1), np.uint8), labels)
    classes = tuple(f"class {number}" for number in range(len(counts)))
    return Task(Dataset("made up", "0", classes, part, part, part), Parts(part, part, part), recipe)


def batch(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (size,), generator=numbers)
    return torch.randn(size, 3, generator=numbers), labels


def test_unweighted_it_is_the_cross_entropy_to_the_bit():
    logits, labels = batch()
    for smoothing in (0.0, 0.1):
        found = Loss(task_of(Recipe(label_smoothing=smoothing)), CPU)(logits, labels)
        assert torch.equal(found, functional.cross_entropy(logits, labels, label_smoothing=smoothing))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_it_is_as_if_rare_examples_were_there_more_often(smoothing: float):
    recipe = Recipe(label_smoothing=smoothing, class_weights="balanced")
    logits = batch(4)[0]
    one_of_each = torch.tensor([0, 1, 2])
    repeated = torch.cat([one_of_each[:1].repeat(16), one_of_each[1:2].repeat(3), one_of_each[2:].repeat(1)])
    weighted = Loss(task_of(recipe), CPU)(logits[repeated], repeated)
    by_class = functional.cross_entropy(logits[one_of_each], one_of_each, label_smoothing=smoothing)
    assert weighted.item() == pytest.approx(by_class.item())


def test_weights_are_1_on_average_over_the_examples_and_the_same_for_each_class_in_all():
    weights = task_of(Recipe(class_weights="balanced")).class_weights
    assert weights is not None
    totals = np.array(weights) * COUNTS
    assert totals == pytest.approx(np.full(3, sum(COUNTS) / 3))
    assert totals.sum() == pytest.approx(sum(COUNTS))


def test_classes_in_balance_weigh_nothing():
    assert task_of(Recipe(class_weights="balanced"), (5, 5, 5)).class_weights == (1.0, 1.0, 1.0)


def test_a_class_without_an_example_takes_nothing_from_the_others():
    weights = task_of(Recipe(class_weights="balanced"), (6, 0, 3)).class_weights
    assert weights == pytest.approx((0.75, 0.0, 1.5))


def test_the_losses_of_equal_shares_of_a_batch_are_on_average_that_of_the_whole():
    loss = Loss(task_of(Recipe(class_weights="balanced")), CPU)
    logits, labels = batch()
    halves = [loss(logits[part], labels[part]) for part in (slice(0, 32), slice(32, 64))]
    assert torch.stack(halves).mean().item() == pytest.approx(loss(logits, labels).item(), rel=1e-6)


def test_the_final_training_weighs_by_all_that_it_fits():
    task = task_of(Recipe(class_weights="balanced"))
    few = Examples(task.parts.validation.inputs[:1], np.array([2]))
    other = replace(task, parts=Parts(task.parts.train, few, task.parts.test))
    final = other.final().class_weights
    assert final == pytest.approx(tuple(21 / 3 / count for count in (16, 3, 2)))
