"""NumPy archives (.npz) of images or series, and labels."""

from __future__ import annotations

from collections.abc import Container
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers import series
from amla.tasks.readers.arrays import Pixels, contents
from amla.tasks.readers.axes import channels_of
from amla.tasks.readers.labels import Column
from amla.tasks.readers.source import Contents, Frame, Part, Source, listed

_PAIRS: dict[Part, tuple[tuple[str, str], ...]] = {
    "train": (
        ("x_train", "y_train"),
        ("series_train", "y_train"),
        ("images", "labels"),
        ("series", "labels"),
        ("x", "y"),
    ),
    "validation": (
        ("x_val", "y_val"),
        ("x_valid", "y_valid"),
        ("x_validation", "y_validation"),
        ("series_val", "y_val"),
        ("series_validation", "y_validation"),
    ),
    "test": (("x_test", "y_test"), ("series_test", "y_test")),
}


def find(root: Path) -> Source | None:
    """The dataset in the archive `root`; None where that is no .npz file."""
    if root.suffix != ".npz" or not root.is_file():
        return None
    return Source(root.stem, root, (root,), partial(_read, root), read_numbers=partial(_read, root, numbers=True))


def _read(root: Path, size: Frame | None, numbers: bool = False) -> Contents:
    found = arrays(root)
    names = _names(root, set(found))
    columns = {
        part: Column(labels, str(root), np.atleast_1d(found[labels]), numbers=numbers)
        for part, (_, labels) in names.items()
    }
    given = {part: (name, found[name]) for part, (name, _) in names.items()}
    if given["train"][0].startswith("series"):
        return series.contents(str(root), given, columns, size=size)
    factors = scales(str(root), {images: found[images] for images, _ in names.values()})
    pixels: dict[Part, Pixels] = {}
    notices: list[str] = []
    for part, (images, _) in names.items():
        axis, notice = channels_of(str(root), images, found[images])
        notices += [notice] if notice and part == "train" else []
        pixels[part] = Pixels(images, str(root), found[images], partial(converted, axis, factors[images]))
    return contents(str(root), pixels, columns, size=size, notices=tuple(notices))


def arrays(root: Path, wanted: Container[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays in an archive, those that datasets are made of or `wanted`. Raises DataError for damaged ones."""
    wanted = wanted or {name for pairs in _PAIRS.values() for pair in pairs for name in pair}
    try:
        with root.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: _array(root, archive, name) for name in archive.files if name in wanted}
    except (DataError, OSError):
        raise
    except (
        Exception
    ) as error:  # a damaged archive raises nearly anything: BadZipFile, KeyError, NotImplementedError, ...
        raise DataError(
            f"{str(root)!r} cannot be read as an .npz archive ({type(error).__name__}). Write it anew with numpy.savez."
        ) from None


def _array(root: Path, archive: Any, name: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{name} of {str(root)!r} holds Python objects, which are never loaded as they could run code. "
            "Store numbers (or words) in it."
        ) from None
    return array


def _names(root: Path, present: set[str]) -> dict[Part, tuple[str, str]]:
    names: dict[Part, tuple[str, str]] = {}
    for part, pairs in _PAIRS.items():
        found = [pair for pair in pairs if pair[0] in present] or [pair for pair in pairs if pair[1] in present]
        if found:
            names[part] = found[0]
    for pair in names.values():
        for name in pair:
            if name not in present:
                raise DataError(f"{str(root)!r} has no {name} to go with {_other(pair, name)}. Add it.")
    if "train" not in names:
        raise DataError(
            f"{str(root)!r} must hold x_train and y_train (with x_val, y_val, x_test, y_test if there are any), or "
            f"images and labels, or x and y; it holds {listed(all_names(root)) or 'nothing'}. Rename its arrays."
        )
    return names


def _other(pair: tuple[str, str], name: str) -> str:
    return pair[1] if name == pair[0] else pair[0]


def all_names(root: Path) -> list[str]:
    """What the arrays of an archive are called."""
    with np.load(root, allow_pickle=False) as archive:
        return sorted(archive.files)


def scales(address: str, arrays: dict[str, NDArray[Any]]) -> dict[str, float]:
    """For each array what to multiply its values with to get 0 to 255."""
    fractions: dict[str, bool] = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise DataError(
                f"{name} of {address!r} holds {array.dtype} values, but pixels are numbers. Store numbers in it."
            )
        low, high = _range(array)
        if not (low >= 0 and high <= 255):  # NaN must fail this, too
            raise DataError(
                f"{name} of {address!r} holds values from {low:g} to {high:g}, but pixels are 0 to 255, "
                "or 0 to 1 for floating-point numbers. Undo any normalisation, and store them like that. If these are "
                "series (n, channels, time), call them series_train, series_test and so on."
            )
        fractions[name] = array.dtype.kind in "bf" and high <= 1
    floats = [name for name, array in arrays.items() if array.dtype.kind == "f"]
    if len({fractions[name] for name in floats}) > 1:
        small = [name for name in floats if fractions[name]]
        raise DataError(
            f"{listed(small)} of {address!r} goes from 0 to 1, but other images in it up to 255. Scale all alike."
        )
    return {name: 255.0 if fraction else 1.0 for name, fraction in fractions.items()}


def _range(array: NDArray[Any]) -> tuple[float, float]:
    if array.dtype == np.uint8 or not array.size:
        return 0.0, 255.0 if array.dtype == np.uint8 else 0.0
    return float(array.min()), float(array.max())


def converted(axis: int | None, scale: float, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images as (n, height, width, channels), whose `axis` holds channels (None: there are none), times `scale`."""
    if axis is None:
        images = images[..., None]
    elif axis == 1:
        images = images.transpose(0, 2, 3, 1)
    if images.dtype == np.uint8:
        return images
    scaled: NDArray[np.float32] = images.astype(np.float32) * np.float32(scale)
    return np.rint(scaled).astype(np.uint8)
