"""Each class counts the same in balanced accuracy and in macro F1, as scikit-learn has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.evidence.classes import balanced_accuracy, macro_f1, mean_interval
from amla.study.result import wilson

metrics = pytest.importorskip("sklearn.metrics")


def test_a_network_that_always_says_the_largest_class_is_no_better_than_chance():
    right, examples, said = [90, 0], [90, 10], [100, 0]
    assert balanced_accuracy(right, examples) == 0.5
    assert macro_f1(right, examples, said) == pytest.approx(2 * 90 / 190 / 2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_they_are_those_of_scikit_learn(pairs: list[tuple[int, int]]):
    labels, said = np.array(pairs).T
    classes = np.unique(labels)
    right = [int(((labels == c) & (said == c)).sum()) for c in range(4)]
    examples, told = (np.bincount(each, minlength=4).tolist() for each in (labels, said))
    recall = metrics.recall_score(labels, said, labels=classes, average="macro", zero_division=0)
    assert balanced_accuracy(right, examples) == pytest.approx(recall)
    f1 = metrics.f1_score(labels, said, labels=classes, average="macro", zero_division=0)
    assert macro_f1(right, examples, told) == pytest.approx(f1)


def test_without_examples_they_are_not_known():
    assert np.isnan(balanced_accuracy([0], [0]))
    assert np.isnan(macro_f1([0], [0], [3]))


def test_of_one_share_the_interval_is_its_own():
    assert mean_interval([(0.4, 0.3, 0.6)]) == pytest.approx((0.3, 0.6))


def test_the_interval_of_a_mean_narrows_with_the_number_of_shares():
    assert mean_interval([(0.5, 0.4, 0.7)] * 4) == pytest.approx((0.45, 0.6))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=5))
def test_the_interval_of_a_mean_holds_it_and_lies_within_0_and_1(classes: list[tuple[int, int]]):
    shares = [(min(right, of) / of, *wilson(min(right, of), of)) for right, of in classes]
    low, high = mean_interval(shares)
    mean = sum(share for share, _, _ in shares) / len(shares)
    assert 0 <= low <= mean + 1e-12
    assert mean - 1e-12 <= high <= 1


def test_the_interval_of_balanced_accuracy_holds_the_truth_as_often_as_it_says():
    chance, truth, sizes = np.random.default_rng(0), np.array([0.9, 0.6]), np.array([200, 15])
    found = chance.binomial(sizes, truth, (2000, 2))
    held = 0
    for right in found:
        low, high = mean_interval([(r / n, *wilson(int(r), int(n))) for r, n in zip(right, sizes, strict=True)])
        held += low <= truth.mean() <= high
    assert 0.93 <= held / len(found) <= 0.97


def test_without_shares_there_is_no_interval():
    with pytest.raises(ValueError, match="no shares"):
        mean_interval([])
