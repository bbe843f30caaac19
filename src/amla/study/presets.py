"""The study for a dataset whose user has said little: settings that fit the size of its images and their number."""

import re
from dataclasses import replace
from math import ceil

from amla.spec.costs import costs, training_flops
from amla.study.run import Limit
from amla.study.settings.baselines import BaselineSettings
from amla.study.settings.searches import NacSettings, RunOffSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of
from amla.study.study import Data, Final, Study
from amla.tasks.dataset import Dataset
from amla.tasks.recipe import Augment, Cosine, Muon, OneCycle, Recipe, Sgd, Small
from amla.tasks.task import OF_NUMBERS

LONGEST_NAME = 100  # characters
PHOTO = 24  # pixels of the shorter side, from which an image is treated as a photograph
PHOTO_BRANCHES = ("3x3-a", "3x3-b", "1x1", "5x5", "3x3sep", "5x5sep")
SEARCH_MACS = 12_000_000  # of every network that is compared, at most
PHOTO_BATCH = 250
SEARCH_BATCH = 100  # for what it costs to compare networks, steps count more than images
FINAL_MACS = 48_000_000  # of the final network, if there is no limit of time to tell
SERIES_BRANCHES = ("1", "3", "9", "9sep", "19sep", "39sep")
LARGE_BATCH, SMALL_BATCH, LEAST_BATCH = 128, 64, 16
SMALL = 10_000  # training examples: below, batches are smaller, so that an epoch has enough steps
ITERATIONS, PHOTO_ITERATIONS = 4, 3
PHOTO_SHARE, CANDIDATES = 0.5, 3  # of six kinds of branches three stay, two, and one
PHOTO_STATISTIC = "taylor_signed"  # what two seeds agree on best in these networks (docs/log.md)
RUN_OFF = RunOffSettings(3, 3, plain=True)
LEG_EPOCHS, FINAL_EPOCHS = 5, 40
LEG_STEPS, FINAL_STEPS = (100, 300), (800, 20_000)  # at least and at most
PHOTO_LEG_STEPS = 90
LEAST_EPOCHS = 6  # of the first network that a time limit should allow in the final training
FINAL_SHARE = 0.6  # of a time limit, roughly
CORE_FLOPS, GPU_FLOPS = 20e9, 5e12  # a second of training: what thin branches reach, by order of magnitude
FLIPPABLE = ("fashion_mnist",)  # though grey


