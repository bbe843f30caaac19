"""A scikit-learn estimator that searches, trains and tests a network when it is fitted."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from amla.api.search import search
from amla.study.prediction import Predict, predictor
from amla.study.trained import trained
from amla.tasks.task import Metric

PIXEL = 255.0  # the highest value of one
SEEDS = 2**31  # how many there are to draw from
LEAST = 3  # samples of a class


class AmlaClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Finds a small network for labelled images, trains it, and classifies with it.

    `X` is (n, height, width) or (n, height, width, channels), with 1 or 3 channels. Rows of features have no place and
    no neighbours, so EnvelopeNets are not for them; rows that are flattened images are taken with `image_shape`, as
    (n, features) with image_shape=(height, width) or (height, width, channels). Whole numbers from 0 to 255, and
    floating-point numbers from 0 to 1, are pixels; the range of any others in training becomes 0 to 255.

    Parameters:
        budget: the time to spend, such as "10m", or in seconds; None: a fixed number of steps.
        steps: optimiser steps of each network in the search; None: as fits the data, or the budget.
        final_steps: optimiser steps of the final training; None: as fits.
        algorithm: how to search, as of `amla.search`.
        validation_fraction, test_fraction: shares of the examples of each class to choose by, and to test on once.
        image_shape: of images that come flattened.
        run: the run folder, which must be new or of the same call; None: a temporary one.
        workers, device, max_params, max_macs, max_memory: as of `amla.search`.
        metric: what the search looks for the highest of: "accuracy", "balanced_accuracy" or "macro_f1".
        settings: any settings of the study by address, {"recipe.batch": 32}; without "baselines" none are trained.
        random_state: the seed of everything random: a number, a RandomState, or None for one of numpy's.

    Once fitted it has `classes_`, (classes,); `network_`, an Architecture; `weights_`, arrays by name; `accuracy_` on
    the test part, and its 95 % `interval_`. It pickles as numbers and values alone.
    """

    _predict: Predict | None = None  # a cache

    def __init__(
        self,
        *,
        budget: str | float | None = None,
        steps: int | None = None,
        final_steps: int | None = None,
        algorithm: str | Mapping[str, Any] = "nac",
        validation_fraction: float = 0.1,
        test_fraction: float = 0.1,
        image_shape: tuple[int, ...] | None = None,
        run: str | Path | None = None,
        workers: int | Literal["auto"] | None = None,
        device: str | None = None,
        max_params: int | str | None = None,
        max_macs: int | str | None = None,
        max_memory: int | str | None = None,
        metric: Metric = "accuracy",
        settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ) -> None:
        self.budget = budget
        self.steps = steps
        self.final_steps = final_steps
        self.algorithm = algorithm
        self.validation_fraction = validation_fraction
        self.test_fraction = test_fraction
        self.image_shape = image_shape
        self.run = run
        self.workers = workers
        self.device = device
        self.max_params = max_params
        self.max_macs = max_macs
        self.max_memory = max_memory
        self.metric = metric
        self.settings = settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "AmlaClassifier":  # noqa: N803 - scikit-learn's own custom
        """Search a network for images and their labels (n,), train it and test it.

        Raises ValueError for what cannot be learned, and says what to do.
        """
        X, y = validate_data(self, X, y, allow_nd=True, dtype="numeric")  # noqa: N806
        check_classification_targets(y)
        images = self._images(X)
        self.classes_, labels = np.unique(y, return_inverse=True)
        _check_classes(self.classes_, labels)
        self._low, self._factor = _range(images)
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        with TemporaryDirectory(prefix="amla-") as folder:
            self._search(self._pixels(images), labels, seed, Path(self.run or Path(folder) / "run"))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each of `classes_` for each image, (n, classes)."""
        check_is_fitted(self, "weights_")
        X = validate_data(self, X, reset=False, allow_nd=True, dtype="numeric")  # noqa: N806
        images = self._images(X)
        if images.shape[1:] != self._shape:
            raise ValueError(f"X has images of shape {images.shape[1:]}, but was fitted with {self._shape}.")
        if self._predict is None:  # it was pickled
            self._predict = predictor(self.network_, self.weights_, self._facts, self.device)
        return self._predict(self._pixels(images))

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each image, (n,)."""
        chosen = self.predict_proba(X).argmax(1)
        found: NDArray[Any] = self.classes_[chosen]
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: settings, values and arrays."""
        state: dict[str, Any] = super().__getstate__()
        return state | {"_predict": None} if "_predict" in state else state

    def __sklearn_tags__(self) -> Any:
        """Say what kinds of input it takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        tags.non_deterministic = self.budget is not None  # how far the time reaches differs
        return tags

    def _images(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        """Return X as (n, height, width, channels). Raises ValueError for what are no images."""
        if X.ndim == 2:
            if self.image_shape is None:
                raise ValueError(
                    f"X has shape {X.shape}, rows of features; AmlaClassifier finds networks for images, (n, height, "
                    "width) or (n, height, width, channels). If the rows are flattened images, say so with "
                    "image_shape=(height, width); if they are not, use an estimator for tables."
                )
            if prod(self.image_shape) != X.shape[1]:
                raise ValueError(f"X has {X.shape[1]} features, but image_shape={self.image_shape} has another number.")
            X = X.reshape(len(X), *self.image_shape)  # noqa: N806
        if X.ndim == 3:
            X = X[..., None]  # noqa: N806
        if X.ndim != 4 or X.shape[3] not in (1, 3):
            raise ValueError(f"X has shape {X.shape}; images are (n, height, width) or (n, height, width, 1 or 3).")
        return X

    def _pixels(self, images: NDArray[Any]) -> NDArray[np.uint8]:
        scaled = (images.astype(np.float64) - self._low) * self._factor
        pixels: NDArray[np.uint8] = np.rint(scaled).clip(0, PIXEL).astype(np.uint8)
        return pixels

    def _search(self, pixels: NDArray[np.uint8], labels: NDArray[Any], seed: int, folder: Path) -> None:
        asked: dict[str, Any] = {"data.validation": self.validation_fraction, "data.test": self.test_fraction}
        asked |= {} if self.steps is None else {"algorithm.steps": self.steps}
        asked |= {} if self.final_steps is None else {"final.steps": self.final_steps}
        asked = {"algorithm": self.algorithm, "baselines": None, **asked, **(self.settings or {})}
        found = search(
            (pixels[..., 0] if pixels.shape[3] == 1 else pixels, labels),
            budget=self.budget,
            seed=seed,
            run=folder,
            workers=self.workers,
            device=self.device,
            max_params=self.max_params,
            max_macs=self.max_macs,
            max_memory=self.max_memory,
            metric=self.metric,
            **asked,
        )
        with_weights = trained(folder)
        self.network_, self.weights_ = with_weights.architecture, with_weights.weights
        self.accuracy_, self.interval_ = float(found.accuracy), found.accuracy.interval
        self._facts, self._shape = with_weights.facts, pixels.shape[1:]
        self._predict = predictor(self.network_, self.weights_, self._facts, self.device)


def _check_classes(classes: NDArray[Any], labels: NDArray[Any]) -> None:
    if len(classes) < 2:
        raise ValueError(f"y has one class, {classes[0]!r}; a classifier needs 2 classes or more.")
    rare = np.flatnonzero(np.bincount(labels) < LEAST)
    if len(rare):
        raise ValueError(
            f"y has fewer than {LEAST} samples of class {classes[rare[0]]!r}: there must be one each to train on, to "
            "choose by and to test on. Add some, or leave the class out."
        )


def _range(images: NDArray[Any]) -> tuple[float, float]:
    """Return what to subtract from images, and then to multiply with, to get pixels."""
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= PIXEL and (images.dtype.kind in "iu" or high > 1):
        return 0.0, 1.0
    if low >= 0 and high <= 1:
        return 0.0, PIXEL
    return low, PIXEL / max(high - low, np.finfo(np.float64).tiny)
