"""Decoded datasets kept on disk, one folder each, and opened without reading them: memory-mapped."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from amla.tasks import arrayfile
from amla.tasks.arrayfile import ArrayFile
from amla.tasks.dataset import Examples
from amla.tasks.decoding import Decoded, Progress, pour
from amla.tasks.facts import DIGEST, digests_of, sums_of
from amla.tasks.pictured import Pictured, packed
from amla.tasks.readers.source import Chunk, Contents, Frame, Part
from amla.tasks.sound import Sound

VARIABLE = "AMLA_CACHE"

_DESCRIPTION = "dataset.json"
_WHOLE, _REAL = "<i8", "<f8"
_BYTES = "|u1"

Form = Literal["held", "read", "encoded"]
"""What an entry has: inputs; inputs and what is known of them; or the encoded images, and what is known of inputs."""
_UNFINISHED = ".unfinished-"
_ABANDONED = 24 * 3600  # seconds without a change after which no process can still be writing


def folder(given: Path | None) -> Path:
    """Where decoded datasets are kept: the folder given, else that of the environment variable, else the user's own."""
    if given:
        return given.expanduser()
    return Path(os.environ.get(VARIABLE) or Path("~", ".cache", "amla")).expanduser()


def opened(entry: Path, root: Path | None = None) -> Decoded | None:
    """What `written` left in the folder `entry`; None where there is nothing, or anything is not as it was left.

    Image files that were left where they are lie in the folder `root`.
    """
    try:
        description = json.loads((entry / _DESCRIPTION).read_bytes())
        parts: dict[Part, Examples] = {}
        for part, records in description["parts"].items():
            of = {what: arrayfile.opened(entry / f"{part}-{what}.npy", records[what]) for what in records}
            if frame := description.get("frame"):
                inputs: Any = Pictured(of["pictures"], of["ends"], root, Frame(*frame), description["channels"])
            else:
                inputs = of["inputs"]
            labels = np.array(of["labels"])
            parts[part] = Examples(inputs, labels, sums=of.get("sums"), digests=of.get("digests"))
        sound = Sound(**description["sound"]) if description.get("sound") else None
        return Decoded(tuple(description["classes"]), parts, tuple(description["notices"]), sound)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def written(
    entry: Path,
    contents: Contents,
    progress: Progress | None = None,
    form: Form = "held",
    frame: Frame | None = None,
    root: Path | None = None,
) -> Decoded | None:
    """Decode a dataset into the folder `entry`, which appears only when it is complete, and open it.

    No more than a chunk is in memory at a time. In the form "encoded" every image is decoded too, but only its bytes
    are kept, or the name of its file in the folder `root`; it is decoded anew to a `frame` when it is read. None where
    what was written cannot be opened. Raises OSError where the folder cannot be written, and DataError where too many
    images cannot be read.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(entry.parent)
    unfinished = _new_name(entry.parent)
    unfinished.mkdir()
    try:
        _write(unfinished, contents, progress, form, frame)
        _publish(unfinished, entry)
    finally:
        _remove(unfinished)
    return opened(entry, root)


def _remove_abandoned(parent: Path) -> None:
    for unfinished in parent.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            if unfinished.stat().st_mtime < time.time() - _ABANDONED:
                _remove(unfinished)


def _new_name(parent: Path) -> Path:
    return parent / f"{_UNFINISHED}{uuid4().hex}"


def _write(target: Path, contents: Contents, progress: Progress | None, form: Form, frame: Frame | None) -> None:
    files: dict[tuple[Part, str], ArrayFile] = {}
    records: dict[str, dict[str, Any]] = {part: {} for part in contents.parts}
    ends = dict.fromkeys(contents.parts, 0)
    try:
        for part in contents.parts:
            for what, (dtype, shape) in _kinds(contents, form).items():
                files[part, what] = ArrayFile(target / f"{part}-{what}.npy", dtype, shape)

        def append(part: Part, chunk: Chunk) -> None:
            for what, rows in _rows(chunk, form, ends[part]).items():
                if (part, what) in files:
                    files[part, what].append(rows)
                if what == "ends" and len(rows):
                    ends[part] = int(rows[-1])

        notices = pour(contents, append, progress)
        for (part, what), file in files.items():
            records[part][what] = file.finish()
    finally:
        for file in files.values():
            file.abandon()
    description: dict[str, Any] = {"classes": contents.classes, "notices": notices, "parts": records}
    if form == "encoded":
        description |= {"frame": frame or contents.shape[:2], "channels": contents.shape[2]}
    if contents.sound:
        description["sound"] = asdict(contents.sound)
    (target / _DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")


def _kinds(contents: Contents, form: Form) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return what an entry has a file of, for each part: the type of its rows, and their shape."""
    labels = (_REAL, (len(contents.classes),)) if contents.numbers else (_WHOLE, ())
    kinds: dict[str, tuple[str, tuple[int, ...]]] = {"labels": labels}
    if form == "encoded":
        kinds |= {"pictures": (_BYTES, ()), "ends": (_WHOLE, ())}
    else:
        kinds["inputs"] = contents.dtype, contents.shape
    if form != "held":
        kinds["digests"] = _BYTES, (DIGEST,)
        if contents.dtype == _BYTES:  # sums of others depend on their order
            kinds["sums"] = _WHOLE, (2, contents.shape[-1])
    return kinds


def _rows(chunk: Chunk, form: Form, end: int) -> dict[str, NDArray[Any]]:
    """Return what is written of a chunk; encoded images so far end at `end`."""
    rows: dict[str, NDArray[Any]] = {"inputs": chunk.inputs, "labels": chunk.labels}
    if form == "encoded":
        said = [packed(picture) for picture in chunk.pictures]
        rows["pictures"] = np.frombuffer(b"".join(said), np.uint8)
        rows["ends"] = end + np.cumsum([len(each) for each in said], dtype=np.int64)
    if form != "held":
        rows["digests"] = digests_of(chunk.inputs)
        if chunk.inputs.dtype == np.uint8:
            rows["sums"] = sums_of(chunk.inputs)
    return rows


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
