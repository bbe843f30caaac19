"""Folders of images or recordings with a table (.csv) that says what numbers are to be predicted of each."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from amla.tasks.dataset import DataError
from amla.tasks.readers.folders import IMAGES, KINDS, batches
from amla.tasks.readers.images import Album
from amla.tasks.readers.labels import Column, class_indices
from amla.tasks.readers.source import Contents, Frame, Part, Picture, Source, listed, part_called

FILES = ("file_name", "file", "filename", "image", "path")  # what the column with the names of files may be called


@dataclass(frozen=True, eq=False)
class _Table:
    """The rows of one part: the images or recordings, and the numbers of each."""

    path: Path
    inputs: tuple[Path, ...]
    targets: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


def find(root: Path) -> Source | None:
    """The dataset of the files that `root`/*.csv names, or `root`/train/*.csv with test and validation beside it.

    A table has a head, a column with the names of files, relative to its folder, and columns of numbers: all are to be
    predicted. None where there is no such table, or more than one in a folder. Raises DataError for one that says what
    cannot be.
    """
    places = _places(root)
    if "train" not in places:
        return None
    tables = {part: _read_table(path) for part, path in places.items()}
    for table in tables.values():
        if table.targets != tables["train"].targets:
            raise DataError(
                f"{str(table.path)!r} has the columns {listed(table.targets)}, but the one to train on has "
                f"{listed(tables['train'].targets)}. Give all tables the same."
            )
    files = tuple(file for table in tables.values() for file in (table.path, *dict.fromkeys(table.inputs)))
    read = partial(_read, root, tables)
    return Source(root.resolve().name, root, files, read, read_numbers=read)


def tables_in(root: Path) -> tuple[Path, ...]:
    """The tables of files and numbers that `find` would read, whatever is wrong with their rows."""
    try:
        return tuple(_places(root).values())
    except DataError:
        return ()


def _places(root: Path) -> dict[Part, Path]:
    """The tables of a folder by part."""
    if not root.is_dir():
        return {}
    if table := _table_in(root):
        return {"train": table}
    folders = [(part, each) for each in sorted(root.iterdir()) if each.is_dir() and (part := part_called(each.name))]
    return {part: table for part, folder in folders if (table := _table_in(folder))}


def _table_in(folder: Path) -> Path | None:
    """The only table in a folder, if it is one of files and numbers: by its head, and a number in any of its rows."""
    found = sorted(folder.glob("*.csv"))
    if len(found) != 1:
        return None
    rows = _rows(found[0])
    _, head = next(rows, (0, []))
    place = _file_column(head)
    if place is None or len(head) < 2:
        return None
    has_numbers = any(_number(cell) is not None for _, row in rows for i, cell in enumerate(row) if i != place)
    return found[0] if has_numbers else None


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table that are not empty, each with the number of its last line. Raises DataError."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        rows = csv.reader(stream)
        try:
            yield from ((rows.line_num, row) for row in rows if row)
        except csv.Error as error:
            raise _wrong(path, rows.line_num, f"is no line of a table ({error}); a quote may be open") from None


def _file_column(head: list[str]) -> int | None:
    return next((place for place, name in enumerate(head) if name.strip().lower() in FILES), None)


def _read_table(path: Path) -> _Table:
    inputs: list[Path] = []
    numbers: list[tuple[float, ...]] = []
    rows = _rows(path)
    _, head = next(rows)
    place = _file_column(head) or 0
    targets = tuple(name.strip() for column, name in enumerate(head) if column != place)
    for line, row in rows:
        if len(row) != len(head):
            raise _wrong(path, line, f"has {len(row)} columns, but the head has {len(head)}")
        found = [_number(cell) for column, cell in enumerate(row) if column != place]
        if None in found:
            missing = targets[found.index(None)]
            raise _wrong(path, line, f"has no number in the column {missing!r}", "that row or that column")
        inputs.append(_inside(path, row[place].strip(), line))
        numbers.append(tuple(number for number in found if number is not None))
    return _Table(path, tuple(inputs), targets, tuple(numbers))


def _inside(path: Path, name: str, line: int) -> Path:
    """The file that a row names. Raises DataError unless it is there, below the table's folder."""
    file = path.parent / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise _wrong(path, line, f"names {name!r}, which is not below the table's folder")
    if not file.is_file():
        raise _wrong(path, line, f"names {name!r}, which is not there")
    return file


def _wrong(path: Path, line: int, what: str, spare: str = "that row") -> DataError:
    return DataError(f"line {line} of {str(path)!r} {what}. Mend the table, or leave {spare} out.")


def _number(cell: str) -> float | None:
    try:
        found = float(cell)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def _read(root: Path, tables: Mapping[Part, _Table], size: Frame | None) -> Contents:
    columns = {
        part: Column(table.path.name, str(table.path), np.array(table.rows), numbers=True, targets=table.targets)
        for part, table in tables.items()
    }
    classes, labels = class_indices(columns)
    albums = {
        part: Album(
            labels[part], partial(batches, [Picture(str(file.relative_to(root)), file) for file in table.inputs])
        )
        for part, table in tables.items()
    }
    kind = next((kind for kind in KINDS if all(kind.has(file.name) for file in tables["train"].inputs)), IMAGES)
    return kind.reader(str(root), albums, size=size, classes=classes)
