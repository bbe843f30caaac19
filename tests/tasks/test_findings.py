"""What is said of data before anything is spent on them."""

import numpy as np

from amla.tasks import findings as module
from amla.tasks.dataset import Dataset, Examples, Parts
from amla.tasks.findings import findings
from amla.tasks.recipe import Recipe
from amla.tasks.task import Metric, Task

INPUTS = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)


def examples(*places: int, labels: list[int] | None = None) -> Examples:
    found = np.array([place % 2 for place in places] if labels is None else labels)
    return Examples(INPUTS[list(places)], found)


def said_of(
    train: Examples,
    validation: Examples,
    test: Examples,
    classes: tuple[str, ...] = ("a", "b"),
    recipe: Recipe = Recipe(),  # noqa: B008 - a frozen value
    metric: Metric = "accuracy",
) -> list[str]:
    dataset = Dataset("made up", "0", classes, train, validation, test)
    return list(findings(Task(dataset, Parts(train, validation, test), recipe, metric)))


def test_nothing_is_said_of_data_in_order():
    assert said_of(examples(*range(20)), examples(20, 21), examples(22, 23)) == []


def test_examples_that_are_trained_on_are_counted_by_part():
    assert said_of(examples(*range(20)), examples(20, 21, 3), examples(4, 5, 22, 23)) == [
        "1 of 3 validation examples (33.3 %) are training examples, too",
        "2 of 4 test examples (50.0 %) are training examples, too",
    ]


OUT_OF_BALANCE = examples(*range(44), labels=[1] * 40 + [0] * 4), examples(50, 51), examples(52, 53)


def test_classes_out_of_balance_are_named():
    (said,) = said_of(*OUT_OF_BALANCE, classes=("rare", "usual"))
    assert said.startswith("classes are out of balance: 'usual' has 40 training examples, 'rare' 4;")
    nearly = examples(*range(43), labels=[1] * 39 + [0] * 4)
    assert said_of(nearly, *OUT_OF_BALANCE[1:]) == []


def test_what_is_done_about_the_balance_is_not_advised():
    weighted = Recipe(class_weights="balanced")
    (both,) = said_of(*OUT_OF_BALANCE)
    (metric,) = said_of(*OUT_OF_BALANCE, recipe=weighted)
    (weights,) = said_of(*OUT_OF_BALANCE, metric="macro_f1")
    (nothing,) = said_of(*OUT_OF_BALANCE, recipe=weighted, metric="macro_f1")
    metric_advised = ["macro_f1" in said for said in (both, metric, weights, nothing)]
    weights_advised = ["recipe.class_weights" in said for said in (both, metric, weights, nothing)]
    assert metric_advised == [True, True, False, False]
    assert weights_advised == [True, False, True, False]


def test_classes_that_are_not_tested_are_named():
    train, validation = examples(*range(20)), examples(20, 21)
    assert said_of(train, validation, examples(22, 24)) == [
        "no test example is of class 'b': what is measured on the test part says nothing of it"
    ]
    _, many = said_of(train, validation, examples(22), classes=tuple("abcdefgh"))  # the first is of training
    assert "'b', 'c', 'd', 'e', 'f', ...:" in many


def test_what_is_too_large_to_be_read_for_that_is_not_read(monkeypatch):
    monkeypatch.setattr(module, "MOST", 60)
    assert said_of(examples(0, 1), examples(0, 1), examples(0, 1)) == []
