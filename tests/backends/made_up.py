"""A small task to train on, and networks made of every op."""

import numpy as np

from amla.spec import ops
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.recipe import Augment, Recipe
from amla.tasks.task import Task

OPS_2D = (
    ops.Conv(6, (3, 3)),
    ops.Conv(6, (1, 1), bias=True),
    ops.Conv(8, (5, 3), stride=(2, 1), groups=2),
    ops.Conv(6, (2, 2), stride=(2, 2)),
    ops.Conv(6, (4, 4), stride=(3, 3)),
    ops.Conv(6, (3, 3), dilation=(2, 2)),
    ops.Conv(6, (3, 2), stride=(2, 2), padding="valid"),
    ops.Depthwise((3, 3), padding="valid"),
    ops.Depthwise((5, 5)),
    ops.Depthwise((3, 3), stride=(2, 2), multiplier=2, bias=True),
    ops.Pool("max", (2, 2), (2, 2)),
    ops.Pool("max", (3, 3), (2, 2)),
    ops.Pool("mean", (3, 3)),
    ops.Pool("mean", (2, 2), (2, 2)),
    ops.Pool("mean", (2, 2)),
    ops.Pool("max", (3, 3), (2, 2), padding="valid"),
    ops.Pool("mean", (3, 2), (2, 2), padding="valid"),
    ops.GlobalPool("mean"),
    ops.GlobalPool("max"),
    ops.Flatten(),
    ops.BatchNorm(),
    ops.BatchNorm(scale=False),
    ops.BatchNorm(scale=False, shift=False),
    ops.LayerNorm(),
    ops.ResponseNorm(radius=1),
    ops.Activation("relu"),
    ops.Activation("silu"),
    ops.Activation("hardswish"),
    ops.Identity(),
    ops.Zero(),
    ops.Scale(0.5, 0.1),
    ops.Dropout(0.3),
    ops.DropPath(0.3),
)


def make_task(
    shape: tuple[int, ...] = (3, 8, 8), classes: int = 4, recipe: Recipe | None = None, examples: int = 80
) -> Task:
    rng = np.random.default_rng(0)
    labels = np.arange(examples, dtype=np.int64) % classes
    inputs = rng.integers(0, 120, (examples, *shape[1:], shape[0]), dtype=np.uint8)
    inputs[..., 0] += (labels * 30).astype(np.uint8).reshape(-1, *(1 for _ in shape[1:]))  # something to learn
    data = Dataset("made-up", "0" * 8, tuple(map(str, range(classes))), Examples(inputs, labels), None, None)
    return Task(data, split(data), recipe or Recipe(batch=16, augment=Augment(flip=True, shift=1, cutout=2)))
