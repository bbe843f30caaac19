"""What is said of data before anything is spent on them."""

import numpy as np

from amla.tasks import findings as module
from amla.tasks.dataset import Examples, Parts
from amla.tasks.findings import findings

INPUTS = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)


def examples(*places: int, labels: list[int] | None = None) -> Examples:
    found = np.array([place % 2 for place in places] if labels is None else labels)
    return Examples(INPUTS[list(places)], found)


def test_nothing_is_said_of_data_in_order():
    parts = Parts(examples(*range(20)), examples(20, 21), examples(22, 23))
    assert list(findings(parts, ("a", "b"))) == []


def test_examples_that_are_trained_on_are_counted_by_part():
    parts = Parts(examples(*range(20)), examples(20, 21, 3), examples(4, 5, 22, 23))
    assert list(findings(parts, ("a", "b"))) == [
        "1 of 3 validation examples (33.3 %) are training examples, too",
        "2 of 4 test examples (50.0 %) are training examples, too",
    ]


def test_classes_out_of_balance_are_named():
    train = examples(*range(44), labels=[1] * 40 + [0] * 4)
    (said,) = findings(Parts(train, examples(50), examples(51)), ("rare", "usual"))
    assert said.startswith("classes are out of balance: 'usual' has 40 training examples, 'rare' 4;")
    nearly = examples(*range(43), labels=[1] * 39 + [0] * 4)
    assert list(findings(Parts(nearly, examples(50), examples(51)), ("rare", "usual"))) == []


def test_what_is_too_large_to_be_read_for_that_is_not_read(monkeypatch):
    monkeypatch.setattr(module, "MOST", 60)
    assert list(findings(Parts(examples(0, 1), examples(0), examples(1)), ("a", "b"))) == []
