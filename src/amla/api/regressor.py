"""A scikit-learn estimator that searches, trains and tests a network that predicts a number when it is fitted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from amla.api.fitting import SEEDS, goes_by_time, images_of, searched

LEAST = 6  # samples: two each to train on, to choose by and to test on, as one alone has no R²


class AmlaRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Finds a small network for images with a number each, trains it, and predicts that number with it.

    `X` is (n, height, width) or (n, height, width, channels); rows that are flattened images are taken with
    `image_shape`. What is a pixel is said at `AmlaClassifier`. `y` is (n,), in whatever units: predictions are in the
    same. The search looks for the highest R², and training images are taken as they are, as mirrored or shifted ones
    might have another number.

    Parameters:
        budget: the time to spend, such as "10m", or in seconds; None: a fixed number of steps.
        steps: optimiser steps of each network in the search; None: as fits the data, or the budget.
        final_steps: optimiser steps of the final training; None: as fits.
        algorithm: how to search, as of `amla.search`.
        validation_fraction, test_fraction: shares of the examples to choose by, and to test on once.
        image_shape: of images that come flattened.
        run: the run folder, which must be new or of the same call; None: a temporary one.
        workers, device, max_params, max_macs, max_memory, max_latency, latency_device: as of `amla.search`.
        prefer: which of the trained networks is taken, "accurate", "small" or "fast", as of `amla.search`.
        tune: tune how the network is trained in so many short trainings; None: not at all.
        stop_below, max_trials, budget_clock: as of `amla.search`.
        settings: any settings of the study by address, {"recipe.batch": 32}; without "baselines" none are trained.
        random_state: a seed, a RandomState, or None for that of numpy. Not for the split: that is data.split_seed.

    Once fitted it has `network_`, an Architecture; `weights_`, arrays by name; `r2_` on the test part, NaN where all of
    that has the same number, and its 95 % `interval_`, None where none is known; and in the units of `y` `mean_error_`
    and `root_error_`, the root of the mean squared error. It pickles as numbers and values alone.
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
        self.settings = settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "AmlaRegressor":  # noqa: N803 - scikit-learn's own custom
        """Search a network for images and their numbers (n,), train it and test it.

        Raises ValueError for what cannot be learned, and says what to do.
        """
        X, y = validate_data(  # noqa: N806
            self, X, y, allow_nd=True, dtype="numeric", y_numeric=True, ensure_min_samples=LEAST
        )
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"y holds {y.dtype} values, but numbers are to be predicted; AmlaClassifier is for classes."
            )
        images = self._images(X)
        numbers = y.astype(np.float64)
        if numbers.min() == numbers.max():
            raise ValueError(f"y is {numbers[0]:g} for every sample: there is nothing to be predicted.")
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        self._fitted = searched(self.get_params(deep=False), images, numbers, seed, labels="numbers")
        self.network_, self.weights_ = self._fitted.network, self._fitted.weights
        tested = self._fitted.result
        assert tested.scored is not None  # noqa: S101 - of numbers there is one
        self.r2_, self.interval_ = tested.scored.value, tested.scored.interval
        self.mean_error_, self.root_error_ = tested.errors[0].mean, tested.errors[0].root
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the number of each image, (n,), in the units of what it was fitted with."""
        check_is_fitted(self, "weights_")
        X = validate_data(self, X, reset=False, allow_nd=True, dtype="numeric")  # noqa: N806
        return self._fitted.said(self._images(X))[:, 0]

    def __sklearn_tags__(self) -> Any:
        """Say what kinds of input it takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        tags.non_deterministic = goes_by_time(self.get_params(deep=False))
        return tags

    def _images(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        return images_of(X, self.image_shape, "AmlaRegressor")
