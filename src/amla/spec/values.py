"""Values: frozen dataclasses whose JSON form is derived from their types, and read strictly."""

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import BeforeValidator, PlainSerializer

T = TypeVar("T")

_BEYOND_JSON = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _number_from_json(given: Any) -> Any:
    return float(given) if given in _BEYOND_JSON.values() else given


def _number_to_json(number: float) -> float | str:
    return float(number) if isfinite(number) else _BEYOND_JSON[str(float(number))]


Number = Annotated[
    float, BeforeValidator(_number_from_json), PlainSerializer(_number_to_json, when_used="json")
]  # a float that may be NaN or infinite, of which JSON knows nothing: it then holds "NaN", "Infinity" or "-Infinity"


MANY = 8  # of a list that are told in a message


class SpecError(ValueError):
    """An architecture, or a text that should be one, that breaks a rule of the specification."""


def listed(items: Collection[Any]) -> str:
    """Return a list as messages tell it: its first ones, and how many more there are."""
    first = ", ".join(map(repr, islice(items, MANY)))
    return f"[{first}, ... and {len(items) - MANY:,} more]" if len(items) > MANY else f"[{first}]"


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass. Its JSON is read strictly: an unknown field or a wrong type is an error."""
    frozen = dataclass(frozen=True)(cls)
    frozen.__pydantic_config__ = {"extra": "forbid", "strict": True}  # type: ignore[attr-defined]
    return frozen
