"""The study that fits a dataset: for images of every size it can be run, and a limit of time makes it cheaper."""

import numpy as np
import pytest

from amla.spec import ops
from amla.spec.costs import costs, shapes
from amla.study.asked import Asked, asked
from amla.study.changes import changed
from amla.study.presets import LEG_STEPS, PHOTO, PHOTO_LEG_STEPS, RUN_OFF, SMALL, preset
from amla.study.spaces import envelope_of
from amla.study.study import Data, Prefer, Study, from_yaml, to_yaml
from amla.tasks.dataset import Dataset, Examples

MEMORY = 4e9  # bytes: what a batch may take in training on a small machine
SIZES = pytest.mark.parametrize("size", [8, 28, 32, 96, 224])
CHANNELS = pytest.mark.parametrize("channels", [1, 3])


def dataset(size: int, channels: int, examples: int = 1000, name: str = "mine") -> Dataset:
    """Return a dataset of empty images, which take no memory."""
    inputs = np.broadcast_to(np.zeros((), np.uint8), (examples, size, size, channels))
    labels = np.arange(examples) % 10
    return Dataset(name, "0" * 32, tuple("abcdefghij"), Examples(inputs, labels), None, None)


def space(study: Study, size: int, channels: int):
    return envelope_of(study.space, (channels, size, size), 10)


@SIZES
@CHANNELS
@pytest.mark.parametrize("seconds", [None, 60.0, 3600.0])
def test_its_space_is_feasible(size: int, channels: int, seconds: float | None):
    study = preset(dataset(size, channels), Data("mine"), seconds=seconds)
    found = space(study, size, channels)
    first = found.space.close(found.initial())
    assert found.space.accepts(first)
    for network in (first, found.space.close(found.deepest())):
        counted = costs(network)
        assert counted.parameters < 20e6
        assert study.recipe.batch * counted.training_memory < MEMORY
    assert min(min(shape[1:]) for shape in shapes(first).values() if shape[1:]) >= 2


@SIZES
@CHANNELS
def test_it_can_be_written_and_read(size: int, channels: int):
    study = preset(dataset(size, channels), Data("mine"), seed=3)
    assert from_yaml(to_yaml(study)) == study
    assert study.seed == 3


@SIZES
def test_without_a_limit_its_legs_are_given_in_steps(size: int):
    study = preset(dataset(size, 3), Data("mine"))
    assert study.limit.seconds is None
    assert study.algorithm.steps
    assert study.final.steps
    least = PHOTO_LEG_STEPS if size >= PHOTO else LEG_STEPS[0]
    assert least <= study.algorithm.steps <= LEG_STEPS[1] < study.final.steps


def test_photographs_get_a_run_off_that_is_longer_than_the_search():
    assert preset(dataset(32, 3), Data("mine")).run_off == RUN_OFF
    assert preset(dataset(8, 3), Data("mine")).run_off is None


@pytest.mark.parametrize(
    ("name", "called"), [(".hidden", "hidden"), ("a b/ç", "a-b"), ("x" * 120, "x" * 100), ("...", "search")]
)
def test_its_name_is_one_that_a_folder_can_have(name: str, called: str):
    assert preset(dataset(8, 1, name=name), Data("mine")).name == called
    assert preset(dataset(8, 1), Data("mine"), name=name).name == called


def test_under_a_limit_its_legs_are_left_to_be_planned():
    study = preset(dataset(32, 3), Data("mine"), seconds=600.0)
    assert (study.limit.seconds, study.algorithm.steps, study.final.steps) == (600.0, None, None)


@pytest.mark.parametrize(("examples", "batch"), [(SMALL // 2, 64), (2 * SMALL, 128)])
def test_few_examples_get_smaller_batches(examples: int, batch: int):
    assert preset(dataset(8, 1, examples), Data("mine")).recipe.batch == batch


def test_the_less_time_and_the_slower_the_machine_the_cheaper_are_the_networks():
    data = dataset(32, 3, 50_000)

    def macs(seconds: float, flops: float) -> int:
        found = space(preset(data, Data("mine"), seconds=seconds, flops=flops), 32, 3)
        return costs(found.space.close(found.initial())).macs

    by_time = [macs(seconds, 20e9) for seconds in (30.0, 300.0, 3000.0, 30_000.0)]
    by_speed = [macs(600.0, flops) for flops in (1e9, 10e9, 100e9, 5e12)]
    assert by_time == sorted(by_time)
    assert by_speed == sorted(by_speed)
    assert by_time[0] < by_time[-1]


@CHANNELS
def test_only_photographs_are_mirrored(channels: int):
    """Mirrored letters and digits are others; of grey images only clothes are known to stay what they are."""
    assert preset(dataset(28, channels), Data("mine")).recipe.augment.flip == ("alternate" if channels == 3 else False)
    assert preset(dataset(28, channels, name="fashion_mnist"), Data("mine")).recipe.augment.flip


@pytest.mark.parametrize("time", [10, 128, 3000])
@pytest.mark.parametrize("channels", [1, 12])
@pytest.mark.parametrize(("examples", "batch"), [(40, 16), (400, 32), (5000, 64), (50_000, 128)])
def test_series_have_networks_along_one_axis_with_long_kernels(time: int, channels: int, examples: int, batch: int):
    inputs = np.broadcast_to(np.zeros((), np.float32), (examples, time, channels))
    labels = np.arange(examples) % 10
    of_series = Dataset("mine", "0" * 32, tuple("abcdefghij"), Examples(inputs, labels), None, None)
    study = preset(of_series, Data("mine"), seconds=300.0)
    assert study.recipe.batch == batch
    assert not study.recipe.augment.flip
    found = envelope_of(study.space, (channels, time), 10)
    for decisions in (found.initial(), found.deepest()):
        network = found.space.close(decisions)
        kernels = {node.op.kernel for node in network if isinstance(node.op, ops.Conv | ops.Depthwise)}
        assert {len(kernel) for kernel in kernels} == {1}
        assert (39,) in kernels
        assert study.recipe.batch * costs(network).training_memory < MEMORY
    assert from_yaml(to_yaml(study)) == study


@pytest.mark.parametrize("prefer", ["small", "fast"])
def test_of_photographs_too_a_small_or_fast_network_can_be_preferred(prefer: Prefer):
    photographs = dataset(32, 3)
    study, _ = asked(Asked("mine", prefer=prefer), lambda study: study, lambda study: study, lambda data: photographs)
    assert study.prefer == prefer
    assert study.final.macs is None


@pytest.mark.parametrize("setting", ["data.source=theirs", "data={source: theirs}", " data.source = theirs"])
def test_data_that_a_setting_names_are_the_only_ones_that_are_read(setting: str):
    settings, read = [setting, "recipe.batch=7"], list[str]()

    def load(data: Data) -> Dataset:
        read.append(data.source)
        return dataset(8, 1)

    study, _ = asked(
        Asked("mine"), lambda study: changed(study, settings), lambda study: changed(study, settings, "data"), load
    )
    assert (read, study.data.source, study.recipe.batch) == (["theirs"], "theirs", 7)
