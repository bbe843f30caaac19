"""Each class counts the same in balanced accuracy and in macro F1, as scikit-learn has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.evidence.classes import balanced_accuracy, macro_f1

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
