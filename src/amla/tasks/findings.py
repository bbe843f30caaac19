"""What a user should know of the data before anything is spent on them: classes out of balance, examples seen twice."""

from collections.abc import Iterator
from math import prod

import numpy as np

from amla.tasks.dataset import Examples, Parts
from amla.tasks.facts import digest_of
from amla.tasks.inputs import in_turn

UNBALANCED = 10  # times as many examples in one class as in another, from which it is said
MOST = 2**31  # elements of inputs: of more, not every one is read only to look for duplicates
CHUNK = 1024  # examples read at once


def findings(parts: Parts, classes: tuple[str, ...]) -> Iterator[str]:
    """Yield what was found, in words: of training classes, and of test and validation examples that are trained on."""
    counts = np.bincount(parts.train.labels, minlength=len(classes))
    fewest, most = int(counts.argmin()), int(counts.argmax())
    if counts[most] >= UNBALANCED * counts[fewest]:
        yield (
            f"classes are out of balance: {classes[most]!r} has {counts[most]:,} training examples, "
            f"{classes[fewest]!r} {counts[fewest]:,}; balanced accuracy and macro F1 count each class the same"
        )
    every = (parts.train, parts.validation, parts.test)
    if sum(prod(part.inputs.shape) for part in every if part.digests is None) > MOST:
        return
    seen = set(_digests(parts.train))
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        found = sum(digest in seen for digest in _digests(part))
        if found:
            share = 100 * found / len(part.labels)
            yield f"{found:,} of {len(part.labels):,} {name} examples ({share:.1f} %) are training examples, too"


def _digests(examples: Examples) -> Iterator[bytes]:
    if examples.digests is not None:
        yield from (digest.tobytes() for digest in examples.digests)
        return
    for some in in_turn(examples.inputs, CHUNK):
        yield from (digest_of(each) for each in some)
