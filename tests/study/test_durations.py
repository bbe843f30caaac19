"""Times as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.study.durations import MOST, seconds
from amla.study.study import StudyError


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1d", 86400),
        ("1.5h", 5400),
        ("0.5s", 0.5),
        (" 10M ", 600),
        ("3650d", MOST),
    ],
)
def test_a_time_is_the_sum_of_its_parts(written: str, meant: float):
    assert seconds(written) == meant


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_every_unit_counts_wherever_it_stands(hours: int, minutes: int, rest: int):
    assert seconds(f"{hours}h{minutes}m{rest}s") == seconds(f"{rest}s{hours}h{minutes}m")
    assert seconds(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest


@pytest.mark.parametrize(
    "written",
    ["", " ", "10", "m", "soon", "-5m", "+5m", "1h 30m", "1,5h", "1e3s", ".5s", "5.s", "10ms", "10m!", "1h30"],
)
def test_what_is_no_time_is_quoted_beside_examples(written: str):
    with pytest.raises(StudyError) as raised:
        seconds(written)
    assert str(raised.value) == f"{written!r} is no time; write for example 90s, 10m, 2h or 1h30m."


@pytest.mark.parametrize("written", ["0s", "0h0m", "3651d", "9" * 400 + "d"])
def test_no_time_at_all_and_more_than_anybody_waits_are_refused(written: str):
    with pytest.raises(StudyError, match="more than 0 and less than ten years"):
        seconds(written)
