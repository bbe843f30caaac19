"""The study for a dataset whose user has said little: settings that fit the size of its images and their number."""

from math import ceil

from amla.spec.ops import Size
from amla.study.run import Limit
from amla.study.study import Data, EnvelopeSettings, Final, NacSettings, Study
from amla.tasks.dataset import Dataset
from amla.tasks.recipe import Augment, Cosine, Recipe, Sgd

SMALL = 10_000  # training examples: below, batches are smaller, so that an epoch has enough steps
ITERATIONS = 4
LEG_EPOCHS, FINAL_EPOCHS = 5, 40
LEG_STEPS, FINAL_STEPS = (100, 300), (800, 20_000)  # at least and at most
FLIPPABLE = ("cifar10", "fashion_mnist")


def preset(dataset: Dataset, data: Data, *, seconds: float | None = None, seed: int = 0) -> Study:
    """Return a study of `dataset` by NAC. Without `seconds` its legs are given in steps, so that it repeats exactly."""
    examples = int(len(dataset.train.labels) * (1 - data.validation))
    batch = 64 if examples < SMALL else 128
    epoch = max(1, examples // batch)
    timed = seconds is not None
    return Study(
        name=dataset.name,
        data=data,
        recipe=Recipe(batch, Sgd(0.1), Cosine(), augment=_augment(dataset)),
        space=_space(dataset.shape),
        algorithm=NacSettings(ITERATIONS, None if timed else _within(LEG_STEPS, LEG_EPOCHS * epoch)),
        final=Final(steps=None if timed else _within(FINAL_STEPS, FINAL_EPOCHS * epoch)),
        limit=Limit(seconds=seconds),
        seed=seed,
    )


def _space(shape: Size) -> EnvelopeSettings:
    """Return stages down to a resolution of about 8, after a stem that brings large inputs down to 64 or less."""
    extent = max(shape[1:])
    stride = 1
    while ceil(extent / stride) > 64:
        stride *= 2
    stages = 1
    while ceil(extent / stride / 2**stages) >= 4 and stages < 3:
        stages += 1
    return EnvelopeSettings(
        width=24 if extent <= 16 else 32,
        stem_stride=stride,
        cells=(1,) * stages,
        max_cells=(1 + ITERATIONS,) * stages,
    )


def _augment(dataset: Dataset) -> Augment:
    """Return shifts of an eighth of the image, and mirroring where that is known to do no harm."""
    extent = min(dataset.shape[1:])
    return Augment(flip=dataset.name in FLIPPABLE, shift=max(1, extent // 8))


def _within(bounds: tuple[int, int], steps: int) -> int:
    return min(max(steps, bounds[0]), bounds[1])