def preset(
    dataset: Dataset,
    data: Data,
    *,
    name: str | None = None,
    seconds: float | None = None,
    seed: int = 0,
    flops: float = CORE_FLOPS,
) -> Study:
    """Return a study of `dataset` by NAC, called `name` or as its data are.

    Without `seconds` its legs are given in steps, so that it repeats exactly.

    `flops` is what the machine trains with, in operations a second, to the order of magnitude: under a short limit
    images are brought to a lower resolution at once, so that the final training sees each a few times.
    """
    examples = int(len(dataset.train.labels) * (1 - data.validation))
    is_series = len(dataset.shape) == 2
    batch = LARGE_BATCH if examples >= SMALL else _of_series(examples) if is_series else SMALL_BATCH
    timed = seconds is not None
    affordable = None if seconds is None else FINAL_SHARE * seconds * flops / (LEAST_EPOCHS * examples)
    photos = min(dataset.shape[1:]) >= PHOTO and not is_series
    usual = _for_series if is_series else _for_photos if photos else _for_small_images
    recipe, final, space, algorithm = usual(dataset, batch, affordable, timed)
    if dataset.are_numbers:
        recipe, final = _of_numbers(recipe), replace(final, recipe=final.recipe and _of_numbers(final.recipe))
    epoch, final_epoch = (max(1, examples // of.batch) for of in (recipe, final.recipe or recipe))
    leg = PHOTO_LEG_STEPS if photos else _within(LEG_STEPS, LEG_EPOCHS * epoch)
    return Study(
        name=name_of(name or dataset.name),
        data=data,
        recipe=recipe,
        space=space,
        algorithm=replace(algorithm, steps=None if timed else leg),
        run_off=RUN_OFF if photos else None,
        baselines=BaselineSettings(),
        final=replace(final, steps=None if timed else _within(FINAL_STEPS, FINAL_EPOCHS * final_epoch)),
        limit=Limit(seconds=seconds),
        seed=seed,
        metric=OF_NUMBERS if dataset.are_numbers else "accuracy",
    )


def _of_numbers(recipe: Recipe) -> Recipe:
    """Return a recipe that changes no example: nobody knows whether its numbers would be the same."""
    return replace(recipe, augment=Augment(), score_mirrored=False, label_smoothing=0.0)


def name_of(name: str) -> str:
    """Return a name that a folder can have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:LONGEST_NAME] or "search"


Choice = tuple[Recipe, Final, EnvelopeSettings, NacSettings]


def _for_small_images(dataset: Dataset, batch: int, affordable: float | None, timed: bool) -> Choice:
    """Return the paper's networks, with a recipe as plain as theirs."""
    recipe = Recipe(batch, Sgd(0.1), Cosine(), augment=_augment(dataset))
    return recipe, Final(), _space(dataset, affordable), NacSettings(ITERATIONS)


def _for_series(dataset: Dataset, batch: int, affordable: float | None, timed: bool) -> Choice:
    """Return the paper's networks along one axis, with long kernels beside short ones (Ismail Fawaz et al. 2020)."""
    recipe = Recipe(batch, Sgd(0.1), Cosine(), augment=Augment(shift=dataset.shape[1] // 32))
    space = replace(_space(dataset, affordable), branches=SERIES_BRANCHES)
    return recipe, Final(), space, NacSettings(ITERATIONS)


def _of_series(examples: int) -> int:
    """Return the batch for few series: an epoch has about ten steps."""
    batch = LEAST_BATCH
    while batch < SMALL_BATCH and 20 * batch <= examples:
        batch *= 2
    return batch


def _for_photos(dataset: Dataset, batch: int, affordable: float | None, timed: bool) -> Choice:
    """Return what fast CIFAR-10 trainers use (Page 2018, Jordan 2024), around cells that a search may choose.

    Networks of one and the same cost are compared while they are narrow; the one that is found is trained wider. They
    see all of the resolution: at half of it, 1x1 does as well as 3x3, which it does not later. Which kinds of branches
    a cell does better without is told by training candidates, not by readings of them (docs/log.md).
    """
    mirrored = _augment(dataset).flip
    extent = max(dataset.shape[1:])
    recipe = Recipe(
        batch=SEARCH_BATCH if batch == LARGE_BATCH else batch,
        optimiser=Muon(0.1, 0.6, on_sphere=True, other=Sgd(0.05, 0.85)),
        schedule=OneCycle(peak=0.0, start=1.0),
        weight_decay=0.0,
        label_smoothing=0.2 if len(dataset.classes) >= 10 else 0.1,
        augment=Augment(flip="alternate" if mirrored else False, shift=max(1, extent // 16), border="reflect"),
        start="he",  # one that passes channels on would hide what a branch is good for
        whiten=True,
        score_mirrored=bool(mirrored),
    )
    stride = 1
    while ceil(extent / stride) > 64:
        stride *= 2
    space = EnvelopeSettings(
        width=128,
        growth=(1, 4, 4),
        skeleton="pools",
        stem_stride=stride,
        cells=(1, 1, 1),
        max_cells=(1, 2, 3),
        branches=PHOTO_BRANCHES,
        skips="none",
        head_dropout=0.0,
    )
    least = _first_macs(dataset, replace(space, width=len(PHOTO_BRANCHES)))
    macs = max(least, SEARCH_MACS if affordable is None else min(int(affordable / 6), SEARCH_MACS))
    algorithm = NacSettings(
        PHOTO_ITERATIONS,
        statistic=PHOTO_STATISTIC,
        share=PHOTO_SHARE,
        growing_only=False,
        alike=True,
        candidates=CANDIDATES,
    )
    final = replace(
        recipe,
        batch=PHOTO_BATCH if batch == LARGE_BATCH else batch,
        start="identity",
        small=Small(0.75, 0.5),
    )
    wider = Final(recipe=final, macs="auto" if timed else FINAL_MACS)
    return recipe, wider, replace(space, macs=macs), algorithm


def _space(dataset: Dataset, affordable: float | None) -> EnvelopeSettings:
    """Return a space whose stem brings large images down to 64, and further while an example costs too much."""
    extent = max(dataset.shape[1:])
    stride = 1
    while ceil(extent / stride) > 64:
        stride *= 2
    settings = _stages(extent, stride)
    while affordable and ceil(extent / stride) >= 16 and training_flops(_first_macs(dataset, settings), 1) > affordable:
        stride *= 2
        settings = _stages(extent, stride)
    return settings


def _stages(extent: int, stride: int) -> EnvelopeSettings:
    """Return stages of one cell each, three at most, the last at a resolution of 4 or more."""
    stages = 1
    while ceil(extent / stride / 2**stages) >= 4 and stages < 3:
        stages += 1
    return EnvelopeSettings(
        width=24 if extent <= 16 else 32,
        stem_stride=stride,
        cells=(1,) * stages,
        max_cells=(1 + ITERATIONS,) * stages,
    )


def _first_macs(dataset: Dataset, settings: EnvelopeSettings) -> int:
    """Return the multiply-accumulates of the first network of a space."""
    space = envelope_of(settings, dataset.shape, len(dataset.classes))
    return costs(space.space.close(space.initial())).macs


def _augment(dataset: Dataset) -> Augment:
    """Return shifts of an eighth of the image, and mirroring of photographs: of images in colour."""
    channels, *extents = dataset.shape
    return Augment(flip=channels == 3 or dataset.name in FLIPPABLE, shift=max(1, min(extents) // 8))


def _within(bounds: tuple[int, int], steps: int) -> int:
    return min(max(steps, bounds[0]), bounds[1])
