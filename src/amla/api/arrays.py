"""Data that are given as arrays, written into the run folder, so that the run can go on and be made again."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amla.study.folder import STUDY
from amla.study.study import StudyError
from amla.study.trained import ARRAYS
from amla.tasks.dataset import DataError
from amla.tasks.readers import npz
from amla.tasks.readers.source import Labels

Given = Mapping[str, ArrayLike] | tuple[ArrayLike, ArrayLike]


def named(data: Given, labels_are: Labels = "auto") -> dict[str, NDArray[Any]]:
    """Return arrays by the names that they have in an .npz file: (images, labels), or as a mapping says.

    Labels that are whole numbers with gaps between them become words, unless they are numbers to be predicted. Raises
    DataError for what cannot be stored.
    """
    if not isinstance(data, Mapping):
        if not isinstance(data, tuple) or len(data) != 2:
            raise DataError(
                "The data are neither a path or name, nor (images, labels), nor a mapping such as "
                "{'x_train': images, 'y_train': labels, 'x_test': ...}. Give them as one of these."
            )
        data = {"images": data[0], "labels": data[1]}
    found = {name: _stored(name, np.asarray(array)) for name, array in data.items()}
    labels = [name for name in found if name[0] == "y" or name == "labels"]
    numbers = all(found[name].dtype.kind in "iu" for name in labels)
    if numbers and labels and labels_are != "numbers":
        occurring = np.unique(np.concatenate([found[name].ravel() for name in labels]))
        if not np.array_equal(occurring, np.arange(len(occurring))):
            found |= {name: found[name].astype(str) for name in labels}
    return found


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return 16 hexadecimal digits, the same for the same arrays."""
    hashed = blake2b(digest_size=8)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hashed.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        hashed.update(array.tobytes())
    return hashed.hexdigest()


def write(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write arrays into a run folder, and return where they are. Those that are there already stay.

    Raises StudyError where a run has begun there with other ones.
    """
    path = folder / ARRAYS
    if path.is_file() and _same(path, arrays):
        return path
    if (folder / STUDY).exists():
        raise StudyError(f"'{folder}' holds a run on other data. Name another folder with run=..., or delete it.")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{ARRAYS}.tmp"
    try:
        with unfinished.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def remove(folder: Path) -> None:
    """Delete the arrays of a run that has not begun, and its folder if there is nothing else in it."""
    if (folder / STUDY).exists():
        return
    (folder / ARRAYS).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _stored(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "O":
        if not all(isinstance(each, str) for each in array.ravel()):
            raise DataError(f"{name} holds Python objects of mixed kinds; give numbers, or words for labels.")
        return array.astype(str)
    return array


def _same(path: Path, arrays: Mapping[str, NDArray[Any]]) -> bool:
    try:
        held = npz.arrays(path, tuple(arrays))
        present = set(npz.all_names(path))
    except (DataError, OSError, ValueError):
        return False
    return present == set(arrays) and all(
        held[name].dtype == array.dtype and np.array_equal(held[name], array) for name, array in arrays.items()
    )
