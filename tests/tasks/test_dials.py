"""Dials are numbers of a recipe, and turning them changes these and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.spec.values import SpecError
from amla.tasks.dials import dials, turned
from amla.tasks.recipe import AdamW, Augment, Muon, Recipe, Sgd

RECIPES = [
    Recipe(),
    Recipe(optimiser=AdamW(), weight_decay=0.05, label_smoothing=0.1, augment=Augment(shift=4, cutout=8)),
    Recipe(optimiser=Muon(other=Sgd(0.05)), weight_decay=0.0, label_smoothing=0.5),
]
SHAPES = [(3, 32, 32), (1, 8, 8), (2, 128), (1, 3, 5)]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_recipe_has_is_within_its_dials(recipe: Recipe, shape: tuple[int, ...]):
    for address, dial in dials(recipe, shape).items():
        assert dial.low <= dial.usual <= dial.high, address
        assert dial.low < dial.high, address
        assert dial.low > 0 or not dial.log
    assert turned(recipe, {address: dial.usual for address, dial in dials(recipe, shape).items()}) == recipe


@given(st.sampled_from(RECIPES), st.sampled_from(SHAPES), st.data())
def test_any_turn_within_makes_a_recipe_that_has_it(recipe: Recipe, shape: tuple[int, ...], data: st.DataObject):
    found = dials(recipe, shape)
    changes = {
        address: float(
            data.draw(st.integers(int(dial.low), int(dial.high)) if dial.whole else st.floats(dial.low, dial.high))
        )
        for address, dial in found.items()
    }
    other = turned(recipe, changes)
    assert {address: dial.usual for address, dial in dials(other, shape).items() if address in changes} == changes
    assert replace(other, optimiser=recipe.optimiser, weight_decay=recipe.weight_decay).batch == recipe.batch


def test_where_numbers_are_predicted_no_label_is_smoothed_and_no_image_changed_that_was_not():
    assert set(dials(Recipe(), (1, 8, 8), are_numbers=True)) == {"optimiser.rate", "weight_decay"}
    assert "augment.shift" in dials(Recipe(augment=Augment(shift=1)), (1, 8, 8), are_numbers=True)


def test_no_change_is_the_same_recipe():
    assert turned(RECIPES[1], {}) is RECIPES[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimiser.speed": 1.0}, "recipe.optimiser.speed should be 1.0; it must be a number of the recipe"),
        ({"optimiser": 1.0}, "must be a number of the recipe"),
        ({"optimiser.nesterov": 1.0}, "must be a number of the recipe"),
        ({"optimiser.rate": float("nan")}, "and finite"),
        ({"label_smoothing": 2.0}, "label_smoothing is 2.0; it must be at least 0 and below 1"),
        ({"a.b.c": 1.0}, "must be a number of the recipe"),
        ({"optimiser.rate": -1.0}, "recipe.optimiser.rate should be -1.0; it must be 0 or more"),
        ({"weight_decay": -1e-9}, "weight_decay should be -1e-09; it must be 0 or more"),
        ({"augment.shift": 2.7}, r"augment.shift: Input should be a valid integer \(given: 2.7\)"),
    ],
)
def test_what_is_no_number_of_a_recipe_is_refused(changes: dict[str, float], words: str):
    with pytest.raises(SpecError, match=words):
        turned(Recipe(), changes)
