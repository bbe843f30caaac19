"""Batches and augmentation: functions of seed and step, and what they do to an image."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up import make_task
from PIL import Image

from amla.backends.torch import data
from amla.backends.torch.crew import Alone
from amla.backends.torch.data import Batches, generator, moved, outside_squares, reduced
from amla.backends.torch.learner import TorchLearner
from amla.backends.torch.native.build import library
from amla.backends.torch.native.images import read, reads
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.tasks.dataset import DataError, Examples, split
from amla.tasks.load import load
from amla.tasks.recipe import Augment, Recipe
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
        out = moved(image, Augment(shift=2), None, generator(CPU, step))[0, :, :, 0].numpy()
        assert out.tobytes() in windows
        seen.add(out.tobytes())
    assert len(seen) == 25


def test_a_flip_mirrors_the_last_axis_of_half_the_images(task: Task) -> None:
    plain, _ = batches(task).training(0, 0, Augment())
    seen = []
    for seed_step in range(40):
        found = Batches(task.fitting, task.moments, 16, CPU)
        index, _ = found._index(0, 0)
        mirrored = found._mirrored(0, 0, index, Augment(flip=True), generator(CPU, seed_step))
        assert mirrored is not None
        seen.append(mirrored)
    assert 240 < torch.cat(seen).sum() < 400
    out, _ = batches(task).training(0, 0, Augment(flip=True))
    flipped, same = (out == plain.flip(3)).all(1).all(1).all(1), (out == plain).all(1).all(1).all(1)
    assert (flipped ^ same).all()


def test_alternate_flips_show_every_image_both_ways_in_two_epochs(task: Task) -> None:
    found, augment = batches(task), Augment(flip="alternate")
    shown: dict[bytes, set[bytes]] = {}
    for step in range(2 * (56 // 16)):
        plain, _ = found.training(3, step, Augment())
        out, _ = found.training(3, step, augment)
        for x, y in zip(plain, out, strict=True):
            shown.setdefault(x.numpy().tobytes(), set()).add(y.numpy().tobytes())
    both = [len(ways) for ways in shown.values()]
    assert both.count(2) >= 40  # all but those that an epoch left out
    first = torch.cat(
        [
            (found.training(3, s, augment)[0] != found.training(3, s, Augment())[0]).any(1).any(1).any(1)
            for s in range(3)
        ]
    )
    assert 10 < first.sum() < 38


def test_a_border_can_be_a_reflection() -> None:
    image = torch.arange(1, 26, dtype=torch.uint8).reshape(1, 5, 5, 1)
    padded = np.pad(image[0, :, :, 0].numpy(), 2, mode="reflect")
    windows = {padded[i : i + 5, j : j + 5].tobytes() for i in range(5) for j in range(5)}
    augment = Augment(shift=2, border="reflect")
    seen = {moved(image, augment, None, generator(CPU, step))[0].numpy().tobytes() for step in range(200)}
    assert seen == windows


@pytest.mark.parametrize("extent", [1, 2, 3])
def test_a_reflection_may_go_on_for_long(extent: int) -> None:
    line = torch.arange(extent, dtype=torch.uint8).reshape(1, extent, 1)
    found = np.pad(np.arange(extent, dtype=np.uint8), 7, mode="reflect")
    windows = {found[i : i + extent].tobytes() for i in range(15)}
    for step in range(30):
        assert moved(line, Augment(shift=7, border="reflect"), None, generator(CPU, step)).numpy().tobytes() in windows


@pytest.mark.parametrize("shape", [(9,), (8, 12), (4, 4, 4)])
def test_reduced_images_are_means_of_what_they_cover(shape: tuple[int, ...]) -> None:
    x = torch.rand(2, 3, *shape)
    half = reduced(x, 0.5)
    assert half.shape[2:] == tuple(round(extent / 2) for extent in shape)
    if all(extent % 2 == 0 for extent in shape):
        assert torch.allclose(half.mean(), x.mean())
    assert reduced(x, 1) is x


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
        out = moved(x, Augment(shift=1), torch.tensor([True, False, True, False])[:, None], generator(CPU, 3))
        assert out.shape == x.shape


@pytest.mark.parametrize("border", ["zero", "reflect"])
@pytest.mark.parametrize("flip", [False, True, "alternate"])
@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 5, 11)])
def test_the_kernel_reads_the_same_images(
    shape: tuple[int, ...], flip: bool, border: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, augment = make_task(shape), Augment(flip, 3, border=border)
    ours = [batches(task).training(0, step, augment) for step in range(4)]
    assert reads(batches(task).inputs) == (library() is not None)
    monkeypatch.setattr(data, "reads", lambda inputs: False)
    plain = [batches(task).training(0, step, augment) for step in range(4)]
    for (x, y), (x2, y2) in zip(ours, plain, strict=True):
        assert torch.equal(x, x2)
        assert torch.equal(y, y2)
        assert x.stride() == x2.stride()


def test_an_image_that_is_not_there_is_an_error(task: Task) -> None:
    inputs, one = batches(task).inputs, torch.arange(8)[None]
    if reads(inputs):
        for wrong in (-1, len(inputs)):
            with pytest.raises(IndexError, match=f"There are {len(inputs)} images"):
                read(inputs, torch.tensor([wrong]), one, one, torch.zeros(3), torch.ones(3))


def test_series_are_normalised_and_those_of_the_dataset_stay_as_they_are() -> None:
    inputs = np.random.default_rng(0).normal(5, 2, (6, 9, 2)).astype(np.float32)
    kept = inputs.copy()
    inputs.flags.writeable = False
    batches = Batches(Examples(inputs, np.zeros(6, np.int64)), ((5.0, 4.0), (2.0, 1.0)), 6, CPU)
    expected = ((kept - np.float32([5, 4])) / np.float32([2, 1])).transpose(0, 2, 1)
    for found in (next(batches.scoring(6))[0], batches.training(0, 0, Augment())[0][batches._order(0, 0)[0].argsort()]):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    np.testing.assert_array_equal(inputs, kept)


@pytest.fixture
def ways(tmp_path: Path) -> dict[str, Task]:
    """Return a task on files of images in three ways: mapped, read from the disk, and decoded for every batch."""
    rng = np.random.default_rng(0)
    for number in range(60):
        place = tmp_path / "images" / f"{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (10, 10, 3), dtype=np.uint8)).save(place / f"{number}.png")
    found = {}
    for way in ("never", "disk", "decode"):
        data = load(str(tmp_path / "images"), cache_dir=tmp_path, size=(6, 6), canvas=(9, 9), stream=way)
        found[way] = Task(data, split(data), Recipe(batch=8))
    return found


@pytest.mark.parametrize("augment", [Augment(), Augment(flip="alternate", shift=1, cutout=2), Augment(crop=0.3)])
def test_batches_are_the_same_however_the_data_are_read(ways: dict[str, Task], augment: Augment) -> None:
    for final in (False, True):
        of = {way: task.final() if final else task for way, task in ways.items()}
        every = {way: Batches(task.fitting, task.moments, 8, CPU) for way, task in of.items()}
        per_epoch = len(every["never"]) // 8
        for step in (0, 1, 2, per_epoch - 1, per_epoch, per_epoch + 1, 1):
            expected = every["never"].training(5, step, augment)
            assert tuple(expected[0].shape) == (8, 3, 6, 6)
            for way in ("disk", "decode"):
                alone = Batches(of[way].fitting, of[way].moments, 8, CPU)
                for batches in (every[way], alone):
                    assert all(map(torch.equal, batches.training(5, step, augment), expected))
    held_out = {way: task.held_out for way, task in ways.items()}
    scored = {way: list(Batches(held_out[way], ways[way].moments, 8, CPU).scoring(5)) for way in ways}
    for way in ("disk", "decode"):
        for one, other in zip(scored[way], scored["never"], strict=True):
            assert all(map(torch.equal, one, other))


def test_batches_are_read_ahead_but_only_a_few(ways: dict[str, Task]) -> None:
    asked: list[int] = []
    here = threading.current_thread()

    class Watched:
        shape, dtype = ways["disk"].fitting.inputs.shape, np.dtype(np.uint8)

        def __len__(self) -> int:
            return self.shape[0]

        def __getitem__(self, index: object) -> np.ndarray:
            assert threading.current_thread() is not here
            asked.append(len(asked))
            return ways["disk"].fitting.inputs[index]

    batches = Batches(replace(ways["disk"].fitting, inputs=Watched()), ways["disk"].moments, 8, CPU)
    for step in range(4):
        batches.training(0, step, Augment())
    next(batches._ahead._waiting[key] for key in batches._ahead._waiting if key[1] == 5).result()
    assert len(asked) == 6


def test_what_is_read_is_known_without_asking_the_device(ways: dict[str, Task]) -> None:
    """Which would answer once it has computed all that it was told before; this one never does."""
    device = torch.device("meta")
    for task in ways.values():
        nowhere, here = (Batches(task.fitting, task.moments, 8, where) for where in (device, CPU))
        assert np.array_equal(nowhere._of_step((0, 5, None)), here._of_step((0, 5, None)))
        assert nowhere._index(0, 5)[1].device == device


def test_what_cannot_be_read_ahead_is_told_when_it_is_needed(ways: dict[str, Task], tmp_path: Path) -> None:
    fitting = ways["decode"].fitting
    batches = Batches(fitting, ways["decode"].moments, 8, CPU)
    for path in (tmp_path / "images").rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="png' cannot be read any more"):
        batches.training(0, 0, Augment())


def test_threads_that_read_ahead_end_with_their_batches(ways: dict[str, Task]) -> None:
    before = set(threading.enumerate())
    batches = Batches(ways["disk"].fitting, ways["disk"].moments, 8, CPU)
    batches.training(0, 0, Augment())
    (thread,) = set(threading.enumerate()) - before
    del batches
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_large_images_are_scored_few_at_a_time(ways: dict[str, Task], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "SCORED_AT_ONCE", 3 * 6 * 6 * 4)
    for task in ways.values():
        sizes = [len(labels) for _, labels in Batches(task.fitting, task.moments, 8, CPU).scoring(500)]
        assert set(sizes[:-1]) == {4}


@pytest.mark.parametrize("way", ["disk", "decode"])
def test_two_legs_are_one_where_data_are_read_batch_by_batch(ways: dict[str, Task], way: str) -> None:
    network = Architecture(
        (
            Node("x", ops.Input((3, 6, 6))),
            Node("c", ops.Conv(4, (3, 3)), ("x",)),
            Node("n", ops.BatchNorm(), ("c",)),
            Node("g", ops.GlobalPool("mean"), ("n",)),
            Node("y", ops.Classify(3), ("g",)),
        )
    )
    recipe = Recipe(8, augment=Augment(flip=True, crop=0.3))
    tasks = {name: ways[name].with_recipe(recipe) for name in ("never", way)}
    whole = TorchLearner(network, tasks["never"], 0, CPU, Alone())
    whole.fit(9, 9, lambda *_: None)
    first = TorchLearner(network, tasks[way], 0, CPU, Alone())
    first.fit(4, 9, lambda *_: None)
    second = TorchLearner(network, tasks[way], 0, CPU, Alone())
    second.restore(first.snapshot())
    second.fit(5, 9, lambda *_: None)
    for name, weight in whole.snapshot().weights.items():
        assert np.array_equal(weight, second.snapshot().weights[name]), name
    assert second.score() == whole.score()
