"""Images that are easy to tell apart, and settings with which a search takes a second."""

import numpy as np

TINY = {"algorithm.steps": 3, "algorithm.iterations": 1, "final.steps": 40, "space": {"width": 6}}
Pictures = tuple[np.ndarray, np.ndarray]


def made_up() -> Pictures:
    """Return 60 grey images of 8x8 in 3 classes, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 60, (60, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * label : 2 * label + 3] += 190
    return images, labels
