"""A dataset of labelled images or series, and how it is divided for training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.inputs import Chosen, Inputs, Joined
from amla.tasks.moments import Moments, of_channels, of_columns
from amla.tasks.sound import Sound

# where there are no classes: not 0, with which a split would draw the numbers of default_rng(seed)
ONE_GROUP = 2**31 - 1
FEWEST = 2  # examples of a part, where numbers are to be predicted: one alone has no variance


class DataError(ValueError):
    """A dataset that cannot be used as it is."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Images or series with their labels, or with the numbers that are to be predicted of them.

    `inputs` is (n, height, width, channels), uint8, or (n, time, channels), float32: an array, C-contiguous, read-only
    and memory-mapped where it comes from the cache; or what reads some of them at a time. `labels` is (n,), int64,
    each at least 0 and less than the number of classes, or (n, targets), float64 and finite. `size` is what a network
    reads of an image, the middle or a crop of so many pixels; None: all of it.

    What is known of inputs that are not held in memory: `sums` (n, 2, channels), int64, of their elements and of the
    squares of these; `digests` (n, 16), uint8, the same for two inputs only if these are.
    """

    inputs: Inputs
    labels: NDArray[Any]
    size: tuple[int, int] | None = None
    sums: NDArray[np.int64] | None = None
    digests: NDArray[np.uint8] | None = None

    @property
    def are_numbers(self) -> bool:
        """Whether labels are numbers to be predicted, and not classes."""
        return self.labels.dtype.kind == "f"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example as networks take it: (channels, height, width), or (channels, time)."""
        *spatial, channels = self.inputs.shape[1:]
        return (channels, *(self.size or spatial))

    def only(self, places: NDArray[np.int64]) -> Examples:
        """Return the examples at these positions: a copy of an array, else they stay where they are."""
        inputs = self.inputs
        held = isinstance(inputs, np.ndarray)
        return replace(
            self,
            inputs=np.ascontiguousarray(inputs[places]) if held else Chosen(inputs, places),
            labels=self.labels[places],
            sums=None if self.sums is None else self.sums[places],
            digests=None if self.digests is None else self.digests[places],
        )

    def and_then(self, others: Examples) -> Examples:
        """Return these examples and others after them: a copy of two arrays, else they stay where they are."""
        held = isinstance(self.inputs, np.ndarray) and isinstance(others.inputs, np.ndarray)
        first, second = self.inputs, others.inputs
        return replace(
            self,
            inputs=np.concatenate([first, second]) if held else Joined(first, second),
            labels=np.concatenate([self.labels, others.labels]),
            sums=_both(self.sums, others.sums),
            digests=_both(self.digests, others.digests),
        )


