"""What predictions of numbers are worth, as scikit-learn has it, and how sure that is."""

import numpy as np
import pytest

from amla.evidence.numbers import errors, r2, r2_interval

metrics = pytest.importorskip("sklearn.metrics")


def drawn(count: int, targets: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    truth = chance.normal(0, (1.0, 3.0)[:targets], (count, targets))
    return truth + chance.normal(0, 0.5, truth.shape), truth


def test_r2_is_that_of_scikit_learn():
    said, truth = drawn(50)
    assert r2(said, truth) == pytest.approx(metrics.r2_score(truth, said))


def test_who_is_always_right_has_1_and_who_says_the_mean_0():
    _, truth = drawn(20)
    assert r2(truth, truth) == 1
    assert r2(np.broadcast_to(truth.mean(0), truth.shape), truth) == pytest.approx(0)


def test_errors_are_in_the_units_of_each_target():
    said, truth = drawn(40)
    found = errors(said, truth, (10.0, 0.1))
    for place, unit in enumerate((10.0, 0.1)):
        column = truth[:, place] * unit, said[:, place] * unit
        assert found[f"mae/{place}"] == pytest.approx(metrics.mean_absolute_error(*column))
        assert found[f"rmse/{place}"] == pytest.approx(metrics.root_mean_squared_error(*column))
    assert found["loss"] == pytest.approx(metrics.mean_squared_error(truth, said))
    assert found["examples"] == 40


def test_a_target_that_is_the_same_for_all_has_no_r2():
    truth = np.ones((5, 1))
    assert np.isnan(r2(truth, truth))
    assert np.isnan(r2_interval(truth, truth, 20)).all()


def test_two_examples_have_no_interval():
    said, truth = drawn(2)
    assert np.isfinite(r2(said, truth))
    assert np.isnan(r2_interval(said, truth)).all()


def test_the_interval_is_always_the_same_and_holds_the_value():
    said, truth = drawn(60)
    low, high = r2_interval(said, truth, 200)
    assert (low, high) == r2_interval(said, truth, 200)
    assert low < r2(said, truth) < high


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held, true = 0, 1 - 0.5**2  # noise of a quarter of the variance
    for seed in range(200):
        low, high = r2_interval(*drawn(100, 1, seed), 200)
        held += low <= true <= high
    assert 0.88 <= held / 200 <= 0.99


def test_more_examples_make_it_narrower():
    few, many = (r2_interval(*drawn(count), 200) for count in (40, 640))
    assert many[1] - many[0] < few[1] - few[0]
