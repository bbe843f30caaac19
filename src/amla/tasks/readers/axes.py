"""Which axis of an array of images holds their channels."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from amla.tasks.dataset import DataError

USUAL = (1, 3, 4)  # channels: grey, colours, colours and how opaque they are
MOST = 32  # channels by which their axis is told where none of its length is usual and images are not square


class Channels(NamedTuple):
    """The axis of (n, ...) that holds channels, None where the images have none; `notice` says how it was told."""

    axis: int | None
    notice: str | None = None


def channels_of(address: str, name: str, array: NDArray[Any]) -> Channels:
    """Which axis holds the channels of images. Raises DataError where that cannot be told."""
    if array.ndim == 3:
        return Channels(None)
    if array.ndim != 4:
        raise DataError(
            f"{name} of {address!r} has shape {array.shape}, but images are (n, height, width), or (n, height, width, "
            "channels). Store it like that. If these are series (n, channels, time), call them series_train."
        )
    usual = [axis for axis in (1, 3) if array.shape[axis] in USUAL]
    if len(usual) == 1 and array.shape[usual[0]] != array.shape[2]:  # else it may be a side of tiny images
        return Channels(usual[0])
    axis = _told(array.shape[1:])
    if axis is None:
        raise DataError(
            f"{name} of {address!r} has shape {array.shape}, which may be (n, height, width, channels) or (n, "
            "channels, height, width). Transpose it to (n, height, width, channels), with images that are square, or "
            f"have at most {MOST} channels and more pixels to each side than channels."
        )
    height, width = array.shape[1:3] if axis == 3 else array.shape[2:]
    form = "(n, height, width, channels)" if axis == 3 else "(n, channels, height, width)"
    return Channels(
        axis,
        f"{name}, {array.shape}, was taken as {form}: images of {height}x{width} pixels with {array.shape[axis]} "
        "channels.",
    )


def _told(extents: tuple[int, ...]) -> int | None:
    """Return the axis of (n, *extents) that its length tells from the other two: short, or beside a square."""
    first, middle, last = extents
    if min(first, last) <= MOST and min(first, last) < min(middle, max(first, last)):
        return 1 if first < last else 3
    if first == middle != last:
        return 3
    return 1 if middle == last != first else None
