"""What a user should know of the data before anything is spent on them: classes out of balance, examples seen twice."""

from collections.abc import Iterator
from math import prod

import numpy as np

from amla.tasks.dataset import Examples
from amla.tasks.facts import digest_of
from amla.tasks.inputs import in_turn
from amla.tasks.task import Task

UNBALANCED = 10  # times as many examples in one class as in another, from which it is said
NAMED = 5  # classes at most
FEW, FAR = 20, 8  # values of a number; standard deviations, from which they are told of
MOST = 2**31  # elements of inputs: of more, not every one is read only to look for duplicates
CHUNK = 1024  # examples read at once


def findings(task: Task) -> Iterator[str]:
    """Yield what was found, in words: of classes, and of test and validation examples that are trained on."""
    parts = task.parts
    yield from _of_numbers(task) if task.are_numbers else _of_classes(task)
    every = (parts.train, parts.validation, parts.test)
    if sum(prod(part.inputs.shape) for part in every if part.digests is None) > MOST:
        return
    seen = set(_digests(parts.train))
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        found = sum(digest in seen for digest in _digests(part))
        if found:
            share = 100 * found / len(part.labels)
            yield f"{found:,} of {len(part.labels):,} {name} examples ({share:.1f} %) are training examples, too"


def _of_classes(task: Task) -> Iterator[str]:
    parts, classes = task.parts, task.dataset.classes
    counts = np.bincount(parts.train.labels, minlength=len(classes))
    fewest, most = int(counts.argmin()), int(counts.argmax())
    if counts[most] >= UNBALANCED * counts[fewest]:
        yield (
            f"classes are out of balance: {classes[most]!r} has {counts[most]:,} training examples, "
            f"{classes[fewest]!r} {counts[fewest]:,}{_advice(task)}"
        )
    if missing := np.flatnonzero(np.bincount(parts.test.labels, minlength=len(classes)) == 0).tolist():
        listed = ", ".join(repr(classes[number]) for number in missing[:NAMED]) + (", ..." if missing[NAMED:] else "")
        yield f"no test example is of class {listed}: what is measured on the test part says nothing of it"


def _of_numbers(task: Task) -> Iterator[str]:
    """Yield what is to be predicted, so that numbers that should be classes are seen, and what lies far out."""
    labels = task.parts.train.labels
    for name, column, mean, deviation in zip(task.dataset.classes, labels.T, *task.targets, strict=True):
        values = len(np.unique(column))
        yield (
            f"{name!r} is a number to be predicted: {column.min():.4g} to {column.max():.4g}, mean {mean:.4g}, "
            f"standard deviation {deviation:.4g}, {values:,} values"
            + (" (if they are classes, number them 0, 1, 2 and so on)" if values <= FEW else "")
        )
        far = int((np.abs(column - mean) > FAR * deviation).sum())
        if far:
            yield f"{far:,} of {len(column):,} values of {name!r} are more than {FAR} deviations from the mean"


def _advice(task: Task) -> str:
    """Return what to do where classes are out of balance, if it is not done."""
    advice = ["search by what counts each class the same (metric balanced_accuracy or macro_f1)"]
    advice = advice if task.metric == "accuracy" else []
    advice += ["let each count the same in training (recipe.class_weights balanced)"] * (task.class_weights is None)
    return f"; you may {' and '.join(advice)}" if advice else ""


def _digests(examples: Examples) -> Iterator[bytes]:
    if examples.digests is not None:
        yield from (digest.tobytes() for digest in examples.digests)
        return
    for some in in_turn(examples.inputs, CHUNK):
        yield from (digest_of(each) for each in some)
