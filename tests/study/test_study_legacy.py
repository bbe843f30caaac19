"""Studies from configurations of 2018: their recipe, in steps."""

import copy
from typing import Any

import pytest
from reference import found
from test_legacy_config import CONFIG, at

from amla.algorithms.construct import constructed, initial
from amla.algorithms.paper import PaperNac, trainings
from amla.spec.digest import digest
from amla.spec.legacy.config import Config, read_config
from amla.spec.legacy.growth import Growth
from amla.spec.legacy.growth import initial as begun
from amla.spec.legacy.network import build
from amla.spec.macro import Macro
from amla.study.legacy import shape_of, study_of
from amla.study.paper import paper_mode
from amla.study.resolve import algorithm_of
from amla.study.settings.searches import FixedSettings, NacSettings
from amla.study.spaces import envelope_of
from amla.study.study import from_yaml, to_yaml
from amla.tasks.recipe import Augment, Exponential, Restarts, Sgd
from amla.trials.history import History


def config(**changes: Any) -> Config:
    plain = copy.deepcopy(CONFIG)
    plain["parameters"] |= changes
    return read_config(plain)[0]


def test_the_recipe_is_that_of_the_file():
    study, _ = study_of(config(), "tiny.arch.json")
    epoch = 50_000 // 100
    assert (study.recipe.batch, study.final.steps) == (100, 100)
    assert study.recipe.optimiser == Sgd(0.05, 0.9, nesterov=True)
    assert study.recipe.schedule == Restarts(20 * epoch, 2.0, 0.001 / 0.05)
    assert study.recipe.weight_decay == pytest.approx(6e-4)  # the sum of squares has no half
    assert (study.recipe.clip, study.recipe.clip_each, study.recipe.ema) == (5.0, True, 0.9999)
    assert study.recipe.augment == Augment(flip=True, shift=4, cutout=16)
    assert from_yaml(to_yaml(study)) == study


def test_without_a_section_on_training_the_rate_falls_to_a_tenth_every_350_epochs():
    plain = {name: said for name, said in CONFIG.items() if name != "child_training"}
    study, notes = study_of(read_config(plain)[0], "x")
    assert study.recipe.schedule == Exponential(0.1, 350 * 500)
    assert study.recipe.optimiser == Sgd(0.1, 0.0, nesterov=False)
    assert (study.recipe.clip, study.recipe.clip_each, study.recipe.weight_decay) == (None, False, 0.0)
    assert any(note.field == "training" for note in notes)


@pytest.mark.parametrize(
    ("pixels", "shape", "size", "shift"),
    [(40, (3, 32, 32), None, 4), (32, (3, 32, 32), None, 0), (28, (3, 28, 28), (28, 28), 2)],
)
def test_images_are_padded_or_resized(pixels: int, shape: tuple[int, ...], size: tuple[int, int] | None, shift: int):
    found = config(image_size=pixels)
    study, notes = study_of(found, "x")
    assert (shape_of(found), study.data.size, study.recipe.augment.shift) == (shape, size, shift)
    assert any(note.field == "parameters.image_size" for note in notes) == (pixels != 32)


def test_what_another_dataset_needs_is_noted():
    found = config(dataset="imagenet", image_size=224)
    study, notes = study_of(found, "x")
    assert (shape_of(found), study.data.size) == ((3, 224, 224), (224, 224))
    assert any("set data.source" in note.says for note in notes)


def test_every_difference_of_the_recipe_is_noted():
    fields = {note.field for note in study_of(read_config(at("parameters", "steps", value=3))[0], "x")[1]}
    assert fields >= {"training lr", "training regularization", "stem cutout", "parameters.image_size"}


SEARCHES = [
    "config.nac.construction.json",
    "config.nac.construction.test.json",
    "network.cons-exp-3.bc.json",
    "network.cons-exp-3.wc.json",
    "network.cons-exp-3-en.json",
]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_a_study_of_paper_mode_that_begins_with_the_network_imported(name: str):
    config, _ = read_config(found(name))
    study, _ = study_of(config, "x")
    assert isinstance(study.algorithm, NacSettings)
    algorithm = paper_mode(study, study.algorithm, shape_of(config), config.classes, steps=1)
    assert isinstance(algorithm, PaperNac)
    first = algorithm.ask(History())
    assert first is not None
    assert digest(first.architecture) == digest(build(config, shape_of(config)))
    assert isinstance(config.body, Growth)
    assert algorithm.rules.layers == config.body.layers
    assert initial(algorithm.rules).items[0].inputs == begun(config.body, config.width).items[0].inputs
    assert algorithm.rules.dialect == ("amla" if name.startswith("config") else "env")
    assert algorithm.rules.worst_case == name.endswith("wc.json")
    assert from_yaml(to_yaml(study)) == study


def test_the_search_of_figure_3_ends_with_a_network_as_large_as_the_published_one():
    config, _ = read_config(found("network.cons-exp-3.bc.json"))
    study, notes = study_of(config, "x")
    algorithm = algorithm_of(study, envelope_of(study.space, shape_of(config), config.classes), steps=1)
    assert isinstance(algorithm, PaperNac)
    assert (algorithm.rules.dialect, trainings(algorithm.rules, algorithm.iterations)) == ("env", config.iterations)
    published, _ = read_config(found("network.cons-exp-3-bc-longrun.json"))
    assert isinstance(published.body, Macro)
    sizes = tuple((len(stage), sum(len(layer.filters) for layer in stage)) for stage in published.body.stages)
    assert constructed(algorithm.rules, config.iterations) == sizes
    assert any(note.field == "parameters.iterations" and note.says.startswith("4:") for note in notes)


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("network.construction-cifar10-topline.json", {}, "paper mode has no such stem"),
        ("network.6x4.json", {}, "no stage is to be constructed"),
        ("network.cons-exp-3.bc.json", {"maxlayersperstage": [5, 5, 3, 3]}, "stage 0 starts with 10 cells"),
        ("network.cons-exp-3.bc.json", {"envelopecell": {"Branch1": "2x2"}}, "names no odd kernel"),
        ("network.cons-exp-3.bc.json", {"layersperstage": [2] * 4, "parameterlimits": [True] * 4}, "division by zero"),
    ],
)  # fmt: skip
def test_a_search_that_paper_mode_cannot_make_trains_its_first_network(name: str, changes: dict[str, Any], why: str):
    record = found(name)
    record["envelopenet"] |= changes
    study, notes = study_of(read_config(record)[0], "x.arch.json")
    assert study.algorithm == FixedSettings(("x.arch.json",), 1)
    assert any(note.field == "parameters.algorithm" and why in note.says for note in notes)
