"""Labels as people store them (numbers from 0, or words) made into class indices, with every mistake named.

Numbers that are to be predicted are told from classes by their fractions, or by who reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers.source import Part, listed


@dataclass(frozen=True, eq=False)
class Column:
    """The labels of one part as its source has them; `name` and `address` say where, in messages.

    `files` has the address and the number of labels of each file, where they come from several, one after the other.
    With `numbers` they are to be predicted, whatever they look like, and called `targets`.
    """

    name: str
    address: str
    values: NDArray[Any]
    files: tuple[tuple[str, int], ...] = ()
    numbers: bool = False
    targets: tuple[str, ...] = ()

    def at(self, position: int) -> str:
        """Where one label is: "labels[17] of 'y.npz'"."""
        for address, count in self.files:
            if position < count:
                return f"{self.name}[{position}] of {address!r}"
            position -= count
        return f"{self.name}[{position}] of {self.address!r}"


def class_indices(
    columns: Mapping[Part, Column], classes: tuple[str, ...] | None = None
) -> tuple[tuple[str, ...], dict[Part, NDArray[Any]]]:
    """The class names, and for every part its labels as indices into them, (n,) int64.

    Where labels are numbers to be predicted, what these are called, and for every part (n, targets) float64. They are
    where their column says so, and where floating-point training labels are no whole numbers.

    Words are sorted to become the classes. Numbers are indices already: into `classes` where these are known, else
    the classes are those of the training labels, which must then be 0, 1, 2, ... without gaps. Raises DataError for
    anything else, and for fewer than two classes.
    """
    train = columns["train"]
    if classes is None and (train.numbers or _has_fractions(train.values)):
        return _numbers(columns)
    if train.values.dtype.kind == "U":
        classes = tuple(sorted(set(_one_each(train).tolist())))
        indices = {part: _indices_of_words(column, classes) for part, column in columns.items()}
    else:
        indices = {part: _whole_numbers(column) for part, column in columns.items()}
        classes = classes or _numbered_classes(train, indices["train"])
        for part, column in columns.items():
            _check_in_range(column, indices[part], len(classes))
    check_several(classes, train.address)
    return classes, indices


def _has_fractions(values: NDArray[Any]) -> bool:
    """Whether these are floating-point numbers, several an example or not all of them whole."""
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        return False
    return (values.ndim == 2 and values.shape[1] > 1 and not _one_hot(values)) or bool(
        (values != np.floor(values)).any()
    )


def _one_hot(values: NDArray[Any]) -> bool:
    return bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _numbers(columns: Mapping[Part, Column]) -> tuple[tuple[str, ...], dict[Part, NDArray[Any]]]:
    """The names of targets, and their values by part. Raises DataError for what is no finite number."""
    found = {part: _finite(column) for part, column in columns.items()}
    train = columns["train"]
    for part, column in columns.items():
        if found[part].shape[1] != found["train"].shape[1]:
            raise DataError(
                f"{column.name} of {column.address!r} has {found[part].shape[1]} numbers an example, but {train.name} "
                f"has {found['train'].shape[1]}. Store as many in every part."
            )
    count = found["train"].shape[1]
    return train.targets or (("target",) if count == 1 else tuple(f"target {place}" for place in range(count))), found


def _finite(column: Column) -> NDArray[np.float64]:
    values = column.values
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"{column.name} of {column.address!r} holds {values.dtype} values, but numbers are to be predicted. Store "
            "numbers in it."
        )
    if values.ndim not in (1, 2) or not values.size:
        raise DataError(
            f"{column.name} of {column.address!r} has shape {values.shape}, but numbers to be predicted are (n,), or "
            "(n, targets). Store them like that."
        )
    table = np.ascontiguousarray(values.reshape(len(values), -1), np.float64)
    for position in np.flatnonzero(~np.isfinite(table).all(axis=1))[:1]:
        raise DataError(
            f"{column.at(int(position))} is missing (NaN) or infinite. Fill it in, or leave that example out."
        )
    return table


def check_several(classes: tuple[str, ...], address: str) -> None:
    """Raise DataError unless there are two classes or more to tell apart."""
    if not classes:
        raise DataError(f"{address!r} has no examples to train on. Add some.")
    if len(classes) < 2:
        raise DataError(
            f"{address!r} has only one class ({listed(classes)}), but there must be two or more to tell apart. "
            "Add examples of another class."
        )


def _indices_of_words(column: Column, classes: tuple[str, ...]) -> NDArray[np.int64]:
    if column.values.dtype.kind != "U":
        raise DataError(
            f"{column.name} of {column.address!r} holds {column.values.dtype} values, but the training labels are "
            "words. Store both alike."
        )
    values = _one_each(column)
    known = np.array(classes)
    indices = np.minimum(np.searchsorted(known, values), len(classes) - 1).astype(np.int64)
    for position in np.flatnonzero(known[indices] != values)[:1]:
        raise DataError(
            f"{column.at(int(position))} is {str(values[position])!r}, which is not among the "
            f"{len(classes)} classes of the training labels ({listed(classes)}). Relabel it, or leave it out."
        )
    return indices


def _whole_numbers(column: Column) -> NDArray[np.int64]:
    values = _one_each(column)
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"{column.name} of {column.address!r} holds {values.dtype} values, but labels are whole numbers (0, 1, "
            "2, ...), or words in every part. Convert them."
        )
    # Not `!=`: a comparison with NaN must count as wrong, and larger numbers do not fit into int64.
    right = (values == np.floor(values)) & (values >= 0) & (values < 2**31)
    for position in np.flatnonzero(~right)[:1]:
        raise DataError(
            f"{column.at(int(position))} is {values[position]}, but labels are whole numbers "
            "from 0 up. Relabel it, or leave it out."
        )
    return values.astype(np.int64)


def _one_each(column: Column) -> NDArray[Any]:
    values = column.values
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(
            f"{column.name} of {column.address!r} has shape {values.shape}, but there must be one label for each "
            "image: (n,). For one-hot labels, store labels.argmax(axis=1)."
        )
    return values


def _numbered_classes(column: Column, indices: NDArray[np.int64]) -> tuple[str, ...]:
    occurring = np.unique(indices)
    count = len(occurring)
    if count and occurring[-1] != count - 1:
        missing = int(np.flatnonzero(occurring != np.arange(count))[0])
        raise DataError(
            f"{column.name} of {column.address!r} goes up to {occurring[-1]}, but {missing} never occurs. "
            f"Number the {count} classes 0 to {count - 1}; or, if these are numbers to be predicted, say so: "
            "--labels numbers, in a study file data.labels."
        )
    return tuple(str(index) for index in range(count))


def _check_in_range(column: Column, indices: NDArray[np.int64], count: int) -> None:
    for position in np.flatnonzero(indices >= count)[:1]:
        raise DataError(
            f"{column.at(int(position))} is {indices[position]}, but there are {count} classes "
            f"(0 to {count - 1}). Relabel it, or leave it out."
        )
