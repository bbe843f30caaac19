"""Images that are easy to tell apart, and settings with which a search takes a second."""

from pathlib import Path

import numpy as np

from amla.tasks.cache import folder as cache_folder

TINY = {"algorithm.steps": 3, "algorithm.iterations": 1, "final.steps": 40, "space": {"width": 6}}
KERNELS = cache_folder(None) / "native"  # where the user's own are, before a test says otherwise
Pictures = tuple[np.ndarray, np.ndarray]


def made_up() -> Pictures:
    """Return 60 grey images of 8x8 in 3 classes, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 60, (60, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * label : 2 * label + 3] += 190
    return images, labels


def new_cache(folder: Path) -> Path:
    """Return a cache in `folder` that has nothing but the compiled kernels, which take long to compile."""
    made = folder / "cache"
    made.mkdir(parents=True)
    KERNELS.mkdir(parents=True, exist_ok=True)
    (made / "native").symlink_to(KERNELS)
    return made
