"""The numbers of a recipe that are worth tuning, and recipes with some of them changed."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from pydantic import TypeAdapter, ValidationError

from amla.spec.ops import Size
from amla.spec.text import explain
from amla.spec.values import SpecError, value
from amla.tasks.recipe import Recipe

RATES, DECAYS = (1 / 8, 4.0), (1 / 10, 10.0)  # of what a recipe has, least and most
MOST_DECAY, MOST_SMOOTHING = 0.1, 0.3
CUT, SHIFTED = 2, 6  # the shorter side over these is the largest square that is blanked, and the largest shift

_recipe = TypeAdapter(Recipe)
Changes = Mapping[str, float]


@value
class Dial:
    """A number of a recipe, and from where to where it may be turned; `log` by factors, `whole` in steps of 1."""

    usual: float
    low: float
    high: float
    log: bool = False
    whole: bool = False


def dials(recipe: Recipe, shape: Size, are_numbers: bool = False) -> dict[str, Dial]:
    """Return the dials of a recipe for inputs of `shape`, (channels, *spatial), by address: "optimiser.rate".

    A weight decay of 0, as of a recipe that keeps kernels on a sphere, is left alone. Where numbers are to be predicted
    there is no label to smooth, and examples are changed only where the recipe does so: what is changed might have
    another number.
    """
    shorter = min(shape[1:])
    found = {"optimiser.rate": _around(recipe.optimiser.rate, RATES)}
    if recipe.weight_decay:
        found["weight_decay"] = _around(recipe.weight_decay, DECAYS, MOST_DECAY)
    if not are_numbers:
        found["label_smoothing"] = Dial(recipe.label_smoothing, 0.0, max(MOST_SMOOTHING, recipe.label_smoothing))
    for name, part in (("shift", SHIFTED), ("cutout", CUT)):
        usual = float(getattr(recipe.augment, name))
        if usual or not are_numbers:
            found[f"augment.{name}"] = Dial(usual, 0.0, max(1.0, float(shorter // part), usual), whole=True)
    return found


def turned(recipe: Recipe, changes: Changes) -> Recipe:
    """Return a recipe with some numbers changed, by address. Raises SpecError for what no recipe has or may have."""
    if not changes:
        return recipe
    plain: dict[str, Any] = _recipe.dump_python(recipe, mode="json")
    for address, number in changes.items():
        *path, last = address.split(".")
        place: Any = plain
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict) or not _is_number(place.get(last)) or not isfinite(number):
            raise SpecError(f"recipe.{address} should be {number!r}; it must be a number of the recipe, and finite.")
        if number < 0:
            raise SpecError(f"recipe.{address} should be {number!r}; it must be 0 or more, as all numbers of a recipe.")
        place[last] = int(number) if number == int(number) else number
    try:
        return _recipe.validate_json(json.dumps(plain))
    except ValidationError as error:
        raise SpecError(explain(error, plain)) from None


def _around(usual: float, factors: tuple[float, float], most: float | None = None) -> Dial:
    low, high = (factor * usual for factor in factors)
    return Dial(usual, low, high if most is None else max(usual, min(high, most)), log=True)


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)
