"""Decoded datasets kept on disk, one folder each, and opened without reading them: memory-mapped."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from amla.tasks import arrayfile
from amla.tasks.arrayfile import ArrayFile
from amla.tasks.dataset import Examples
from amla.tasks.decoding import Decoded, Progress, pour
from amla.tasks.readers.source import Chunk, Contents, Part

VARIABLE = "AMLA_CACHE"

_DESCRIPTION = "dataset.json"
_KINDS = ("inputs", "labels")
_LABELS, _NUMBERS = "<i8", "<f8"
_UNFINISHED = ".unfinished-"
_ABANDONED = 24 * 3600  # seconds without a change after which no process can still be writing


def folder(given: Path | None) -> Path:
    """Where decoded datasets are kept: the folder given, else that of the environment variable, else the user's own."""
    if given:
        return given.expanduser()
    return Path(os.environ.get(VARIABLE) or Path("~", ".cache", "amla")).expanduser()


def opened(entry: Path) -> Decoded | None:
    """What `written` left in the folder `entry`; None where there is nothing, or anything is not as it was left."""
    try:
        description = json.loads((entry / _DESCRIPTION).read_bytes())
        parts: dict[Part, Examples] = {}
        for part, records in description["parts"].items():
            inputs, labels = (arrayfile.opened(entry / f"{part}-{what}.npy", records[what]) for what in _KINDS)
            parts[part] = Examples(inputs, np.array(labels))
        return Decoded(tuple(description["classes"]), parts, tuple(description["notices"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def written(entry: Path, contents: Contents, progress: Progress | None = None) -> Decoded | None:
    """Decode a dataset into the folder `entry`, which appears only when it is complete, and open it.

    No more than a chunk is in memory at a time. None where what was written cannot be opened. Raises OSError where
    the folder cannot be written, and DataError where too many images cannot be read.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(entry.parent)
    unfinished = _new_name(entry.parent)
    unfinished.mkdir()
    try:
        _write(unfinished, contents, progress)
        _publish(unfinished, entry)
    finally:
        _remove(unfinished)
    return opened(entry)


def _remove_abandoned(parent: Path) -> None:
    for unfinished in parent.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            if unfinished.stat().st_mtime < time.time() - _ABANDONED:
                _remove(unfinished)


def _new_name(parent: Path) -> Path:
    return parent / f"{_UNFINISHED}{uuid4().hex}"


def _write(target: Path, contents: Contents, progress: Progress | None) -> None:
    files: dict[tuple[Part, str], ArrayFile] = {}
    records: dict[str, dict[str, Any]] = {part: {} for part in contents.parts}
    try:
        for part in contents.parts:
            files[part, "inputs"] = ArrayFile(target / f"{part}-inputs.npy", contents.dtype, contents.shape)
            kind, width = (_NUMBERS, (len(contents.classes),)) if contents.numbers else (_LABELS, ())
            files[part, "labels"] = ArrayFile(target / f"{part}-labels.npy", kind, width)

        def append(part: Part, chunk: Chunk) -> None:
            files[part, "inputs"].append(chunk.inputs)
            files[part, "labels"].append(chunk.labels)

        notices = pour(contents, append, progress)
        for (part, what), file in files.items():
            records[part][what] = file.finish()
    finally:
        for file in files.values():
            file.abandon()
    description = {"classes": contents.classes, "notices": notices, "parts": records}
    (target / _DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")


def _publish(unfinished: Path, entry: Path) -> None:
    try:
        os.replace(unfinished, entry)
    except OSError:
        if opened(entry):  # another process was faster, with the same data
            return
        damaged = _new_name(entry.parent)
        os.replace(entry, damaged)
        _remove(damaged)
        os.replace(unfinished, entry)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
