"""How recordings become spectrograms: the settings, chosen to fit recordings, and the computation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from amla.spec.values import value

SHARE = 0.95  # of the recordings, that are not cut
LONGEST = 30.0  # seconds of a recording, at most
HOP = 0.01  # seconds from frame to frame, as is usual for speech; of long and of short recordings others
FRAMES = (32, 500)  # at least, at most: then frames follow each other sooner or later than HOP
OVERLAP = 2.5  # hops that a frame looks at: 25 ms of 10 ms
BANDS = 64
LEAST_POWER, RANGE = 1e-10, 80.0  # of a full-scale sine; decibels below the loudest that are told apart


@value
class Sound:
    """The settings of spectrograms: `rate` in samples a second; `hop` from frame to frame and `window` in samples."""

    rate: int
    frames: int
    hop: int
    window: int
    bands: int = BANDS

    @property
    def samples(self) -> int:
        """The samples of a recording after it was cut or filled up."""
        return self.frames * self.hop

    @property
    def seconds(self) -> float:
        """The seconds of a recording after it was cut or filled up."""
        return self.samples / self.rate

    def __str__(self) -> str:
        return (
            f"log-mel spectrograms of {self.bands} bands and {self.frames} frames: the middle {self.seconds:.4g} s at "
            f"{self.rate:,} Hz, a frame of {self.window:,} samples ({1000 * self.window / self.rate:.3g} ms) every "
            f"{self.hop:,}"
        )


def fitting(rate: int, seconds: Sequence[float]) -> Sound:
    """Return the settings that fit recordings, one or more, which last so many seconds."""
    length = min(float(np.quantile(seconds, SHARE, method="higher")), LONGEST)
    least, most = FRAMES
    hop = max(1, round(rate * min(max(HOP, length / most), length / least)))
    return Sound(rate, max(1, ceil(length * rate / hop - 1e-6)), hop, ceil(OVERLAP * hop))


def spectrogram(samples: NDArray[np.float64], sound: Sound) -> NDArray[np.float32]:
    """Return the spectrogram (frames, bands) of a recording (n,) at the rate of the settings, in decibels.

    The middle of a long recording is taken, a short one gets silence on both sides. Frames under a Hann window become
    powers, in all 1 of a sine of full scale. They are summed by triangles that overlap by half, evenly spaced in mel
    (2595 log10(1 + f / 700), O'Shaughnessy 1987) up to half the rate. What lies too far below the loudest is raised.
    """
    around = sound.window - sound.hop
    padded = np.pad(_placed(samples, sound.samples), (around // 2, around - around // 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, sound.window)[:: sound.hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(sound.window) / sound.window)
    filters = _filters(sound.rate, sound.window, sound.bands)
    size = 2 * (filters.shape[1] - 1)
    power = np.square(np.abs(np.fft.rfft(windows * hann, size))) * (4 / (size * np.square(hann).sum()))
    decibels = 10 * np.log10(np.maximum(power @ filters.T, LEAST_POWER))
    told: NDArray[np.float64] = np.maximum(decibels, decibels.max() - RANGE)
    return told.astype(np.float32)


def _placed(samples: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return so many samples: the middle, or all with silence on both sides."""
    missing = count - len(samples)
    if missing <= 0:
        return samples[-missing // 2 :][:count]
    return np.pad(samples, (missing // 2, missing - missing // 2))


@lru_cache(8)
def _filters(rate: int, window: int, bands: int) -> NDArray[np.float64]:
    """Return how much of each frequency each band takes, (bands, frequencies): of so many that no band lacks one."""
    edges = 700 * (10 ** (np.linspace(0, np.log10(1 + rate / 1400), bands + 2)) - 1)
    size = 2 ** ceil(np.log2(window))
    while True:
        frequencies = np.linspace(0, rate / 2, size // 2 + 1)
        rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
        falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
        found = np.maximum(0, np.minimum(rising, falling))
        if found.any(axis=1).all():
            return found
        size *= 2
