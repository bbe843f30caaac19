"""Reads all of a dataset, once, into memory or wherever its chunks are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from amla.tasks.dataset import DataError, Examples
from amla.tasks.readers.source import Chunk, Contents, Part, unreadable_notice
from amla.tasks.sound import Sound

Progress = Callable[[int, int], None]  # how much is done, of how much


@dataclass(frozen=True, eq=False)
class Decoded:
    """The examples of a dataset, with its class names, what to tell the user, and how recordings became examples."""

    classes: tuple[str, ...]
    parts: Mapping[Part, Examples]
    notices: tuple[str, ...]
    sound: Sound | None = None


def in_memory(contents: Contents, progress: Progress | None = None) -> Decoded:
    """The dataset in memory. Raises DataError where too many images cannot be read."""
    inputs = {
        part: np.empty((stream.count, *contents.shape), contents.dtype) for part, stream in contents.parts.items()
    }
    width = (len(contents.classes),) if contents.numbers else ()
    kind = np.float64 if contents.numbers else np.int64
    labels = {part: np.empty((stream.count, *width), kind) for part, stream in contents.parts.items()}
    counts = dict.fromkeys(contents.parts, 0)

    def hold(part: Part, chunk: Chunk) -> None:
        start, counts[part] = counts[part], counts[part] + len(chunk.labels)
        inputs[part][start : counts[part]] = chunk.inputs
        labels[part][start : counts[part]] = chunk.labels

    notices = pour(contents, hold, progress)
    parts = {part: Examples(inputs[part][:count], labels[part][:count]) for part, count in counts.items()}
    return Decoded(contents.classes, parts, notices, contents.sound)


def pour(
    contents: Contents, accept: Callable[[Part, Chunk], None], progress: Progress | None = None
) -> tuple[str, ...]:
    """Decode every part from start to end, handing each chunk to `accept`; returns what to tell the user.

    `progress` is called after each chunk, with examples. Raises DataError where too many images cannot be read, or
    none of a part can.
    """
    total = sum(stream.count for stream in contents.parts.values())
    done = 0
    unreadable: list[str] = []
    for part, stream in contents.parts.items():
        kept = 0
        for chunk in stream.chunks():
            accept(part, chunk)
            kept += len(chunk.labels)
            done += len(chunk.labels) + len(chunk.unreadable)
            unreadable += chunk.unreadable
            if progress:
                progress(done, total)
        if not kept:
            raise DataError(
                f"no {contents.called[:-1]} of {part} in {contents.address!r} can be read. Restore them, or remove "
                "that part."
            )
    if not unreadable:
        return contents.notices
    return (*contents.notices, unreadable_notice(unreadable, total, contents.address, contents.called))
