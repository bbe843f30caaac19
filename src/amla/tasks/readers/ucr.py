"""Series in text files as the UCR and UEA archives have them: NAME_TRAIN.tsv or NAME_TRAIN.ts, and the same with TEST.

Dau et al. 2019 (the UCR archive): a line is a label and the values of a series. Middlehurst et al. (aeon's .ts files):
after a header, a line is the values of each channel, separated by commas, channels and label by colons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers import series
from amla.tasks.readers.labels import Column
from amla.tasks.readers.source import Contents, Frame, Part, Source, listed

SUFFIXES = (".tsv", ".ts", ".txt", ".csv")
NAMED = re.compile(rf"(.+)_(TRAIN|TEST)({'|'.join(map(re.escape, SUFFIXES))})")
_PARTS: dict[str, Part] = {"TRAIN": "train", "TEST": "test"}


def find(root: Path) -> Source | None:
    """The dataset whose training part is the file `root`, or is in the folder `root`; None where there is none.

    Raises DataError for a folder of several datasets, and for a test part without a training part.
    """
    folder = root if root.is_dir() else root.parent
    if root.is_file() and not NAMED.fullmatch(root.name):
        return None
    if not folder.is_dir():
        return None
    found = {path: match for path in sorted(folder.iterdir()) if (match := NAMED.fullmatch(path.name))}
    if root.is_file():
        found = {path: match for path, match in found.items() if match.group(1, 3) == found[root].group(1, 3)}
    if not found:
        return None
    by_dataset: dict[tuple[str, str], dict[Part, Path]] = {}
    for path, match in found.items():
        by_dataset.setdefault((match[1], match[3]), {})[_PARTS[match[2]]] = path
    if len(by_dataset) > 1:
        raise DataError(
            f"{str(root)!r} holds {len(by_dataset)} datasets of series "
            f"({listed([name + kind for name, kind in by_dataset])}). Name the file of one: NAME_TRAIN{found[path][3]}."
        )
    (((name, kind), paths),) = by_dataset.items()
    if "train" not in paths:
        raise DataError(f"{str(root)!r} has {name}_TEST{kind}, but lacks {name}_TRAIN{kind}. Add it.")
    return Source(name, folder, tuple(paths.values()), partial(_read, folder, paths))


def read(path: Path) -> tuple[NDArray[np.float32], list[str]]:
    """The series in a file, (n, channels, time), and their labels. Raises DataError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{str(path)!r} is no text in UTF-8. Get it anew.") from None
    rows = list(_of_ts(path, lines) if path.suffix == ".ts" else _of_table(path, lines))
    if not rows:
        raise DataError(f"{str(path)!r} has no series in it. Get it anew.")
    shapes = {(len(channels), *sorted({len(channel) for channel in channels})) for _, _, channels in rows}
    if len(shapes) > 1 or len(next(iter(shapes))) > 2:
        lengths = sorted({len(channel) for _, _, channels in rows for channel in channels})
        raise DataError(
            f"{str(path)!r} has series of {lengths[0]:,} to {lengths[-1]:,} values, or of different channels. Make "
            "them as long as one another: cut them, or fill them up."
        )
    values = np.array([_numbers(path, number, channels) for number, _, channels in rows], np.float32)
    return values, _labels([label for _, label, _ in rows])


def _read(folder: Path, paths: dict[Part, Path], size: Frame | None) -> Contents:
    found = {part: read(path) for part, path in paths.items()}
    return series.contents(
        str(folder),
        {part: (paths[part].name, values) for part, (values, _) in found.items()},
        {part: Column("labels", str(paths[part]), np.array(labels)) for part, (_, labels) in found.items()},
        size=size,
    )


Row = tuple[int, str, Sequence[Sequence[str]]]  # number of the line, label, values by channel


def _of_table(path: Path, lines: list[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            label, *values = re.split(r"\s*[,\t]\s*|\s+", line.strip())
            if not values:
                raise DataError(f"Line {number} of {str(path)!r} has a label, but no values after it. Get it anew.")
            yield number, label, (values,)


def _of_ts(path: Path, lines: list[str]) -> Iterator[Row]:
    is_data = False
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("@"):
            is_data = text.lower() == "@data"
            if text.lower().split() == ["@timestamps", "true"]:
                raise DataError(
                    f"{str(path)!r} has time stamps with its values; only values one after the other are read."
                )
        elif is_data:
            *channels, label = text.split(":")
            if not channels:
                raise DataError(f"Line {number} of {str(path)!r} has no label after its values: a colon is missing.")
            yield number, label.strip(), [channel.split(",") for channel in channels]


def _numbers(path: Path, number: int, channels: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    try:
        return np.array([[np.nan if value.strip() == "?" else float(value) for value in each] for each in channels])
    except ValueError as error:
        raise DataError(f"Line {number} of {str(path)!r} has a value that is no number ({error}).") from None


def _labels(labels: list[str]) -> list[str]:
    """Return labels as words; those of all numbers as whole numbers are written: "1.0000000e+00" is "1"."""
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return labels
    return [str(int(number)) if number == int(number) else label for number, label in zip(numbers, labels, strict=True)]
