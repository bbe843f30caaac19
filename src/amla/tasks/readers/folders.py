"""Folders of images with one folder per class, divided into parts or not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from amla.tasks.dataset import DataError
from amla.tasks.readers.images import Album, contents
from amla.tasks.readers.labels import check_several
from amla.tasks.readers.source import Contents, Frame, Part, Picture, Source, listed, part_called

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


@dataclass(frozen=True, eq=False)
class _Tree:
    """The image files of every class, by part, and the folders that belong to none."""

    parts: dict[Part, dict[str, list[Path]]]
    ignored: list[str]

    def files(self) -> tuple[Path, ...]:
        return tuple(file for classes in self.parts.values() for files in classes.values() for file in files)


def find(root: Path) -> Source | None:
    """The dataset of the images in `root`/train/CLASS (with test and validation beside train) or in `root`/CLASS.

    None where there are no such images. Raises DataError for folders that contradict each other.
    """
    if not root.is_dir():
        return None
    tree = _tree(root)
    if tree is None or not tree.files():
        _check_not_flat(root)
        return None
    _check_classes(root, tree)
    return Source(root.resolve().name, root, tree.files(), partial(_read, root, tree))


def holds_classes(root: Path) -> bool:
    """Whether two or more folders of images lie in `root`, or in a training folder of it, none called as a part is."""
    if not root.is_dir():
        return False
    inside = _folders(root)
    places = [inside, *(_folders(each) for each in inside if part_called(each.name) == "train")]
    return any(sum(_has_images(each) for each in folders if not part_called(each.name)) > 1 for folders in places)


def _has_images(folder: Path) -> bool:
    return any(_is_image(name) for _, _, names in os.walk(folder) for name in names)


def _tree(root: Path) -> _Tree | None:
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
        return _Tree({"train": {folder.name: images_in(folder) for folder in folders}}, []) if folders else None
    if "train" not in divided:
        found = listed([folder.name for folder in divided.values()])
        raise DataError(
            f"{str(root)!r} has {found} but no 'train' with a folder for each class. Add it, or rename one to 'train'."
        )
    parts = {part: {each.name: images_in(each) for each in _folders(folder)} for part, folder in divided.items()}
    return _Tree(parts, [folder.name for folder in folders if folder not in divided.values()])


def _folders(folder: Path) -> list[Path]:
    return sorted(
        (each for each in folder.iterdir() if each.is_dir() and each.name[0] != "."), key=lambda each: each.name
    )


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder and the folders in it, in order."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(place, name) for name in sorted(names) if _is_image(name)]
    return found


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and name[0] != "."


def _check_not_flat(root: Path) -> None:
    images = [each.name for each in root.iterdir() if _is_image(each.name)]
    if images:
        raise DataError(
            f"{str(root)!r} holds {len(images):,} images without classes ({listed(sorted(images), 3)}). "
            "Put them in a folder for each class: CLASS/*.png."
        )


def _check_classes(root: Path, tree: _Tree) -> None:
    train = tree.parts["train"]
    for name, files in train.items():
        if not files:
            raise DataError(
                f"class {name!r} of {str(root)!r} has no images to train on ({', '.join(SUFFIXES)}). "
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
            raise DataError(f"{part} of {str(root)!r} has no images. Add some, or remove that folder.")
    check_several(tuple(train), str(root))


def _read(root: Path, tree: _Tree, size: Frame | None) -> Contents:
    classes = tuple(tree.parts["train"])
    notices = (f"Folders without a folder for each class were left out: {listed(tree.ignored)}.",)
    return contents(
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
