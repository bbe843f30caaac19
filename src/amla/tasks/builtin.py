"""The datasets known by name: what they are made of, where they are looked for, and where they can be had."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError, shuffled_by_class
from amla.tasks.decoding import Progress
from amla.tasks.download import DownloadError, fetch
from amla.tasks.readers import arrays, cifar, recognise
from amla.tasks.readers.labels import Column
from amla.tasks.readers.source import Contents, Frame, Part, Source, listed

VARIABLE = "AMLA_DATA"


@dataclass(frozen=True)
class _Published:
    """A dataset on the internet: its files with their MD5 sums, and where under a data folder people keep it."""

    classes: tuple[str, ...]
    places: tuple[str, ...]
    url: str
    files: dict[str, str]


_PUBLISHED = {
    "cifar10": _Published(
        classes=cifar.CLASSES,
        places=("cifar10", "cifar-10-batches-bin", cifar.ARCHIVE),
        url="https://www.cs.toronto.edu/~kriz/",
        files={cifar.ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530"},
    ),
    "fashion_mnist": _Published(
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        places=("fashion_mnist", "FashionMNIST/raw"),
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files={
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
}
NAMES = ("digits", *_PUBLISHED)
_SHAPES = {"digits": (1, 8, 8), "cifar10": (3, 32, 32), "fashion_mnist": (1, 28, 28)}  # each has ten classes


def shape_of(name: str, size: tuple[int, ...] | None) -> tuple[tuple[int, ...], int] | None:
    """The shape of the inputs (channels, height, width), resized if `size` says so, and the number of classes.

    Nothing is read for that. None for what is no built-in dataset.
    """
    if name not in _SHAPES:
        return None
    channels, *own = _SHAPES[name]
    return (channels, *(size or own)), 10


def find(name: str, *, data_dir: Path | None, cache_dir: Path, download: bool, progress: Progress | None) -> Source:
    """The built-in dataset called `name`, one of NAMES.

    Those that are not installed with a package are looked for under `data_dir`, or else the folder that the
    environment variable AMLA_DATA names, and among earlier downloads; and downloaded (with `progress` in bytes) if
    that is allowed. Raises DataError where it cannot be had.
    """
    if name == "digits":
        return _digits()
    published = _PUBLISHED[name]
    folders = _data_folders(data_dir, cache_dir)
    source = _present(published, folders)
    if source is None:
        source = recognise.find(_downloaded(name, published, folders, download, progress))
    return replace(source, name=name, classes=published.classes)


def _digits() -> Source:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError(
            "The dataset 'digits' comes with scikit-learn, which is missing: pip install amla[datasets]"
        ) from None
    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype("<i8")

    def read(size: Frame | None) -> Contents:
        return _digits_contents(images, labels, size)

    digest = hashlib.blake2b(images.tobytes() + labels.tobytes(), digest_size=16).hexdigest()
    return Source("digits", Path("digits"), (), read, fingerprint=digest)


def _digits_contents(images: NDArray[np.uint8], labels: NDArray[np.int64], size: Frame | None) -> Contents:
    """A fifth of each class is its test part, always the same, as the source has none."""
    orders = shuffled_by_class(labels, seed=0).values()
    test = np.sort(np.concatenate([order[: round(len(order) / 5)] for order in orders]))
    positions: dict[Part, NDArray[np.int64]] = {"train": np.setdiff1d(np.arange(len(labels)), test), "test": test}
    return arrays.contents(
        "digits",
        {part: arrays.Pixels("images", "digits", images[chosen], _with_channel) for part, chosen in positions.items()},
        {part: Column("labels", "digits", labels[chosen]) for part, chosen in positions.items()},
        size=size,
    )


def _with_channel(images: NDArray[Any]) -> NDArray[np.uint8]:
    return images[..., None]


def _data_folders(data_dir: Path | None, cache_dir: Path) -> list[Path]:
    given = data_dir or os.environ.get(VARIABLE)
    return [*([Path(given).expanduser()] if given else []), cache_dir / "downloads"]


def _present(published: _Published, folders: list[Path]) -> Source | None:
    for folder in folders:
        for place in published.places:
            path = folder / place
            if path.exists() and not _is_unfinished_download(path, published):
                return recognise.find(path)
    return None


def _is_unfinished_download(path: Path, published: _Published) -> bool:
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir() if entry.name[0] != "."}
    return names < set(published.files)


def _downloaded(
    name: str, published: _Published, folders: list[Path], download: bool, progress: Progress | None
) -> Path:
    """The folder where the files now are: in the first of `folders` that can be written."""
    if not download:
        raise _missing(name, published, folders, "downloading it is switched off")
    problems = []
    for folder in folders:
        try:
            for file, md5 in published.files.items():
                if not (folder / name / file).exists():
                    fetch(published.url + file, md5, folder / name / file, progress)
            return folder / name
        except DownloadError as error:
            problems.append(str(error))
    raise _missing(name, published, folders, f"downloading it failed ({'; '.join(dict.fromkeys(problems))})")


def _missing(name: str, published: _Published, folders: list[Path], problem: str) -> DataError:
    searched = " or ".join(repr(str(folder / name)) for folder in folders)
    return DataError(
        f"The dataset {name!r} is not in {searched}, and {problem}. "
        f"Download {listed(list(published.files))} from {published.url} by hand into {str(folders[0] / name)!r}; "
        f"or, where you have it already, let --data-dir or the environment variable {VARIABLE} name the folder that "
        f"holds the folder {name!r}."
    )
