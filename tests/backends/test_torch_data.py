"""Batches and augmentation: functions of seed and step, and what they do to an image."""

import numpy as np
import torch
from made_up import make_task

from amla.backends.torch.data import Batches, generator, moved, outside_squares
from amla.tasks.recipe import Augment
from amla.tasks.task import Task

CPU = torch.device("cpu")


def batches(task: Task) -> Batches:
    return Batches(task.fitting, task.moments, 16, CPU)


def test_a_batch_is_a_function_of_seed_and_step(task: Task) -> None:
    augment = Augment(flip=True, shift=2, cutout=3)
    one, other = batches(task), batches(task)
    for step in (5, 0, 3):
        other.training(0, step + 1, augment)
        (x, y), (x2, y2) = one.training(0, step, augment), other.training(0, step, augment)
        assert torch.equal(x, x2)
        assert torch.equal(y, y2)
    assert not torch.equal(one.training(1, 0, augment)[0], one.training(0, 0, augment)[0])


def test_an_epoch_sees_every_example_once(task: Task) -> None:
    found = batches(task)
    assert len(found) == 56
    epoch = torch.cat([found.training(0, step, Augment())[0] for step in range(56 // 16)])
    assert len(torch.unique(epoch.flatten(1), dim=0)) == 48


def test_inputs_are_normalised_by_the_training_part(task: Task) -> None:
    x = torch.cat([inputs for inputs, _ in batches(task).scoring(10)])
    assert tuple(x.shape) == (56, 3, 8, 8)
    assert torch.allclose(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(x.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    task = make_task((1, 4, 4))
    task.parts.train.inputs[:] = 7
    assert torch.isfinite(next(iter(batches(task).scoring(4)))[0]).all()


def test_images_lie_in_memory_channels_last(task: Task) -> None:
    x, _ = batches(task).training(0, 0, Augment(flip=True, shift=1))
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_a_shift_is_a_window_of_the_padded_image() -> None:
    image = torch.arange(1, 26, dtype=torch.uint8).reshape(1, 5, 5, 1)
    padded = np.pad(image[0, :, :, 0].numpy(), 2)
    windows = {padded[i : i + 5, j : j + 5].tobytes() for i in range(5) for j in range(5)}
    seen = set()
    for step in range(200):
        out = moved(image, Augment(shift=2), generator(CPU, step))[0, :, :, 0].numpy()
        assert out.tobytes() in windows
        seen.add(out.tobytes())
    assert len(seen) == 25


def test_a_flip_mirrors_the_last_axis_of_half_the_images() -> None:
    image = torch.arange(6, dtype=torch.uint8).reshape(1, 2, 3, 1)
    images = image.expand(400, 2, 3, 1)
    out = moved(images, Augment(flip=True), generator(CPU, 0))
    flipped = (out == image.flip(2)).all((1, 2, 3))
    same = (out == image).all((1, 2, 3))
    assert (flipped ^ same).all()
    assert 150 < flipped.sum() < 250


def test_a_cutout_blanks_one_square_that_may_lie_partly_outside() -> None:
    outside = outside_squares(torch.ones(300, 6, 6, 3), 3, generator(CPU, 0))
    assert tuple(outside.shape) == (300, 6, 6, 1)
    blank = (~outside).sum((1, 2, 3))
    assert set(blank.tolist()) <= {4, 6, 9}
    assert (blank == 9).any()
    assert (blank == 4).any()


def test_series_and_volumes_are_moved_too() -> None:
    for shape in ((4, 9, 2), (4, 5, 6, 7, 1)):
        x = torch.randint(0, 255, shape, dtype=torch.uint8)
        out = moved(x, Augment(flip=True, shift=1), generator(CPU, 3))
        assert out.shape == x.shape
