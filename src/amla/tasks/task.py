"""What is to be learned: data, split, recipe and metric. The same for every algorithm of a comparison, and hashed."""

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from hashlib import blake2b
from math import prod
from typing import Literal

import numpy as np
from pydantic import TypeAdapter

from amla.tasks.dataset import Dataset, Examples, Parts
from amla.tasks.inputs import in_turn
from amla.tasks.recipe import Recipe

Part = Literal["train", "validation", "test"]
CHUNK = 4096  # examples summed up at once


@dataclass(frozen=True, eq=False)
class Task:
    """A classification task, and which of its parts a learner may fit and is scored on.

    A search fits "train" and is scored on "validation"; the final training fits both and is scored on nothing; the
    final evaluation alone reads "test".
    """

    dataset: Dataset
    parts: Parts
    recipe: Recipe
    metric: str = "accuracy"
    fit_on: tuple[Part, ...] = ("train",)
    score_on: Part | None = "validation"

    def with_recipe(self, recipe: Recipe) -> "Task":
        """Return the same task, trained otherwise."""
        return replace(self, recipe=recipe)

    def final(self) -> "Task":
        """Return the task of the final training: all that is not test, scored on nothing."""
        return replace(self, fit_on=("train", "validation"), score_on=None)

    def test(self) -> "Task":
        """Return the task of the final evaluation: scored on the test part."""
        return replace(self, fit_on=("train", "validation"), score_on="test")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input, (channels, *spatial)."""
        return self.dataset.shape

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.dataset.classes)

    @cached_property
    def fitting(self) -> Examples:
        """The examples that may be fitted; several parts are copied into one array, if they are arrays."""
        return reduce(Examples.and_then, (self._part(part) for part in self.fit_on))

    @property
    def held_out(self) -> Examples | None:
        """The examples that the learner is scored on."""
        return None if self.score_on is None else self._part(self.score_on)

    @cached_property
    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of every channel of the training part, in the units of the inputs."""
        inputs = self.parts.train.inputs
        if self.parts.train.sums is not None:
            total, square = self.parts.train.sums.sum(0).astype(np.float64)
        else:
            total, square = np.zeros(inputs.shape[-1]), np.zeros(inputs.shape[-1])
            for some in in_turn(inputs, CHUNK):
                chunk, axes = some.astype(np.float64), tuple(range(some.ndim - 1))
                total += chunk.sum(axes)
                square += (chunk * chunk).sum(axes)
        count = prod(inputs.shape[:-1])
        mean = total / count
        deviation = np.sqrt(np.maximum(square / count - mean * mean, 0))
        return tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist())

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits, the same for the same data, split, recipe and metric.

        Of the inputs, the first thousand of each part are looked at: enough to tell splits apart.
        """
        recipe = TypeAdapter(Recipe).dump_json(self.recipe).decode()
        text = [self.dataset.fingerprint, str(self.shape), self.metric, recipe]
        hashed = blake2b("\n".join(text).encode(), digest_size=16)
        for part in (self.parts.train, self.parts.validation, self.parts.test):
            hashed.update(part.labels.tobytes())
            for some in in_turn(part.only(np.arange(min(1000, len(part.labels)))).inputs, CHUNK):
                hashed.update(some.tobytes())
        return hashed.hexdigest()

    def _part(self, part: Part) -> Examples:
        return {"train": self.parts.train, "validation": self.parts.validation, "test": self.parts.test}[part]
