from dataclasses import FrozenInstanceError
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from amla.spec.values import Number, value

number = TypeAdapter(Number)


@value
class Reading:
    of: str
    worth: Number
    count: int = 0


readings = TypeAdapter(tuple[Reading, ...])


def test_a_value_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Reading("a", 1.0).of = "b"


@given(st.floats(allow_nan=False))
def test_numbers_survive_json(written: float):
    assert number.validate_json(number.dump_json(written)) == written


@pytest.mark.parametrize(("written", "text"), [(nan, b'"NaN"'), (inf, b'"Infinity"'), (-inf, b'"-Infinity"')])
def test_numbers_that_json_lacks_are_written_as_text(written: float, text: bytes):
    assert number.dump_json(written) == text
    assert repr(number.validate_json(text)) == repr(written)


def test_numbers_that_json_lacks_survive_within_values():
    found = readings.validate_json(readings.dump_json((Reading("a", nan), Reading("b", -inf))))
    assert isnan(found[0].worth)
    assert found[1] == Reading("b", -inf)


@pytest.mark.parametrize(
    "text",
    [
        '[{"of": "a", "worth": "1.5"}]',  # text for a number
        '[{"of": "a", "worth": "nan"}]',  # only as it is written
        '[{"of": "a", "worth": null}]',
        '[{"of": "a", "worth": [1]}]',
        '[{"of": "a", "worth": 1, "count": 1.0}]',  # a float for an integer
        '[{"of": 1, "worth": 1}]',
        '[{"of": "a", "worth": 1, "more": 1}]',  # unknown
        '[{"of": "a"}]',
    ],
)
def test_json_is_read_strictly(text: str):
    with pytest.raises(ValidationError):
        readings.validate_json(text)
