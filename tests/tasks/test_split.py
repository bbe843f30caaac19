"""Dividing a dataset: nothing lost, nothing twice, every class everywhere, and always the same."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.tasks.dataset import DataError, Dataset, Examples, Parts, split


def examples(counts: list[int], start: int = 0) -> Examples:
    """Examples with so many of each class, mixed, each image with a value of its own."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = labels[np.random.default_rng(0).permutation(len(labels))]
    values = np.arange(start, start + len(labels), dtype=np.uint32)
    return Examples(values.view(np.uint8).reshape(-1, 2, 2, 1), labels)


def dataset(train: list[int], validation: list[int] | None = None, test: list[int] | None = None) -> Dataset:
    return Dataset(
        name="toy",
        fingerprint="0",
        classes=tuple("abcdefgh"[: len(train)]),
        train=examples(train),
        validation=examples(validation, 10**6) if validation else None,
        test=examples(test, 10**7) if test else None,
        notices=(),
    )


def identities(part: Examples) -> list[int]:
    return part.inputs.reshape(len(part.labels), -1).copy().view(np.uint32)[:, 0].tolist()


counts = st.lists(st.integers(3, 40), min_size=2, max_size=6)
seeds = st.integers(0, 2**32)


@given(counts, st.floats(0.01, 0.45), st.floats(0.01, 0.45), seeds)
def test_parts_are_disjoint_stratified_and_together_the_source(
    count: list[int], validation: float, test: float, seed: int
) -> None:
    data = dataset(count)
    parts = split(data, validation=validation, test=test, seed=seed)
    together = identities(parts.train) + identities(parts.validation) + identities(parts.test)
    assert sorted(together) == identities(data.train)
    for label, total in enumerate(count):
        taken = [np.count_nonzero(part.labels == label) for part in (parts.train, parts.validation, parts.test)]
        assert min(taken) >= 1
        assert abs(taken[1] - validation * total) <= 1
        assert abs(taken[2] - test * total) <= 1
    label_of = dict(zip(identities(data.train), data.train.labels.tolist(), strict=True))
    for part in (parts.train, parts.validation, parts.test):
        assert [label_of[each] for each in identities(part)] == part.labels.tolist()
        assert identities(part) == sorted(identities(part))
        assert part.inputs.flags.c_contiguous


@given(counts, seeds)
def test_the_seed_alone_decides(count: list[int], seed: int) -> None:
    first, again = (split(dataset(count), seed=seed) for _ in range(2))
    assert identities(first.train) == identities(again.train)
    assert identities(first.validation) == identities(again.validation)
    assert identities(first.test) == identities(again.test)


def test_other_seeds_choose_others() -> None:
    chosen = {tuple(identities(split(dataset([50, 50]), seed=seed).validation)) for seed in range(10)}
    assert len(chosen) == 10


def test_a_split_never_changes_between_versions() -> None:
    parts = split(dataset([50, 50]), seed=7)
    text = repr([identities(part) for part in (parts.train, parts.validation, parts.test)])
    assert hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() == "8044aaa9600ee502b941cd924caf3ba4"


def test_given_parts_are_kept() -> None:
    data = dataset([10, 10], validation=[1, 2], test=[3, 4])
    parts = split(data)
    assert isinstance(parts, Parts)
    assert parts.train is data.train
    assert parts.validation is data.validation
    assert parts.test is data.test


def test_only_what_is_missing_is_carved() -> None:
    data = dataset([10, 10], test=[3, 4])
    parts = split(data, validation=0.2, test=5.0)
    assert parts.test is data.test
    assert np.bincount(parts.validation.labels).tolist() == [2, 2]
    assert np.bincount(parts.train.labels).tolist() == [8, 8]

    data = dataset([10, 10], validation=[3, 4])
    parts = split(data, validation=5.0, test=0.3)
    assert parts.validation is data.validation
    assert np.bincount(parts.test.labels).tolist() == [3, 3]


@pytest.mark.parametrize(
    ("count", "expected"), [([1, 9], "has 1 training example,"), ([0, 9], "has 0 training examples,")]
)
def test_a_class_too_small_to_share_is_named(count: list[int], expected: str) -> None:
    with pytest.raises(DataError, match=rf"class 'a' of 'toy' {expected} but 2 or more are needed to train and to val"):
        split(dataset(count))


def test_a_class_missing_from_given_parts_is_named() -> None:
    with pytest.raises(DataError, match=r"class 'b' of 'toy' has no example in its validation part. Add some, or rem"):
        split(dataset([5, 5], validation=[3, 0]))
    with pytest.raises(DataError, match=r"class 'b' of 'toy' has 0 training examples, but 1 or more are needed to tra"):
        split(dataset([5, 0], validation=[3, 3]))


def test_two_examples_train_and_validate_but_do_not_test() -> None:
    parts = split(dataset([2, 9]))
    assert [np.count_nonzero(part.labels == 0) for part in (parts.train, parts.validation, parts.test)] == [1, 1, 0]
    with pytest.raises(DataError, match=r"'toy' has no test part, and 2 or fewer examples of each class"):
        split(dataset([2, 2]))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"validation": 0.0}, "validation is 0.0, but must be more than 0 and less than 1"),
        ({"validation": float("nan")}, "validation is nan, but must be more than 0"),
        ({"test": 1.0}, "test is 1.0, but must be more than 0 and less than 1"),
        ({"validation": 0.5, "test": 0.5}, "validation is 0.5 and test is 0.5, which leaves nothing to train on"),
        ({"seed": -3}, "seed of a split is -3, but must be 0 or more"),
    ],
)
def test_senseless_shares_and_seeds_are_refused(arguments: dict[str, float], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        split(dataset([9, 9]), **arguments)  # type: ignore[arg-type]


def test_shape_has_channels_first() -> None:
    data = dataset([2, 2])
    wide = Examples(np.zeros((4, 5, 7, 3), np.uint8), data.train.labels)
    assert Dataset("toy", "0", ("a", "b"), wide, None, None, ()).shape == (3, 5, 7)
