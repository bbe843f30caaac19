"""The estimator: scikit-learn's own checks, and what they do not know of images."""

import pickle
import pickletools

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator
from tiny import made_up, new_cache

from amla import AmlaClassifier
from amla.api.fitting import images_of
from amla.spec.constraints import Constraints

SMALL = {"recipe.augment.shift": 0, "space.width": 6, "space.cells": [1], "space.max_cells": [1]}
QUICK = {"algorithm": {"kind": "random", "trials": 1}, "workers": 0, "settings": SMALL, "random_state": 0}
FAIR = "check_classifiers_train"  # that it learns something, which takes more than a step


class OfRows(AmlaClassifier):
    """The same for rows of any length, as images one pixel high, so that scikit-learn's checks have something to try.

    AmlaClassifier itself refuses rows without an image_shape, so its tags say that those checks do not apply.
    """

    def _images(self, X):  # noqa: N803
        return super()._images(X[:, None, :] if X.ndim == 2 else X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def test_it_passes_the_checks_of_scikit_learn():
    estimator = OfRows(steps=1, final_steps=1, **QUICK)
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {each["check_name"]: each["exception"] for each in results if each["status"] == "failed"}
    assert failed.keys() <= {FAIR}, failed
    assert sum(each["status"] == "passed" for each in results) > 45


def test_it_passes_the_check_that_it_learns():
    estimator = OfRows(steps=1, final_steps=150, **QUICK)
    checks = [check for _, check in estimator_checks_generator(estimator) if FAIR in str(check)]
    assert checks
    for check in checks:
        check(estimator)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Return a fitted classifier of images with words for labels, the images and the labels."""
    images, numbers = made_up()
    labels = np.array(["left", "middle", "right"])[numbers]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AMLA_CACHE", str(new_cache(tmp_path_factory.mktemp("home"))))
        estimator = AmlaClassifier(steps=3, final_steps=40, settings=SMALL, random_state=1)
        return estimator.fit(images / 255, labels), images / 255, labels


def test_it_learns_images_and_says_labels_as_they_were(fitted):
    estimator, images, labels = fitted
    assert estimator.score(images, labels) > 0.9
    assert set(estimator.predict(images)) <= set(labels)
    assert estimator.predict_proba(images).shape == (60, 3)
    low, high = estimator.interval_
    assert low <= estimator.accuracy_ <= high


def test_its_network_is_within_limits():
    images, labels = made_up()
    estimator = AmlaClassifier(steps=3, final_steps=5, settings=SMALL, max_params="1k", max_memory=8000, random_state=1)
    assert Constraints(1000, None, 8000).hold(estimator.fit(images, labels).network_)


def test_it_pickles_without_pytorch(fitted):
    estimator, images, _ = fitted
    data = pickle.dumps(estimator)
    modules = {str(argument).split(".")[0].split(" ")[0] for _, argument, _ in pickletools.genops(data)}
    assert "torch" not in modules
    again = pickle.loads(data)  # noqa: S301 - our own
    assert np.array_equal(again.predict_proba(images), estimator.predict_proba(images))


def test_an_image_alone_is_seen_as_among_others(fitted):
    estimator, images, _ = fitted
    dark = images * 0.3
    assert np.allclose(estimator.predict_proba(dark)[:1], estimator.predict_proba(dark[:1]), atol=1e-6)


def test_flattened_images_are_images_where_their_shape_is_said(fitted):
    estimator, images, labels = fitted
    flat = clone(estimator).set_params(image_shape=(8, 8)).fit(images.reshape(60, -1), labels)
    assert np.allclose(flat.predict_proba(images.reshape(60, -1)), estimator.predict_proba(images))


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((9, 64)), np.arange(9) % 2, "rows of features"),
        (np.zeros((9, 8, 8, 2, 2)), np.arange(9) % 2, "images are"),
        (np.zeros((9, 2, 8, 8)), np.arange(9) % 2, "Transpose it"),
        (np.zeros((9, 8, 8)), np.zeros(9), "one class"),
        (np.zeros((9, 8, 8)), np.arange(9) // 8, "fewer than 3"),
        (np.full((9, 8, 8), np.nan), np.arange(9) % 2, "NaN"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_words(images, labels, said):
    with pytest.raises(ValueError, match=said):
        AmlaClassifier().fit(images, labels)


@pytest.mark.parametrize("shape", [(9, 8, 8, 2), (9, 8, 9, 5), (9, 4, 4, 200)])
def test_images_may_have_any_number_of_channels(shape):
    images = np.zeros(shape)
    assert images_of(images, None, "AmlaClassifier") is images


def test_images_of_another_shape_are_refused(fitted):
    with pytest.raises(ValueError, match="was fitted with"):
        fitted[0].predict(np.zeros((2, 8, 9)))
    with pytest.raises(NotFittedError):
        AmlaClassifier().predict(np.zeros((2, 8, 8)))
