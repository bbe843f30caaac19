"""What the estimators share: images out of what scikit-learn gives, and a network that was searched for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.api.search import search
from amla.export.source import Facts
from amla.spec.architecture import Architecture
from amla.study.prediction import Predict, predictor
from amla.study.result import Result, result
from amla.study.trained import trained
from amla.tasks.readers.axes import channels_of
from amla.trials.snapshot import Arrays

PIXEL = 255.0  # the highest value of one
SEEDS = 2**31  # how many there are to draw from

ADDRESSES = {  # what estimators call settings of the study, and where these are
    "validation_fraction": "data.validation",
    "test_fraction": "data.test",
    "steps": "algorithm.steps",
    "final_steps": "final.steps",
}
PASSED_ON = (
    "budget",
    "budget_clock",
    "workers",
    "device",
    "max_params",
    "max_macs",
    "max_memory",
    "max_latency",
    "latency_device",
    "prefer",
    "tune",
    "stop_below",
    "max_trials",
)  # to `amla.search`, as they are


@dataclass(frozen=True)
class Scale:
    """What is subtracted from the values of images, and what the rest is multiplied with, to get pixels."""

    low: float
    factor: float

    def pixels(self, images: NDArray[Any]) -> NDArray[np.uint8]:
        """Return images as pixels; what is beyond 0 to 255 becomes that."""
        scaled = (images.astype(np.float64) - self.low) * self.factor
        pixels: NDArray[np.uint8] = np.rint(scaled).clip(0, PIXEL).astype(np.uint8)
        return pixels


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network that was searched, trained and tested, with what it takes to use it.

    It pickles as numbers and values alone.
    """

    network: Architecture
    weights: Arrays
    result: Result
    facts: Facts
    shape: tuple[int, ...]
    scale: Scale
    device: str | None

    def said(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Return what the network says of images (n, height, width, channels): probabilities, or numbers in units.

        Raises ValueError for images of another shape.
        """
        if images.shape[1:] != self.shape:
            raise ValueError(f"X has images of shape {images.shape[1:]}, but was fitted with {self.shape}.")
        return self._predict(self.scale.pixels(images))

    @cached_property
    def _predict(self) -> Predict:
        return predictor(self.network, self.weights, self.facts, self.device)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all but the module of PyTorch."""
        return {name: held for name, held in self.__dict__.items() if name != "_predict"}


def images_of(X: NDArray[Any], shape: tuple[int, ...] | None, estimator: str) -> NDArray[Any]:  # noqa: N803
    """Return X as (n, height, width, channels); rows are images that come flattened, of `shape`.

    Raises ValueError for what are no images.
    """
    if X.ndim == 2:
        if shape is None:
            raise ValueError(
                f"X has shape {X.shape}, rows of features; {estimator} finds networks for images, (n, height, width) "
                "or (n, height, width, channels). If the rows are flattened images, say so with image_shape=(height, "
                "width); if they are not, use an estimator for tables."
            )
        if prod(shape) != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} features, but image_shape={shape} has another number.")
        X = X.reshape(len(X), *shape)  # noqa: N806
    if X.ndim == 3:
        X = X[..., None]  # noqa: N806
    if X.ndim != 4:
        raise ValueError(f"X has shape {X.shape}; images are (n, height, width) or (n, height, width, channels).")
    if X.shape[3] != 1 and channels_of("array", "X", X).axis != 3:
        raise ValueError(
            f"X has shape {X.shape}, which looks like (n, channels, height, width); images are (n, height, width, "
            "channels). Transpose it: X.transpose(0, 2, 3, 1)."
        )
    return X


def goes_by_time(settings: Mapping[str, Any]) -> bool:
    """Whether what an estimator of these settings finds depends on how long things take, which differs."""
    given = (settings["budget"], settings["max_latency"], settings["stop_below"])
    return settings["prefer"] == "fast" or any(each is not None for each in given)


def searched(settings: Mapping[str, Any], images: NDArray[Any], truth: NDArray[Any], seed: int, **asked: Any) -> Fitted:
    """Return the network that is found for images (n, height, width, channels) and the `truth` of each (n,).

    `settings` are those of an estimator, by name, and `asked` what else `amla.search` is told. Raises what that raises.
    """
    scale = _scale(images)
    pixels = scale.pixels(images)
    changes = {address: settings[name] for name, address in ADDRESSES.items() if settings[name] is not None}
    changes = {"algorithm": settings["algorithm"], "baselines": None, **changes, **(settings["settings"] or {})}
    passed_on = {name: settings[name] for name in PASSED_ON}
    given = (pixels[..., 0] if pixels.shape[3] == 1 else pixels, truth)
    with TemporaryDirectory(prefix="amla-") as folder:
        run = Path(settings["run"] or Path(folder) / "run")
        search(given, seed=seed, run=run, **asked, **passed_on, **changes)
        found = trained(run)
    tested = result(found.run)
    assert tested is not None  # noqa: S101 - a search that has none raises
    return Fitted(found.architecture, found.weights, tested, found.facts, pixels.shape[1:], scale, settings["device"])


def _scale(images: NDArray[Any]) -> Scale:
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= PIXEL and (images.dtype.kind in "iu" or high > 1):
        return Scale(0.0, 1.0)
    if low >= 0 and high <= 1:
        return Scale(0.0, PIXEL)
    return Scale(low, PIXEL / max(high - low, np.finfo(np.float64).tiny))
