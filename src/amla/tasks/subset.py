"""A share of the training part: what a search fits where the rest is left to the final training."""

import numpy as np
from numpy.typing import NDArray

from amla.tasks.dataset import FEWEST, ONE_GROUP, DataError, Examples, shuffled_by_class

_SUBSET = 1  # what is drawn here, and not by a split, of the same seed


def subset(train: Examples, share: float, seed: int) -> NDArray[np.int64]:
    """Return the positions of a share of a training part, ascending.

    Every class gives its share, rounded, but at least one example; where numbers are to be predicted, all examples
    together do, at least two. Which ones depends on `seed` and on nothing else, and those of a smaller share are among
    those of a larger one. Raises DataError for a share that is none.
    """
    if not 0 < share <= 1:
        raise DataError(f"share is {share!r}, but must be more than 0, and at most 1: 0.1 is a tenth of the examples.")
    groups = np.full(len(train.labels), ONE_GROUP) if train.are_numbers else train.labels
    least = FEWEST if train.are_numbers else 1
    orders = shuffled_by_class(groups, seed=seed, purpose=(_SUBSET,)).values()
    return np.sort(np.concatenate([order[: max(least, round(len(order) * share))] for order in orders]))


def steps_of_as_many_epochs(steps: int, examples: int, some: int, batch: int) -> int:
    """Return in how many steps `some` examples are seen as often as so many `examples` are in `steps`, at least one.

    An epoch's incomplete last batch is left out, as it is in training; of fewer examples than a batch all are one.
    """
    an_epoch, of_some = (count // min(batch, count) for count in (examples, some))
    return max(1, round(steps * of_some / an_epoch))
