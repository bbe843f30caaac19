"""Recordings (WAV, FLAC, OGG, Opus, MP3, AIFF) made into spectrograms of one shape; unreadable ones are left out.

Files are decoded by libsndfile, by way of soundfile, which is imported when the first is opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from math import ceil, gcd
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import DataError
from amla.tasks.readers.images import THREADS, Album
from amla.tasks.readers.source import Chunk, Contents, Frame, Part, Picture, Stream, unreadable_notice
from amla.tasks.sound import Sound, fitting, spectrogram

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
_BATCH = 64
_MOST_RATE, _MOST_CHANNELS = 1_000_000, 64  # what a header says beyond is taken for damage

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Header:
    """What a recording says of itself."""

    rate: int
    samples: int
    channels: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def contents(
    address: str,
    albums: Mapping[Part, Album],
    *,
    size: Frame | None,
    classes: tuple[str, ...],
    notices: tuple[str, ...] = (),
) -> Contents:
    """The dataset of spectrograms, (frames, bands) in decibels, that these recordings make.

    Reads the header of every recording. The training part says how long they are made, and at which rate they are
    sampled: that of most. Raises DataError where too many cannot be read, where soundfile is missing, and if a `size`
    is given.
    """
    if size is not None:
        raise DataError(
            f"size is {size.size}, but {address!r} holds recordings, whose length says how large their spectrograms "
            "are. Leave the size out."
        )
    headers = _surveyed(address, albums)
    if not headers["train"]:
        raise DataError(f"no recording of train in {address!r} can be read. Restore them.")
    rate = Counter(header.rate for header in headers["train"]).most_common(1)[0][0]
    sound = fitting(rate, [header.seconds for header in headers["train"]])
    return Contents(
        address=address,
        classes=classes,
        shape=(sound.frames, sound.bands),
        parts={part: Stream(len(album.labels), partial(chunks, album, sound)) for part, album in albums.items()},
        notices=(*notices, *_notices([header for found in headers.values() for header in found], sound)),
        dtype="<f4",
        numbers=albums["train"].labels.dtype.kind == "f",
        sound=sound,
    )


def chunks(album: Album, sound: Sound) -> Iterator[Chunk]:
    """The recordings of an album as spectrograms, in chunks with their labels. Raises DataError without soundfile."""
    start = 0
    for batch, made in _worked_through(album, partial(_spectrogram, sound)):
        kept = np.array([each is not None for each in made], np.bool_)
        readable = [each for each in made if each is not None]
        yield Chunk(
            np.stack(readable) if readable else np.empty((0, sound.frames, sound.bands), np.float32),
            album.labels[start : start + len(batch)][kept],
            tuple(each.name for each, is_kept in zip(batch, kept, strict=True) if not is_kept),
            tuple(each for each, is_kept in zip(batch, kept, strict=True) if is_kept),
        )
        start += len(batch)


def _surveyed(address: str, albums: Mapping[Part, Album]) -> dict[Part, list[_Header]]:
    """Return the headers of the recordings that have one."""
    found: dict[Part, list[_Header]] = {}
    unreadable: list[str] = []
    for part, album in albums.items():
        found[part] = []
        for batch, headers in _worked_through(album, _header):
            found[part] += [header for header in headers if header is not None]
            unreadable += [each.name for each, header in zip(batch, headers, strict=True) if header is None]
    if unreadable:
        unreadable_notice(unreadable, sum(len(album.labels) for album in albums.values()), address, "recordings")
    return found


def _worked_through(
    album: Album, work: Callable[[Any], _Result]
) -> Iterator[tuple[Sequence[Picture], list[_Result | None]]]:
    """Batches of recordings with what `work` makes of each, opened; None for those that cannot be read."""
    try:
        import soundfile
    except (ModuleNotFoundError, OSError) as error:  # of a system without libsndfile, where no wheel has one
        raise DataError(
            f"Recordings are read with soundfile, which cannot be loaded here ({error}). Install it with: "
            "pip install 'amla[audio]'."
        ) from None

    def attempt(picture: Picture) -> _Result | None:
        if picture.data is None:
            return None
        try:
            with soundfile.SoundFile(
                BytesIO(picture.data) if isinstance(picture.data, bytes) else picture.data
            ) as file:
                return work(file)
        except (soundfile.SoundFileError, ValueError, OSError, TypeError):  # TypeError: of raw samples, by their name
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        for batch in album.batches(_BATCH):
            yield batch, list(pool.map(attempt, batch))


def _header(file: Any) -> _Header:
    """What a file says of itself. Raises ValueError where there is no sound in it, or it says what cannot be."""
    if not (file.frames > 0 and 0 < file.samplerate <= _MOST_RATE and file.channels <= _MOST_CHANNELS):
        raise ValueError("it is empty, or damaged")
    return _Header(file.samplerate, file.frames, file.channels)


def _spectrogram(sound: Sound, file: Any) -> NDArray[np.float32]:
    """The spectrogram of a file. Raises ValueError where it ends early, or has what are no finite numbers.

    Only the part that is wanted is read, in case the file is long.
    """
    header = _header(file)
    count = min(header.samples, ceil(sound.samples * header.rate / sound.rate))
    file.seek((header.samples - count) // 2)
    read = file.read(count, dtype="float64", always_2d=True)
    if len(read) < count or not np.isfinite(read).all():
        raise ValueError("it ends early, or has a sample that is no number")
    return spectrogram(_resampled(read.mean(axis=1), header.rate, sound.rate), sound)


def _resampled(samples: NDArray[np.float64], rate: int, target: int) -> NDArray[np.float64]:
    if rate == target:
        return samples
    from scipy.signal import resample_poly

    shared = gcd(rate, target)
    made: NDArray[np.float64] = resample_poly(samples, target // shared, rate // shared)
    return made


def _notices(headers: Sequence[_Header], sound: Sound) -> tuple[str, ...]:
    """What to tell the user of recordings and of what became of them."""
    seconds = np.array([header.seconds for header in headers])
    tolerance = sound.hop / sound.rate  # less than a frame is not worth a word
    longer, shorter = ((seconds > sound.seconds + tolerance).sum(), (seconds < sound.seconds - tolerance).sum())
    shortest, longest = (f"{length:.3g}" for length in (seconds.min(), seconds.max()))
    lasting = f"{longest} s" if shortest == longest else f"{shortest} to {longest} s"
    changes = [
        f"{which} ({count:,}) are {done}"
        for count, which, done in (
            (longer, "longer ones", "cut"),
            (shorter, "shorter ones", "filled up with silence"),
            (sum(header.rate != sound.rate for header in headers), "those of another rate", "resampled"),
            (sum(header.channels > 1 for header in headers), "those of several channels", "mixed to one"),
        )
        if count
    ]
    said = f"{len(headers):,} recordings of {lasting} become {sound}"
    return (f"{said}; {', '.join(changes)}." if changes else f"{said}.",)
