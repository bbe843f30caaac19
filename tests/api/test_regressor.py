"""The estimator of numbers: scikit-learn's own checks, and what they do not know of images and units."""

import pickle
import pickletools

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator
from tiny import new_cache

import amla
from amla import AmlaRegressor
from amla.spec.constraints import Constraints

SMALL = {"space.width": 6, "space.cells": [1], "space.max_cells": [1]}
LARGER = {"space.width": 16, "space.cells": [2], "space.max_cells": [2]}
QUICK = {"algorithm": {"kind": "random", "trials": 1}, "workers": 0, "random_state": 0}
FAIR = "check_regressors_train"  # that it learns something, which takes more than a step
VARIED = {  # of the ten to thirty examples of some checks, with three numbers: such that no part has but one
    "validation_fraction": 0.3,
    "settings": {**SMALL, "data.split_seed": 1},
}


class OfRows(AmlaRegressor):
    """The same for rows of any length, as images one pixel high, so that scikit-learn's checks have something to try.

    AmlaRegressor itself refuses rows without an image_shape, so its tags say that those checks do not apply.
    """

    def _images(self, X):  # noqa: N803
        return super()._images(X[:, None, :] if X.ndim == 2 else X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def test_it_passes_the_checks_of_scikit_learn():
    estimator = OfRows(steps=1, final_steps=1, **QUICK, **VARIED)
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {each["check_name"]: each["exception"] for each in results if each["status"] == "failed"}
    assert failed.keys() <= {FAIR}, failed
    assert sum(each["status"] == "passed" for each in results) > 45


def test_it_passes_the_check_that_it_learns():
    estimator = OfRows(steps=1, final_steps=150, settings=LARGER, **QUICK)
    checks = [check for _, check in estimator_checks_generator(estimator) if FAIR in str(check)]
    assert checks
    for check in checks:
        check(estimator)


def bars(count: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Return images with a bar of some brightness, and that in units of its own: 1000 to 1100."""
    rng = np.random.default_rng(5)
    light = rng.uniform(0.1, 1, count)
    images = np.zeros((count, 8, 8))
    for image, bright in zip(images, light, strict=True):
        image[:, rng.integers(2, 6)] = bright
    return images, 1000 + 100 * light


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Return a fitted regressor, the images and their numbers; the run is in a folder of its own."""
    images, numbers = bars()
    run = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AMLA_CACHE", str(new_cache(tmp_path_factory.mktemp("home"))))
        estimator = AmlaRegressor(steps=3, final_steps=80, settings=SMALL, run=run, random_state=1)
        return estimator.fit(images, numbers), images, numbers


def test_it_learns_images_and_predicts_in_the_units_of_its_numbers(fitted):
    estimator, images, numbers = fitted
    said = estimator.predict(images)
    assert said.shape == (90,)
    assert said.dtype == np.float64
    assert np.abs(said - numbers).mean() < 15
    assert estimator.score(images, numbers) == pytest.approx(r2_score(numbers, said))
    assert estimator.score(images, numbers) > 0.5


def test_units_are_but_units(fitted):
    estimator, images, numbers = fitted
    other = clone(estimator).set_params(run=None).fit(images, (numbers - 1000) * 1e-6)
    assert other.predict(images) * 1e6 + 1000 == pytest.approx(estimator.predict(images), abs=0.1)
    assert other.r2_ == pytest.approx(estimator.r2_, abs=1e-3)
    assert other.mean_error_ * 1e6 == pytest.approx(estimator.mean_error_, rel=1e-3)


def test_it_says_what_the_run_says_of_the_test_part(fitted):
    estimator, images, _ = fitted
    run = amla.load(estimator.run)
    assert run.r2 == estimator.r2_
    assert run.errors == {"target": (estimator.mean_error_, estimator.root_error_)}
    low, high = estimator.interval_
    assert low <= estimator.r2_ <= high
    assert np.allclose(run.predict(np.rint(images * 255).astype(np.uint8)), estimator.predict(images))


def test_whole_numbers_are_numbers_too(fitted):
    estimator, images, numbers = fitted
    whole = clone(estimator).set_params(run=None).fit(images, np.rint(numbers).astype(int))
    assert np.abs(whole.predict(images) - numbers).mean() < 15


def test_its_network_is_within_limits():
    estimator = AmlaRegressor(steps=3, final_steps=5, settings=SMALL, max_params="1k", max_memory=8000, random_state=1)
    assert Constraints(1000, None, 8000).hold(estimator.fit(*bars()).network_)


def test_it_pickles_without_pytorch(fitted):
    estimator, images, _ = fitted
    data = pickle.dumps(estimator)
    modules = {str(argument).split(".")[0].split(" ")[0] for _, argument, _ in pickletools.genops(data)}
    assert "torch" not in modules
    again = pickle.loads(data)  # noqa: S301 - our own
    assert np.array_equal(again.predict(images), estimator.predict(images))


def test_it_is_a_step_of_pipelines_and_is_tuned_and_cross_validated():
    images, numbers = bars(60)
    quick = AmlaRegressor(steps=1, final_steps=20, settings=SMALL, image_shape=(8, 8), **QUICK)
    piped = make_pipeline(FunctionTransformer(), quick)
    scores = cross_val_score(piped, images.reshape(60, -1), numbers, cv=2, error_score="raise")
    assert np.isfinite(scores).all()
    choices = {"amlaregressor__final_steps": [1, 60]}
    tuned = GridSearchCV(piped, choices, cv=2, error_score="raise").fit(images.reshape(60, -1), numbers)
    assert tuned.best_params_ == {"amlaregressor__final_steps": 60}


@pytest.mark.parametrize(
    ("images", "numbers", "said"),
    [
        (np.zeros((9, 64)), np.arange(9) / 2, "rows of features; AmlaRegressor"),
        (np.zeros((9, 2, 8, 8)), np.arange(9) / 2, "images are"),
        (np.zeros((9, 8, 8)), np.full(9, 0.5), "y is 0.5 for every sample"),
        (np.zeros((5, 8, 8)), np.arange(5) / 2, r"5 sample\(s\).* minimum of 6"),
        (np.zeros((9, 8, 8)), np.ones((9, 2)), "1d array"),
        (np.zeros((9, 8, 8)), np.arange(9).astype(str), "AmlaClassifier is for classes"),
        (np.zeros((9, 8, 8)), np.full(9, np.inf), "infinity"),
        (np.full((9, 8, 8), np.nan), np.arange(9) / 2, "NaN"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_words(images, numbers, said):
    with pytest.raises(ValueError, match=said):
        AmlaRegressor().fit(images, numbers)


def test_images_of_another_shape_are_refused(fitted):
    with pytest.raises(ValueError, match="was fitted with"):
        fitted[0].predict(np.zeros((2, 8, 9)))
    with pytest.raises(NotFittedError):
        AmlaRegressor().predict(np.zeros((2, 8, 8)))
