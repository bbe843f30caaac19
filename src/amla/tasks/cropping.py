"""Random resized crops (Szegedy et al. 2015), and the middle of images: what a network reads of a larger image."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import Examples
from amla.tasks.readers.source import Size

CROP = 5  # what these random numbers are for, among those that a seed and a step give
RATIO = 4 / 3  # of the sides of a box, either way, at most


@dataclass(frozen=True)
class Crop:
    """How the batch of a step is cropped: by seed and step, and the least share of its area that an image keeps."""

    seed: int
    step: int
    least: float


def taken(examples: Examples, index: Any, crop: Crop | None = None) -> NDArray[Any]:
    """Return what a network reads of the examples at an index, (k, *spatial, channels): a crop, or the middle."""
    inputs = examples.inputs[index]
    size = examples.size or inputs.shape[1:3]
    if crop is None:
        return inputs if examples.size is None else middle(inputs, size)
    found = boxes(crop.seed, crop.step, len(inputs), inputs.shape[1:3], crop.least)
    return cropped(inputs, found, size)


def boxes(seed: int, step: int, count: int, size: Size, least: float) -> NDArray[np.float64]:
    """Return where the images of a batch are cropped, (count, 4): left, top, right, bottom, in pixels.

    Of images of a size (height, width), a box has a share of the area between `least` and all, each as likely, and
    sides in a ratio from 3:4 to 4:3, its logarithm uniform; where it is too long for the image it is cut to its length.
    A function of seed and step.
    """
    # numpy promises that the raw stream of a bit generator never changes; of its distributions it does not
    raw = np.random.PCG64((seed, CROP, step)).random_raw(4 * count).reshape(4, count)
    area, ratio, across, down = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
    area = (least + (1 - least) * area) * size[0] * size[1]
    ratio = np.exp((2 * ratio - 1) * log(RATIO))
    width, height = np.minimum(np.sqrt(area * ratio), size[1]), np.minimum(np.sqrt(area / ratio), size[0])
    left, top = across * (size[1] - width), down * (size[0] - height)
    return np.stack([left, top, left + width, top + height], axis=1)


def cropped(images: NDArray[np.uint8], boxes: NDArray[np.float64], size: Size) -> NDArray[np.uint8]:
    """Return what is in the box (4,) of each image (k, height, width, 1 or 3), brought to a size (height, width)."""
    from PIL import Image

    made = np.empty((len(images), *size, images.shape[3]), np.uint8)
    limits = np.array([images.shape[2], images.shape[1]] * 2)
    for target, image, box in zip(made, images, np.minimum(boxes, limits), strict=True):
        picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
        part = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR, tuple(box.tolist()))
        target[:] = np.asarray(part).reshape(target.shape)
    return made


def middle(images: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return the middle of images (k, height, width, channels), of a size (height, width) that they have or exceed."""
    if images.shape[1:3] == size:
        return images
    top, left = (images.shape[1] - size[0]) // 2, (images.shape[2] - size[1]) // 2
    return np.ascontiguousarray(images[:, top : top + size[0], left : left + size[1]])
