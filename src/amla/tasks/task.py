"""What is to be learned: data, split, recipe and metric. The same for every algorithm of a comparison, and hashed."""

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from amla.tasks.dataset import Dataset, Examples, Parts
from amla.tasks.inputs import in_turn
from amla.tasks.moments import CHUNK, Moments
from amla.tasks.recipe import Recipe

Part = Literal["train", "validation", "test"]
Metric = Literal["accuracy", "balanced_accuracy", "macro_f1", "r2"]  # what a search may maximise in validation
OF_NUMBERS: Metric = "r2"  # the one of numbers that are to be predicted


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learned, classes or numbers, and which of its parts a learner may fit and is scored on.

    A search fits "train" and is scored on "validation"; the final training fits both and is scored on nothing; the
    final evaluation alone reads "test". `metric` is the one of all that is scored that decides. Where a search is to
    fit a share of "train", `some` are the positions of these examples in it (`amla.tasks.subset`).

    Numbers that are to be predicted come to learners standardised (`targets`), as (n, targets) float32.
    """

    dataset: Dataset
    parts: Parts
    recipe: Recipe
    metric: Metric = "accuracy"
    fit_on: tuple[Part, ...] = ("train",)
    score_on: Part | None = "validation"
    some: NDArray[np.int64] | None = None

    def with_recipe(self, recipe: Recipe) -> "Task":
        """Return the same task, trained otherwise."""
        return replace(self, recipe=recipe)

    def whole(self) -> "Task":
        """Return the same task, of which all of the training part is fitted."""
        return replace(self, some=None)

    def final(self) -> "Task":
        """Return the task of the final training: all that is not test, scored on nothing."""
        return replace(self, fit_on=("train", "validation"), score_on=None, some=None)

    def test(self) -> "Task":
        """Return the task of the final evaluation: scored on the test part."""
        return replace(self, fit_on=("train", "validation"), score_on="test", some=None)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input, (channels, *spatial)."""
        return self.dataset.shape

    @property
    def are_numbers(self) -> bool:
        """Whether numbers are to be predicted, and not classes."""
        return self.dataset.are_numbers

    @property
    def classes(self) -> int:
        """How many classes there are; where numbers are to be predicted, how many of an example."""
        return len(self.dataset.classes)

    @cached_property
    def fitting(self) -> Examples:
        """The examples that may be fitted; several parts, or a share of one, are a copy, if they are arrays."""
        if self.some is not None:
            return self._part("train").only(self.some)
        return reduce(Examples.and_then, (self._part(part) for part in self.fit_on))

    @property
    def held_out(self) -> Examples | None:
        """The examples that the learner is scored on."""
        return None if self.score_on is None else self._part(self.score_on)

    @property
    def moments(self) -> Moments:
        """Mean and standard deviation of every channel of the whole training part, in the units of the inputs."""
        return self.parts.moments

    @property
    def targets(self) -> Moments:
        """Mean and standard deviation of every number that is to be predicted, of the training part, in its units."""
        return self.parts.targets

    @cached_property
    def class_weights(self) -> tuple[float, ...] | None:
        """What an example of each class counts in training, 1 on average over the examples; None: all the same.

        Balanced, a class weighs as much as any other, however many examples it has: an example counts N / (K n), of
        N examples and K classes, n of them of its own (King and Zeng 2001, with equal shares of classes).
        """
        if self.recipe.class_weights == "none" or self.are_numbers:
            return None
        counts = np.bincount(self.fitting.labels, minlength=self.classes)
        present = np.count_nonzero(counts)
        return tuple((len(self.fitting.labels) / (present * np.maximum(counts, 1)) * (counts > 0)).tolist())

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits, the same for the same data, split, recipe and metric.

        Of the inputs, the first thousand of each part are looked at: enough to tell splits apart.
        """
        recipe = TypeAdapter(Recipe).dump_json(self.recipe).decode()
        text = [self.dataset.fingerprint, str(self.shape), self.metric, recipe]
        text += ["numbers"] if self.are_numbers else []
        hashed = blake2b("\n".join(text).encode(), digest_size=16)
        if self.some is not None:
            hashed.update(self.some.tobytes())
        for part in (self.parts.train, self.parts.validation, self.parts.test):
            hashed.update(part.labels.tobytes())
            for some in in_turn(part.only(np.arange(min(1000, len(part.labels)))).inputs, CHUNK):
                hashed.update(some.tobytes())
        return hashed.hexdigest()

    def _part(self, part: Part) -> Examples:
        found = {"train": self.parts.train, "validation": self.parts.validation, "test": self.parts.test}[part]
        if not self.are_numbers:
            return found
        mean, deviation = self.targets
        return replace(found, labels=((found.labels - mean) / deviation).astype(np.float32))
