"""A share of the training part: every class in it, always the same, and left behind by the final training."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.tasks.dataset import DataError, Dataset, Examples, Parts
from amla.tasks.inputs import Chosen
from amla.tasks.recipe import Recipe
from amla.tasks.subset import steps_of_as_many_epochs, subset
from amla.tasks.task import Task


def examples(labels: np.ndarray) -> Examples:
    """Examples whose one pixel is their position."""
    return Examples(np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1), labels)


def task(labels: np.ndarray) -> Task:
    parts = Parts(*(examples(labels) for _ in range(3)))
    data = Dataset("toy", "0", ("a",) if labels.ndim > 1 else ("a", "b"), *(examples(labels) for _ in range(3)))
    return Task(data, parts, Recipe())


def read(part: Examples) -> list[int]:
    return part.inputs[:].reshape(-1).tolist()


TWO = np.arange(100) % 2


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.floats(0.01, 1), st.integers(0, 2**70))
def test_every_class_gives_its_share(counts: list[int], share: float, seed: int):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    places = subset(examples(labels), share, seed)
    assert places.tolist() == sorted(set(places.tolist()))
    assert np.bincount(labels[places]).tolist() == [max(1, round(count * share)) for count in counts]


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 2**70))
def test_a_smaller_share_is_part_of_a_larger_one(one: float, other: float, seed: int):
    small, large = sorted((subset(examples(TWO), one, seed), subset(examples(TWO), other, seed)), key=len)
    assert set(small.tolist()) <= set(large.tolist())


def test_the_seed_decides():
    drawn = {tuple(subset(examples(TWO), 0.1, seed).tolist()) for seed in (0, 1, 2, 0)}
    assert len(drawn) == 3


def test_of_numbers_all_examples_give_a_share_two_at_least():
    numbers = examples(np.linspace(0, 1, 40).reshape(-1, 1))
    assert [len(subset(numbers, share, 0)) for share in (0.25, 0.001)] == [10, 2]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_share_that_is_none_is_refused(share: float):
    with pytest.raises(DataError, match="share is"):
        subset(examples(TWO), share, 0)


def test_a_search_fits_the_share_and_the_final_training_all():
    some = subset(examples(TWO), 0.1, 0)
    searched = replace(task(TWO), some=some)
    assert read(searched.fitting) == some.tolist()
    assert searched.held_out is searched.parts.validation
    assert read(searched.whole().fitting) == list(range(100))
    for last in (searched.final(), searched.test()):
        assert read(last.fitting) == [*range(100), *range(100)]


def test_tasks_of_other_shares_are_told_apart():
    tasks = [task(TWO), *(replace(task(TWO), some=subset(examples(TWO), 0.1, seed)) for seed in (0, 1))]
    assert len({of.digest for of in tasks}) == 3


def test_numbers_of_a_share_are_standardised_as_those_of_all():
    numbers = np.linspace(0, 1, 40).reshape(-1, 1)
    some = subset(examples(numbers), 0.25, 0)
    whole = task(numbers)
    np.testing.assert_array_equal(replace(whole, some=some).fitting.labels, whole.fitting.labels[some])


def test_what_is_read_batch_by_batch_stays_where_it_is():
    inputs = Chosen(examples(TWO).inputs, np.arange(100))  # no array
    parts = Parts(Examples(inputs, TWO), examples(TWO), examples(TWO))
    some = subset(parts.train, 0.1, 0)
    fitted = replace(task(TWO), parts=parts, some=some).fitting
    assert isinstance(fitted.inputs, Chosen)
    assert read(fitted) == some.tolist()


@pytest.mark.parametrize(
    ("steps", "examples", "some", "batch", "expected"),
    [
        (400, 1000, 100, 100, 40),
        (400, 1000, 250, 100, 80),  # two batches of ten: the rest of an epoch is left out
        (400, 1000, 50, 100, 40),  # fewer than a batch: an epoch is a step
        (3, 1000, 100, 100, 1),
    ],
)
def test_epochs_are_as_many(steps: int, examples: int, some: int, batch: int, expected: int):
    assert steps_of_as_many_epochs(steps, examples, some, batch) == expected
