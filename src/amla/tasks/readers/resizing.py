"""Bringing images to one size, and telling the user of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from amla.tasks.readers.source import Frame, Size

if TYPE_CHECKING:
    from PIL import Image


def fitted(image: Image.Image, frame: Frame) -> Image.Image:
    """A Pillow image brought to a frame, bilinear and without aliasing; the same one where it fits."""
    from PIL import Image

    target = frame.width, frame.height
    if image.size == target:
        return image
    return image.resize(target, Image.Resampling.BILINEAR, _inside(image.size, frame) if frame.cover else None)


def _inside(size: tuple[int, int], frame: Frame) -> tuple[float, float, float, float]:
    """The largest box in the middle of an image (width, height) that has the proportions of a frame."""
    scale = min(size[0] / frame.width, size[1] / frame.height)
    left, top = (size[0] - frame.width * scale) / 2, (size[1] - frame.height * scale) / 2
    return max(left, 0), max(top, 0), min(size[0] - left, size[0]), min(size[1] - top, size[1])


def resized(images: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
    """Images (k, height, width, channels), each channel `fitted` to a frame by itself."""
    from PIL import Image

    if images.shape[1:3] == frame.size:
        return images
    result = np.empty((len(images), *frame.size, images.shape[3]), dtype=np.uint8)
    for target, image in zip(result, images, strict=True):
        if image.shape[2] == 3:  # at once
            target[:] = np.asarray(fitted(Image.fromarray(image), frame))
            continue
        for channel in range(image.shape[2]):
            target[:, :, channel] = np.asarray(fitted(Image.fromarray(image[:, :, channel]), frame))
    return result


def resizing_notices(sizes: Mapping[Size, int], target: Size) -> tuple[str, ...]:
    """One sentence where images of these sizes (with how many have each) do not all have the target size."""
    others = sum(count for size, count in sizes.items() if size != target)
    if not others:
        return ()
    height, width = target
    if len(sizes) == 1:
        ((only_height, only_width),) = sizes
        return (f"Images of {only_height}x{only_width} pixels were resized to {height}x{width}.",)
    return (
        f"Images of {len(sizes)} sizes were resized to {height}x{width}: "
        f"{others:,} of {sum(sizes.values()):,} had another size.",
    )
