"""Parquet files as Hugging Face publishes image datasets: encoded images in one column, labels in another."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amla.tasks.dataset import DataError
from amla.tasks.readers.images import Album, contents
from amla.tasks.readers.labels import Column, class_indices
from amla.tasks.readers.source import Contents, Frame, Part, Picture, Source, listed, part_called

_SHARD = re.compile(r"(?P<part>.+?)-(?P<index>\d{5})-of-(?P<count>\d{5})")
_LABEL_NAMES = ("label", "labels", "fine_label", "class", "target", "y")


@dataclass(frozen=True)
class _Columns:
    image: str
    label: str
    classes: tuple[str, ...] | None
    numbers: bool  # floating-point ones, which are to be predicted


def find(root: Path) -> Source | None:
    """The dataset in the parquet files of the folder `root` (or its folders train, test, ...), or in the file `root`.

    The start of a file's name, or else the name of its folder, says which part it holds: train, validation or test.
    Where no name does, all are to train on. None where there are no parquet files. Raises DataError where shards are
    missing or a file belongs to no part.
    """
    files = files_of(root)
    if not files:
        return None
    parts = _parts(root, files)
    _check_shards(files)
    name = root.stem if root.is_file() else root.resolve().name
    numbers = partial(_read, root, parts, numbers=True)
    return Source(name, root, tuple(files), partial(_read, root, parts), read_numbers=numbers)


def unlabelled(files: list[Path]) -> Album:
    """The images in parquet files, in order, numbered in place of labels. Raises DataError where there are none."""
    rows = 0
    for file in files:
        with _open(file) as opened:
            rows += opened.metadata.num_rows
    with _open(files[0]) as opened:
        image = _image_column(files[0], opened.schema_arrow)
    return Album(np.arange(rows), partial(_batches, files, image))


def files_of(root: Path) -> list[Path]:
    """The parquet files in the folder `root`, or in its folders train, test, ..., or the file `root` if it is one."""
    if not root.is_dir():
        return [root] if root.suffix == ".parquet" else []
    folders = [each for each in root.iterdir() if part_called(each.name)]
    return sorted(root.glob("*.parquet")) or sorted(file for folder in folders for file in folder.glob("*.parquet"))


def _parts(root: Path, files: list[Path]) -> Mapping[Part, list[Path]]:
    parts: dict[Part, list[Path]] = {}
    unknown = []
    for file in files:
        part = part_called(re.split(r"[-_.]", file.name)[0]) or part_called(file.parent.name)
        if part:
            parts.setdefault(part, []).append(file)
        else:
            unknown.append(file.name)
    if not parts or root.is_file():
        return {"train": files}
    if unknown or "train" not in parts:
        raise DataError(
            f"{str(root)!r} has parquet files for {listed(list(parts))}"
            + (f", and others that name no part: {listed(unknown)}" if unknown else ", but none to train on")
            + ". Name them train-*.parquet, validation-*.parquet or test-*.parquet, or take them away."
        )
    return parts


def _check_shards(files: list[Path]) -> None:
    matches = [(file.parent, match) for file in files if (match := _SHARD.fullmatch(file.stem))]
    found = Counter((folder, match["part"], match["count"]) for folder, match in matches)
    for (folder, part, count), present in found.items():
        if present != int(count):
            raise DataError(
                f"{str(folder)!r} has {present} of the {int(count)} files {part}-*-of-{count}.parquet. "
                "Add the missing ones: the dataset is incomplete without them."
            )


def _read(root: Path, parts: Mapping[Part, list[Path]], size: Frame | None, numbers: bool = False) -> Contents:
    _pyarrow_parquet()
    columns = _columns(parts["train"][0])
    labels = {part: _labels(root, files, columns, numbers or columns.numbers) for part, files in parts.items()}
    classes, indices = class_indices(labels, None if numbers else columns.classes)
    albums = {part: Album(indices[part], partial(_batches, files, columns.image)) for part, files in parts.items()}
    return contents(str(root), albums, size=size, classes=classes)


def _pyarrow_parquet() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError("Reading parquet files needs pyarrow, which is missing: pip install amla[datasets]") from None
    return parquet


def _open(file: Path) -> Any:
    try:
        return _pyarrow_parquet().ParquetFile(file)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{str(file)!r} cannot be read as a parquet file ({_first_line(error)}). Get it anew."
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _columns(file: Path) -> _Columns:
    with _open(file) as opened:
        schema = opened.schema_arrow
    features = _features(schema.metadata)
    image = _image_column(file, schema)
    labels = [field.name for field in schema if _holds_labels(field.type)]
    labels = labels or [field.name for field in schema if _holds_numbers(field.type)]
    named = [name for name in labels if "names" in features.get(name, {})]
    label = _only(file, named or labels, "labels (numbers or words)", _LABEL_NAMES)
    names = features.get(label, {}).get("names")
    numbers = _holds_numbers(schema.field(label).type)
    return _Columns(image, label, tuple(map(str, names)) if names else None, numbers)


def _image_column(file: Path, schema: Any) -> str:
    return _only(file, [field.name for field in schema if _holds_images(field.type)], "encoded images (bytes)", ())


def _features(metadata: dict[bytes, bytes] | None) -> dict[str, dict[str, Any]]:
    """The column descriptions that Hugging Face adds to a schema; empty where there are none."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _holds_images(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_images(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _holds_labels(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _holds_labels(kind.value_type)
    return bool(types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind))


