"""Tells which kind of source a path is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from amla.tasks.dataset import DataError
from amla.tasks.readers import cifar, folders, idx, npz, parquet, tables, ucr
from amla.tasks.readers.source import Labels, Source, listed

KINDS = (
    "a folder of images with a folder for each class (CLASS/*.png), or the same under train, validation and test",
    "a folder of recordings with a folder for each class (CLASS/*.wav), or the same under train, validation and test",
    "a folder of images or recordings with one .csv: a column file_name, and columns of numbers to be predicted",
    "a folder of parquet files with images and labels (train-*.parquet, validation-*.parquet, test-*.parquet)",
    "a folder of IDX files (train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz)",
    "an .npz file with x_train and y_train, or images and labels; or series_train (n, channels, time) and y_train",
    "series as the UCR archive has them (NAME_TRAIN.tsv and NAME_TEST.tsv, or .ts)",
    f"the binary version of CIFAR-10 (data_batch_1.bin and so on, or {cifar.ARCHIVE})",
)
LINES = "".join(f"\n  {kind}" for kind in KINDS)


def find(root: Path, labels: Labels = "auto") -> Source:
    """The source that a file or folder is; or that the only folder in it is, if that has data files.

    A table of numbers beside folders of classes is read where `labels` are "numbers", else left alone, which is said.
    Raises DataError where it is none, saying what there is and what would be understood.
    """
    folder = _only_folder(root)
    source = _of_files(root) or (_of_files(folder) if folder else None) or _of_images(root, labels)
    if source is None:
        raise DataError(
            f"{str(root)!r} is no dataset that can be read: it is {_description(root)}. Expected one of these:{LINES}"
        )
    return source


def _only_folder(root: Path) -> Path | None:
    entries = root.iterdir() if root.is_dir() else ()
    inside = [entry for entry in entries if entry.name[0] != "." and entry.is_dir()]
    return inside[0] if len(inside) == 1 else None


def _of_files(root: Path) -> Source | None:
    return npz.find(root) or parquet.find(root) or idx.find(root) or cifar.find(root) or ucr.find(root)


def _of_images(root: Path, labels: Labels) -> Source | None:
    if labels == "numbers" or not folders.holds_classes(root):
        return tables.find(root) or folders.find(root)
    source, beside = folders.find(root), tables.tables_in(root)
    if source is None or not beside:
        return source
    said = (
        f"The folders are classes, and the numbers in {listed([str(path.relative_to(root)) for path in beside])} were "
        "left alone. To predict those, say --labels numbers, in a study file data.labels; else move the table away."
    )
    return replace(source, notices=(said, *source.notices))


def _description(root: Path) -> str:
    if not root.is_dir():
        return f"a file of kind {root.suffix!r}" if root.suffix else "a file without a suffix"
    entries = sorted(root.iterdir())
    kinds = Counter(entry.suffix or "no suffix" for entry in entries if entry.is_file())
    found = [f"{count:,} file{'s' * (count != 1)} ({kind})" for kind, count in sorted(kinds.items())]
    inside = [entry.name for entry in entries if entry.is_dir()]
    if inside:
        found.append(f"{len(inside):,} folder{'s' * (len(inside) != 1)} without images ({listed(inside, 3)})")
    return f"a folder with {listed(found)}" if found else "an empty folder"
