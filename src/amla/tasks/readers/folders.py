"""Folders of images or of recordings with one folder per class, divided into parts or not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from amla.tasks.dataset import DataError
from amla.tasks.readers import images, sounds
from amla.tasks.readers.images import Album
from amla.tasks.readers.labels import check_several
from amla.tasks.readers.source import Contents, Frame, Part, Picture, Source, listed, part_called


class _Reader(Protocol):
    """What makes a dataset of albums, as `amla.tasks.readers.images.contents` does."""

    def __call__(
        self,
        address: str,
        albums: dict[Part, Album],
        *,
        size: Frame | None,
        classes: tuple[str, ...],
        notices: tuple[str, ...] = (),
    ) -> Contents: ...


class Kind(NamedTuple):
    """What the files in a folder may be: what they are called, how their names end, and what reads them."""

    called: str
    suffixes: tuple[str, ...]
    reader: _Reader

    def has(self, name: str) -> bool:
        """Whether a file of this name is one."""
        return name.lower().endswith(self.suffixes) and name[0] != "."


IMAGES = Kind("images", images.SUFFIXES, images.contents)
RECORDINGS = Kind("recordings", sounds.SUFFIXES, sounds.contents)
KINDS = (IMAGES, RECORDINGS)


@dataclass(frozen=True, eq=False)
class _Tree:
    """The files of one kind of every class, by part, and the folders that belong to none."""

    parts: dict[Part, dict[str, list[Path]]]
    ignored: list[str]

    def files(self) -> tuple[Path, ...]:
        return tuple(file for classes in self.parts.values() for files in classes.values() for file in files)


def find(root: Path) -> Source | None:
    """The dataset of the images in `root`/train/CLASS (with test and validation beside train) or in `root`/CLASS.

    Or of the recordings, where there are more of these. None where there is neither. Raises DataError for folders that
    contradict each other.
    """
    if not root.is_dir():
        return None
    trees = {kind: tree for kind in KINDS if (tree := _tree(root, kind)) and tree.files()}
    if not trees:
        _check_not_flat(root)
        return None
    kind = max(trees, key=lambda each: len(trees[each].files()))
    tree = trees.pop(kind)
    _check_classes(root, tree, kind)
    notices = tuple(
        f"The {other.called} there ({len(trees[other].files()):,}) were left alone: there are more {kind.called}."
        for other in trees
    )
    return Source(root.resolve().name, root, tree.files(), partial(_read, root, tree, kind), notices=notices)


def holds_classes(root: Path) -> bool:
    """Whether two or more folders with files lie in `root`, or in a training folder of it, none called as a part is."""
    if not root.is_dir():
        return False
    inside = _folders(root)
    places = [inside, *(_folders(each) for each in inside if part_called(each.name) == "train")]
    return any(sum(_has_files(each) for each in folders if not part_called(each.name)) > 1 for folders in places)


def _has_files(folder: Path) -> bool:
    return any(kind.has(name) for _, _, names in os.walk(folder) for name in names for kind in KINDS)


def _tree(root: Path, kind: Kind) -> _Tree | None:
    folders = _folders(root)
    divided: dict[Part, Path] = {}
    for folder in folders:
        part = part_called(folder.name)
        if part and _folders(folder):  # without folders in it, it is a class that happens to be called "train"
            if part in divided:
                raise DataError(
                    f"{str(root)!r} has both {divided[part].name!r} and {folder.name!r} for {part}. Keep one of them."
                )
            divided[part] = folder
    if not divided:
        return _Tree({"train": {folder.name: files_in(folder, kind) for folder in folders}}, []) if folders else None
    if "train" not in divided:
        found = listed([folder.name for folder in divided.values()])
        raise DataError(
            f"{str(root)!r} has {found} but no 'train' with a folder for each class. Add it, or rename one to 'train'."
        )
    parts = {part: {each.name: files_in(each, kind) for each in _folders(folder)} for part, folder in divided.items()}
    return _Tree(parts, [folder.name for folder in folders if folder not in divided.values()])


def _folders(folder: Path) -> list[Path]:
    return sorted(
        (each for each in folder.iterdir() if each.is_dir() and each.name[0] != "."), key=lambda each: each.name
    )


def files_in(folder: Path, kind: Kind) -> list[Path]:
    """The files of a kind in a folder and the folders in it, in order."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(place, name) for name in sorted(names) if kind.has(name)]
    return found


def _check_not_flat(root: Path) -> None:
    names = sorted(each.name for each in root.iterdir())
    for kind in KINDS:
        if found := [name for name in names if kind.has(name)]:
            raise DataError(
                f"{str(root)!r} holds {len(found):,} {kind.called} without classes ({listed(found, 3)}). "
                f"Put them in a folder for each class: CLASS/*{kind.suffixes[0]}."
            )


def _check_classes(root: Path, tree: _Tree, kind: Kind) -> None:
    train = tree.parts["train"]
    for name, files in train.items():
        if not files:
            raise DataError(
                f"class {name!r} of {str(root)!r} has no {kind.called} to train on ({', '.join(kind.suffixes)}). "
                "Add some, or remove its folder."
            )
    for part, classes in tree.parts.items():
        unknown = [name for name, files in classes.items() if files and name not in train]
        if unknown:
            raise DataError(
                f"{part} of {str(root)!r} has classes that train lacks: {listed(unknown)}. The classes of train are "
                f"{listed(list(train))}. Add their folders to train, or remove them."
            )
        if not any(classes.values()):
            raise DataError(f"{part} of {str(root)!r} has no {kind.called}. Add some, or remove that folder.")
    check_several(tuple(train), str(root))


def _read(root: Path, tree: _Tree, kind: Kind, size: Frame | None) -> Contents:
    classes = tuple(tree.parts["train"])
    notices = (f"Folders without a folder for each class were left out: {listed(tree.ignored)}.",)
    return kind.reader(
        str(root),
        {part: _album(root, classes, files) for part, files in tree.parts.items()},
        size=size,
        classes=classes,
        notices=notices if tree.ignored else (),
    )


def _album(root: Path, classes: tuple[str, ...], files: dict[str, list[Path]]) -> Album:
    labels = [label for label, name in enumerate(classes) for _ in files.get(name, ())]
    pictures = [Picture(str(file.relative_to(root)), file) for name in classes for file in files.get(name, ())]
    return Album(np.array(labels, dtype=np.int64), partial(batches, pictures))


def batches(pictures: Sequence[Picture], count: int) -> Iterator[Sequence[Picture]]:
    """Pictures in batches of at most so many."""
    for start in range(0, len(pictures), count):
        yield pictures[start : start + count]