def _holds_numbers(kind: Any) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return bool(types.is_floating(kind.value_type))
    return bool(types.is_floating(kind))


def _only(file: Path, names: list[str], what: str, preferred: tuple[str, ...]) -> str:
    if len(names) == 1:
        return names[0]
    for name in preferred:
        if name in names:
            return name
    found = f"{len(names)} such columns: {listed(names)}" if names else "no such column"
    raise DataError(f"{str(file)!r} must have one column of {what}, but has {found}. Keep exactly one.")


def _labels(root: Path, files: list[Path], columns: _Columns, numbers: bool) -> Column:
    values: list[Any] = []
    counts: list[tuple[str, int]] = []
    for file in files:
        column = _column(file, columns.label)
        if column.null_count:
            position = column.is_null().to_pylist().index(True)
            raise DataError(f"{columns.label}[{position}] of {str(file)!r} is missing. Label it, or leave it out.")
        values += column.to_pylist()
        counts.append((str(file), len(column)))
    if numbers and len({len(each) for each in values if isinstance(each, list)}) > 1:
        raise DataError(f"{columns.label} of {str(root)!r} has lists of several lengths. Give every example as many.")
    array = np.array(values, dtype=None if values else np.int64)
    single = array.ndim == 1 or array.shape[1] == 1
    targets = (columns.label,) if single else tuple(f"{columns.label} {place}" for place in range(array.shape[1]))
    return Column(columns.label, str(root), array, tuple(counts), numbers, targets)


def _column(file: Path, name: str) -> Any:
    with _open(file) as opened:
        _check_has(file, opened, name)
        try:
            return opened.read([name]).column(0)
        except (OSError, ValueError) as error:
            raise _damaged(file, error) from None


def _check_has(file: Path, opened: Any, name: str) -> None:
    names = opened.schema_arrow.names
    if name not in names:
        raise DataError(
            f"{str(file)!r} has no column {name!r} as the first training file has, only {listed(names)}. "
            "Give all files the same columns."
        )


def _damaged(file: Path, error: Exception) -> DataError:
    return DataError(f"{str(file)!r} is damaged ({_first_line(error)}). Get it anew.")


def _batches(files: list[Path], image: str, count: int) -> Iterator[Sequence[Picture]]:
    for file in files:
        with _open(file) as opened:
            _check_has(file, opened, image)
            row = 0
            try:
                for batch in opened.iter_batches(batch_size=count, columns=[image]):
                    images = [each.get("bytes") if isinstance(each, dict) else each for each in batch[0].to_pylist()]
                    yield [Picture(f"row {row + i} of {file.name}", image) for i, image in enumerate(images)]
                    row += len(images)
            except (OSError, ValueError) as error:
                raise _damaged(file, error) from None