def _both(one: NDArray[Any] | None, other: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if one is None or other is None else np.concatenate([one, other])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset as its source divides it.

    `fingerprint` is a hex digest of the source's files, the same on every machine. `validation` and `test` are None
    where the source has none. `notices` is what a user should be told about how the data were read. Where numbers are
    to be predicted, `classes` are what these are called. `sound` is what recordings were made spectrograms by.
    """

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    train: Examples
    validation: Examples | None
    test: Examples | None
    notices: tuple[str, ...] = ()
    sound: Sound | None = None

    @property
    def are_numbers(self) -> bool:
        """Whether numbers are to be predicted, and not classes."""
        return self.train.are_numbers

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example as networks take it: (channels, height, width), or (channels, time)."""
        return self.train.shape


@dataclass(frozen=True, eq=False)
class Parts:
    """A dataset divided in three: to train on, to choose by, and to report on."""

    train: Examples
    validation: Examples
    test: Examples

    @cached_property
    def moments(self) -> Moments:
        """Those of every channel of the training part: all of it is read, once for all tasks of these parts."""
        return of_channels(self.train.inputs, self.train.sums)

    @cached_property
    def targets(self) -> Moments:
        """Those of every number that is to be predicted, of the training part."""
        return of_columns(self.train.labels)


def split(dataset: Dataset, *, validation: float = 0.1, test: float = 0.2, seed: int = 0) -> Parts:
    """Divide a dataset; parts that its source gives are kept, what is missing is carved from its training examples.

    `validation` and `test` are shares of the source's training examples, and matter only where that part is carved.
    Every class gives its share, rounded, but at least one example to validation (and to test, where it has three or
    more); where numbers are to be predicted, all examples together do, at least two. Which ones depends on `seed` and
    on nothing else, on every machine and with every version of numpy. Arrays stay memory-mapped where nothing is
    carved; carving copies the images of the parts it makes into memory, unless they are read when they are asked for.
    Raises DataError for shares and seeds that make no sense, for a class that would be missing from training or from
    validation, and for a number that is the same throughout one of these.
    """
    validation_share = 0.0 if dataset.validation else _checked_share("validation", validation)
    test_share = 0.0 if dataset.test else _checked_share("test", test)
    if validation_share + test_share >= 1:
        raise DataError(
            f"validation is {validation!r} and test is {test!r}, which leaves nothing to train on. "
            "Choose shares that add up to less than 1."
        )
    if dataset.are_numbers:
        _check_numbers(dataset)
    else:
        _check_classes(dataset)
    chosen_validation, chosen_test = _carve(dataset, validation_share, test_share, seed)
    if not dataset.test and not len(chosen_test):
        raise DataError(
            f"{dataset.name!r} has no test part, and 2 or fewer examples of each class: none is left to test on. "
            "Add examples, or a test part."
        )
    rest = np.ones(len(dataset.train.labels), dtype=np.bool_)
    rest[chosen_validation] = rest[chosen_test] = False
    parts = Parts(
        train=dataset.train if rest.all() else dataset.train.only(np.flatnonzero(rest)),
        validation=dataset.validation or dataset.train.only(chosen_validation),
        test=dataset.test or dataset.train.only(chosen_test),
    )
    if dataset.are_numbers:
        _check_varied(dataset, parts)
    return parts


def shuffled_by_class(
    labels: NDArray[np.int64], *, seed: int, purpose: tuple[int, ...] = ()
) -> dict[int, NDArray[np.int64]]:
    """For every label that occurs, in ascending order, the positions of its examples in a random order fixed by `seed`.

    What is drawn for another `purpose` is in another order. Raises DataError for a negative seed.
    """
    if seed < 0:
        raise DataError(f"the seed of a split is {seed}, but must be 0 or more. Choose another seed.")
    present, counts = np.unique(labels, return_counts=True)
    groups = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    orders = {}
    for label, positions in zip(present.tolist(), groups, strict=True):
        # numpy promises that the raw stream of a bit generator never changes; of Generator.permutation it does not.
        keys = np.random.PCG64((seed, label, *purpose)).random_raw(len(positions))
        orders[label] = positions[np.argsort(keys, kind="stable")]
    return orders


def _checked_share(name: str, share: float) -> float:
    if not 0 < share < 1:
        raise DataError(
            f"{name} is {share!r}, but must be more than 0 and less than 1: it is the share of the training "
            f"examples set apart for {name}. 0.1 is one in ten."
        )
    return share


def _check_numbers(dataset: Dataset) -> None:
    """Raise DataError where there are too few examples to divide."""
    needed = FEWEST * (1 + (dataset.validation is None) + (dataset.test is None))
    if (found := len(dataset.train.labels)) < needed:
        raise DataError(
            f"{dataset.name!r} has {found} training examples, but {needed} or more are needed to train, to validate "
            "and to test on. Add some."
        )


def _check_varied(dataset: Dataset, parts: Parts) -> None:
    """Raise DataError where a target is the same for all that is trained on or validated: it has no variance there."""
    for part, examples in (("training", parts.train), ("validation", parts.validation)):
        for name, column in zip(dataset.classes, examples.labels.T, strict=True):
            if column.min() == column.max():
                raise DataError(
                    f"{name!r} of {dataset.name!r} is {column[0]:g} for every {part} example: there is nothing to be "
                    "predicted. Leave it out, add examples with other values, or draw another split (data.split_seed)."
                )


def _check_classes(dataset: Dataset) -> None:
    enough, purpose = (1, "to train on") if dataset.validation else (2, "to train and to validate on, one each")
    for name, found in zip(dataset.classes, _occurrences(dataset, dataset.train), strict=True):
        if found < enough:
            raise DataError(
                f"class {name!r} of {dataset.name!r} has {found} training example{'s' * (found != 1)}, but {enough} "
                f"or more are needed {purpose}. Add some, or leave the class out."
            )
    given = dataset.validation or dataset.train
    for name, found in zip(dataset.classes, _occurrences(dataset, given), strict=True):
        if not found:
            raise DataError(
                f"class {name!r} of {dataset.name!r} has no example in its validation part. Add some, or remove that "
                "part: it is then carved from the training examples."
            )


def _occurrences(dataset: Dataset, examples: Examples) -> list[int]:
    occurrences: list[int] = np.bincount(examples.labels, minlength=len(dataset.classes)).tolist()
    return occurrences


def _carve(dataset: Dataset, validation: float, test: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions in `dataset.train` for validation and for test, ascending; a share of 0 takes none."""
    chosen: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    labels = dataset.train.labels
    groups = np.full(len(labels), ONE_GROUP) if dataset.are_numbers else labels
    least = FEWEST if dataset.are_numbers else 1
    for order in shuffled_by_class(groups, seed=seed).values():
        for_validation = max(least, round(len(order) * validation)) if validation else 0
        kept = least + min(for_validation, least)
        for_test = min(max(least, round(len(order) * test)), len(order) - kept) if test else 0
        for_validation = min(for_validation, len(order) - for_test - least)
        chosen[0].append(order[for_test : for_test + for_validation])
        chosen[1].append(order[:for_test])
    return np.sort(np.concatenate(chosen[0])), np.sort(np.concatenate(chosen[1]))
