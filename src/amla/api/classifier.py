"""A scikit-learn estimator that searches, trains and tests a network when it is fitted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from amla.api.fitting import SEEDS, goes_by_time, images_of, searched
from amla.tasks.task import Metric

LEAST = 3  # samples of a class


class AmlaClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Finds a small network for labelled images, trains it, and classifies with it.

    `X` is (n, height, width) or (n, height, width, channels), of any number of channels. Rows of features have no place
    and no neighbours, so EnvelopeNets are not for them; rows that are flattened images are taken with `image_shape`,
    as (n, features) with image_shape=(height, width) or (height, width, channels). Whole numbers from 0 to 255, and
    floating-point numbers from 0 to 1, are pixels; the range of any others in training becomes 0 to 255.

    Parameters:
        budget: the time to spend, such as "10m", or in seconds; None: a fixed number of steps.
        steps: optimiser steps of each network in the search; None: as fits the data, or the budget.
        final_steps: optimiser steps of the final training; None: as fits.
        algorithm: how to search, as of `amla.search`.
        validation_fraction, test_fraction: shares of the examples of each class to choose by, and to test on once.
        image_shape: of images that come flattened.
        run: the run folder, which must be new or of the same call; None: a temporary one.
        workers, device, max_params, max_macs, max_memory, max_latency, latency_device: as of `amla.search`.
        prefer: which of the trained networks is taken, "accurate", "small" or "fast", as of `amla.search`.
        tune: tune how the network is trained in so many short trainings; None: not at all.
        stop_below, max_trials, budget_clock: as of `amla.search`.
        metric: what the search looks for the highest of: "accuracy", "balanced_accuracy" or "macro_f1".
        settings: any settings of the study by address, {"recipe.batch": 32}; without "baselines" none are trained.
        random_state: a seed, a RandomState, or None for that of numpy. Not for the split: that is data.split_seed.

    Once fitted it has `classes_`, (classes,); `network_`, an Architecture; `weights_`, arrays by name; `accuracy_` on
    the test part, and its 95 % `interval_`. It pickles as numbers and values alone.
    """

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
        max_latency: float | str | None = None,
        latency_device: str | None = None,
        prefer: Literal["accurate", "small", "fast"] = "accurate",
        tune: int | None = None,
        stop_below: str | None = None,
        max_trials: int | None = None,
        budget_clock: Literal["wall", "cpu"] = "wall",
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
        self.max_latency = max_latency
        self.latency_device = latency_device
        self.prefer = prefer
        self.tune = tune
        self.stop_below = stop_below
        self.max_trials = max_trials
        self.budget_clock = budget_clock
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
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        self._fitted = searched(self.get_params(deep=False), images, labels, seed, metric=self.metric)
        self.network_, self.weights_ = self._fitted.network, self._fitted.weights
        tested = self._fitted.result.tested
        assert tested is not None  # noqa: S101 - of classes there is one
        self.accuracy_, self.interval_ = tested.accuracy, (tested.low, tested.high)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each of `classes_` for each image, (n, classes)."""
        check_is_fitted(self, "weights_")
        X = validate_data(self, X, reset=False, allow_nd=True, dtype="numeric")  # noqa: N806
        return self._fitted.said(self._images(X))

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each image, (n,)."""
        chosen = self.predict_proba(X).argmax(1)
        found: NDArray[Any] = self.classes_[chosen]
        return found

    def __sklearn_tags__(self) -> Any:
        """Say what kinds of input it takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        tags.non_deterministic = goes_by_time(self.get_params(deep=False))
        return tags

    def _images(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        return images_of(X, self.image_shape, "AmlaClassifier")


def _check_classes(classes: NDArray[Any], labels: NDArray[Any]) -> None:
    if len(classes) < 2:
        raise ValueError(f"y has one class, {classes[0]!r}; a classifier needs 2 classes or more.")
    rare = np.flatnonzero(np.bincount(labels) < LEAST)
    if len(rare):
        raise ValueError(
            f"y has fewer than {LEAST} samples of class {classes[rare[0]]!r}: there must be one each to train on, to "
            "choose by and to test on. Add some, or leave the class out."
        )
