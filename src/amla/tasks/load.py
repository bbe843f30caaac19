"""Loads a dataset, by name or by path, decoded once and then kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from amla.tasks import builtin, cache
from amla.tasks.dataset import DataError, Dataset, Examples
from amla.tasks.decoding import Decoded, Progress, in_memory
from amla.tasks.fingerprint import fingerprint
from amla.tasks.readers import recognise
from amla.tasks.readers.source import Frame, Labels, Part, Source
from amla.tasks.streaming import Stream, check_fits, form_of, streamed

FORMAT = 2  # to be raised when the same files are to give other arrays, so that no old entry is used


def load(
    source: str,
    *,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    size: tuple[int, ...] | None = None,
    canvas: tuple[int, ...] | None = None,
    stream: Stream = "auto",
    labels: Labels = "auto",
    download: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """The dataset that `source` names: a built-in one (digits, cifar10, fashion_mnist), else a file or a folder.

    `data_dir` is where built-in datasets are looked for, and downloaded to if `download` allows it; else the
    environment variable AMLA_DATA says where. Decoded images are kept in `cache_dir` (else in AMLA_CACHE, else in
    ~/.cache/amla) and memory-mapped; where that cannot be written they stay in memory. `size`, (height, width) in
    pixels, is what all images are resized to; by default the size that most of them have. With a `canvas`, as large or
    larger, they are scaled to cover that, their edges cut off; a network reads the middle or crops, of `size`. `stream`
    says whether they are read batch by batch: "never"; "disk", from the cache; "decode", from the encoded images; or
    "auto", as the memory demands it. With `labels` "numbers" they are numbers to be predicted, with "classes" they are
    not; "auto" goes by what they look like. `progress` is told how much is done of how much: bytes while downloading,
    then images while decoding. Raises DataError for every dataset that cannot be used, saying what to do.
    """
    frame = _frame(size, canvas)
    folder = cache.folder(cache_dir)
    try:
        found = _found(source, data_dir=data_dir, cache_dir=folder, download=download, progress=progress, labels=labels)
        digest = found.fingerprint or fingerprint(found.root, found.files, remembered_in=folder / "files")
        suffix = f"{frame.height}x{frame.width}{'-cover' * frame.cover}" if frame else "own"
        if labels == "numbers":
            found, suffix = _of_numbers(found), f"{suffix}-numbers"
        decoded = _decoded(found, folder / "datasets" / f"{digest}-{suffix}-{FORMAT}", frame, stream, progress)
    except OSError as error:
        raise DataError(
            f"{error.filename or source!r} cannot be read ({error.strerror or error}). Check that it is there and that "
            "you may read it."
        ) from error
    if labels == "classes" and decoded.parts["train"].are_numbers:
        raise DataError(f"data.labels is classes, but {source!r} has numbers. Leave data.labels out.")
    parts = decoded.parts if size is None or canvas is None else _seen_at(size, decoded.parts)
    return Dataset(
        name=found.name,
        fingerprint=digest,
        classes=_classes(found, decoded),
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        notices=(*found.notices, *decoded.notices),
        sound=decoded.sound,
    )


def _seen_at(size: tuple[int, ...], parts: Mapping[Part, Examples]) -> dict[Part, Examples]:
    """Return parts of whose images, which are as large as a canvas, a network reads `size`."""
    return {name: replace(examples, size=(size[0], size[1])) for name, examples in parts.items()}


def _of_numbers(source: Source) -> Source:
    if source.read_numbers is None:
        raise DataError(
            f"data.labels is numbers, but {str(source.root)!r} has classes. Numbers are read from .npz files, parquet "
            "files, and folders of images or recordings with a table.csv."
        )
    return replace(source, read=source.read_numbers, classes=None)


def _frame(size: tuple[int, ...] | None, canvas: tuple[int, ...] | None) -> Frame | None:
    """Return what images are brought to when they are decoded."""
    for name, given in (("size", size), ("canvas", canvas)):
        if given is not None and (len(given) != 2 or not all(isinstance(each, int) and each > 0 for each in given)):
            raise DataError(
                f"{name} is {tuple(given)!r}, but images have two lengths in pixels, both 1 or more: (height, width). "
                "Give it like (32, 32)."
            )
    if canvas is None:
        return None if size is None else Frame(size[0], size[1])
    if size is None or size[0] > canvas[0] or size[1] > canvas[1]:
        raise DataError(
            f"canvas is {tuple(canvas)}, and size {None if size is None else tuple(size)}; a network reads the middle "
            "or crops of the canvas. Give a size that is not larger."
        )
    return Frame(canvas[0], canvas[1], cover=True)


def _found(
    source: str,
    *,
    data_dir: Path | None,
    cache_dir: Path,
    download: bool,
    progress: Progress | None,
    labels: Labels,
) -> Source:
    if source in builtin.NAMES:
        return builtin.find(source, data_dir=data_dir, cache_dir=cache_dir, download=download, progress=progress)
    path = Path(source).expanduser()
    if source.strip() and path.exists():
        return recognise.find(path, labels)
    similar = get_close_matches(source.lower().replace("-", "_"), builtin.NAMES, n=1)
    suggestion = f" Did you mean {similar[0]!r}?" if similar else ""
    raise DataError(
        f"{source!r} is neither a built-in dataset nor a path that exists.{suggestion} Give one of the built-in names "
        f"({', '.join(builtin.NAMES)}), or the path of one of these:{recognise.LINES}"
    )


def _decoded(source: Source, entry: Path, frame: Frame | None, stream: Stream, progress: Progress | None) -> Decoded:
    encoded = entry.with_name(f"{entry.name}-encoded")
    known = stream != "decode" and cache.opened(entry)
    known = known or (stream in ("auto", "decode") and cache.opened(encoded, source.root))
    if known:
        return streamed(known, stream)
    contents = source.read(frame)
    form = form_of(contents, stream, entry.parent)
    place = encoded if form == "encoded" else entry
    try:
        fresh = cache.written(place, contents, progress, form, frame, source.root)
        problem = "what was written cannot be opened"
    except OSError as error:
        fresh, problem = None, error.strerror or str(error)
    if fresh:
        return streamed(fresh, stream)
    check_fits(contents, f"The cache folder {str(entry.parent)!r} cannot be used ({problem})")
    decoded = in_memory(contents, progress)
    notice = (
        f"The cache folder {str(entry.parent)!r} cannot be used ({problem}): the examples are kept in memory, and will "
        f"be decoded again the next time. Make it writable, or let {cache.VARIABLE} name another folder."
    )
    return replace(decoded, notices=(*decoded.notices, notice))


def _classes(source: Source, decoded: Decoded) -> tuple[str, ...]:
    if source.classes and len(source.classes) != len(decoded.classes):
        raise DataError(
            f"{str(source.root)!r} has {len(decoded.classes)} classes, but {source.name!r} has {len(source.classes)}. "
            "Put the right files there, or give its path instead of the name."
        )
    return source.classes or decoded.classes
