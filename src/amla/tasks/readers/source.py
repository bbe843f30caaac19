"""What readers hand over: which files a dataset is made of, and its examples in chunks, decoded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.sound import Sound

Part = Literal["train", "validation", "test"]
Labels = Literal["auto", "classes", "numbers"]  # what labels are; "auto": as they look
Size = tuple[int, int]  # height, width


class Frame(NamedTuple):
    """What images are brought to, in pixels: stretched to it, or with `cover` scaled to cover it and cut around."""

    height: int
    width: int
    cover: bool = False

    @property
    def size(self) -> Size:
        """The two lengths."""
        return self.height, self.width


_PARTS: dict[str, Part] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


@dataclass(frozen=True, eq=False)
class Picture:
    """One encoded image or recording, as a file or as bytes (None where there is none); `name` is for messages."""

    name: str
    data: Path | bytes | None


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some examples in order: inputs (k, *spatial, channels), labels (k,), and the names of unreadable files.

    `pictures` are what the inputs were decoded from, (k,); none where the source holds arrays. Of numbers that are to
    be predicted, labels are (k, targets).
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    unreadable: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, eq=False)
class Stream:
    """One part of a dataset: how many examples it has (unreadable ones included), and its chunks from the start."""

    count: int
    chunks: Callable[[], Iterator[Chunk]]


@dataclass(frozen=True, eq=False)
class Contents:
    """All of a dataset, not yet decoded. `shape` is that of one example: (height, width, channels), (time, channels).

    `dtype` is that of the examples, as numpy writes it. `encoded` says that chunks have pictures. With `numbers`,
    labels are numbers that are to be predicted, and `classes` what these are called. `sound` is what recordings were
    made spectrograms by.
    """

    address: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    parts: Mapping[Part, Stream]
    notices: tuple[str, ...] = ()
    dtype: str = "|u1"
    encoded: bool = False
    numbers: bool = False
    sound: Sound | None = None

    @property
    def called(self) -> str:
        """What examples that cannot be read are called: files of images, or recordings."""
        return "recordings" if self.sound else "images"


@dataclass(frozen=True, eq=False)
class Source:
    """A dataset that was recognised by its file names; nothing of it has been read.

    `files` are all that its examples depend on, in or under `root`. `read` opens them; its argument is the frame that
    images are brought to, or None for their own size. `classes` replaces the class names that the files give, and
    `fingerprint` the digest of the files, where there are none. `read_numbers` opens them with labels as numbers that
    are to be predicted, None where they cannot be. `notices` is what a user should be told of how it was recognised.
    """

    name: str
    root: Path
    files: tuple[Path, ...]
    read: Callable[[Frame | None], Contents]
    classes: tuple[str, ...] | None = None
    fingerprint: str | None = None
    read_numbers: Callable[[Frame | None], Contents] | None = None
    notices: tuple[str, ...] = ()


def part_called(name: str) -> Part | None:
    """The part of a dataset that a folder or a file prefix of this name holds; None for any other name."""
    return _PARTS.get(name.lower())


def listed(names: list[str] | tuple[str, ...], most: int = 5) -> str:
    """Names for a message, comma-separated; past the first few only how many there are."""
    hidden = len(names) - most
    return ", ".join(names[:most]) + (f" and {hidden:,} more" if hidden > 0 else "")


def unreadable_notice(names: list[str], count: int, address: str, called: str = "images") -> str:
    """What to tell the user about images, or what they are `called`, that could not be read, out of `count`.

    Raises DataError where they are so many that leaving them out would give another dataset.
    """
    found = f"{len(names):,} of {count:,} {called}"
    if len(names) * 100 < count:
        return f"{found} could not be read and were left out: {listed(names)}."
    raise DataError(
        f"{found} in {address!r} cannot be read: {listed(names)}. Fewer than 1 in 100 would "
        "be left out; so many must be restored or deleted."
    )
