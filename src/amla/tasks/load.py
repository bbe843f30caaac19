"""Loads a dataset, by name or by path, decoded once and then kept in the cache."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from amla.tasks import builtin, cache
from amla.tasks.dataset import DataError, Dataset
from amla.tasks.decoding import Decoded, Progress, in_memory
from amla.tasks.fingerprint import fingerprint
from amla.tasks.readers import recognise
from amla.tasks.readers.source import Labels, Size, Source

FORMAT = 1  # to be raised when the same files are to give other arrays, so that no old entry is used


def load(
    source: str,
    *,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    size: tuple[int, ...] | None = None,
    labels: Labels = "auto",
    download: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """The dataset that `source` names: a built-in one (digits, cifar10, fashion_mnist), else a file or a folder.

    `data_dir` is where built-in datasets are looked for, and downloaded to if `download` allows it; else the
    environment variable AMLA_DATA says where. Decoded images are kept in `cache_dir` (else in AMLA_CACHE, else in
    ~/.cache/amla) and memory-mapped; where that cannot be written they stay in memory. `size`, (height, width) in
    pixels, is what all images are resized to; by default the size that most of them have. With `labels` "numbers" they
    are numbers to be predicted, with "classes" they are not; "auto" goes by what they look like. `progress` is told how
    much is done of how much: bytes while downloading, then images while decoding. Raises DataError for every dataset
    that cannot be used, saying what to do.
    """
    image_size = _checked_size(size)
    folder = cache.folder(cache_dir)
    try:
        found = _found(source, data_dir=data_dir, cache_dir=folder, download=download, progress=progress)
        digest = found.fingerprint or fingerprint(found.root, found.files, remembered_in=folder / "files")
        suffix = f"{image_size[0]}x{image_size[1]}" if image_size else "own"
        if labels == "numbers":
            found, suffix = _of_numbers(found), f"{suffix}-numbers"
        decoded = _decoded(found, folder / "datasets" / f"{digest}-{suffix}-{FORMAT}", image_size, progress)
    except OSError as error:
        raise DataError(
            f"{error.filename or source!r} cannot be read ({error.strerror or error}). Check that it is there and that "
            "you may read it."
        ) from error
    if labels == "classes" and decoded.parts["train"].are_numbers:
        raise DataError(f"data.labels is classes, but {source!r} has numbers. Leave data.labels out.")
    return Dataset(
        name=found.name,
        fingerprint=digest,
        classes=_classes(found, decoded),
        train=decoded.parts["train"],
        validation=decoded.parts.get("validation"),
        test=decoded.parts.get("test"),
        notices=decoded.notices,
    )


def _of_numbers(source: Source) -> Source:
    if source.read_numbers is None:
        raise DataError(
            f"data.labels is numbers, but {str(source.root)!r} has classes. Numbers are read from .npz files, parquet "
            "files, and folders of images with a table.csv."
        )
    return replace(source, read=source.read_numbers, classes=None)


def _checked_size(size: tuple[int, ...] | None) -> Size | None:
    if size is None:
        return None
    if len(size) != 2 or not all(isinstance(length, int) and length > 0 for length in size):
        raise DataError(
            f"size is {tuple(size)!r}, but images have two lengths in pixels, both 1 or more: (height, width). "
            "Give it like (32, 32)."
        )
    return size[0], size[1]


def _found(source: str, *, data_dir: Path | None, cache_dir: Path, download: bool, progress: Progress | None) -> Source:
    if source in builtin.NAMES:
        return builtin.find(source, data_dir=data_dir, cache_dir=cache_dir, download=download, progress=progress)
    path = Path(source).expanduser()
    if source.strip() and path.exists():
        return recognise.find(path)
    similar = get_close_matches(source.lower().replace("-", "_"), builtin.NAMES, n=1)
    suggestion = f" Did you mean {similar[0]!r}?" if similar else ""
    raise DataError(
        f"{source!r} is neither a built-in dataset nor a path that exists.{suggestion} Give one of the built-in names "
        f"({', '.join(builtin.NAMES)}), or the path of one of these:{recognise.LINES}"
    )


def _decoded(source: Source, entry: Path, size: Size | None, progress: Progress | None) -> Decoded:
    known = cache.opened(entry)
    if known:
        return known
    contents = source.read(size)
    try:
        fresh = cache.written(entry, contents, progress)
        problem = "what was written cannot be opened"
    except OSError as error:
        fresh, problem = None, error.strerror or str(error)
    if fresh:
        return fresh
    decoded = in_memory(contents, progress)
    notice = (
        f"The cache folder {str(entry.parent)!r} cannot be used ({problem}): the images are kept in memory, and will "
        f"be decoded again the next time. Make it writable, or let {cache.VARIABLE} name another folder."
    )
    return replace(decoded, notices=(*decoded.notices, notice))


def _classes(source: Source, decoded: Decoded) -> tuple[str, ...]:
    if source.classes and len(source.classes) != len(decoded.classes):
        raise DataError(
            f"{str(source.root)!r} has {len(decoded.classes)} classes, but {source.name!r} has {len(source.classes)}. "
            "Put the right files there, or give its path instead of the name."
        )
    return source.classes or decoded.classes
