"""Numbers are written for people."""

import pytest

from amla.reports.numbers import (
    count,
    duration,
    extent,
    interval,
    metric_reading,
    percent,
    plural,
    reading,
    size,
    whole,
)


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (93228, "93.2 k"),
        (38_142_592, "38.1 M"),
        (999_600, "1.00 M"),
        (3e9, "3.00 G"),
        (2e12, "2.00 T"),
    ],
)
def test_counts(number: float, text: str) -> None:
    assert plain(count(number)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.05, "0.1 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert plain(duration(seconds)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.1234, "0.123"),
        (-0.5, "−0.500"),
        (1e-5, "1.0e−5"),
        (25.08, "25.1"),
        (12345, "12345"),
        (float("nan"), "–"),
    ],
)
def test_readings(number: float, text: str) -> None:
    assert reading(number) == text


def test_shares_sizes_and_shapes() -> None:
    assert plain(percent(0.98345)) == "98.3 %"
    assert percent(float("nan")) == "–"
    assert plain(interval(0.98, 0.985)) == "98.0–98.5 %"
    assert plain(whole(10000)) == "10 000"
    assert plain(size(393216)) == "384 KiB"
    assert size(5e9).startswith("4.66")
    assert plain(extent((32, 16, 16))) == "32 × 16×16"
    assert extent((10,)) == "10"
    assert plural(1, "construction") == "1 construction"
    assert plural(6, "construction") == "6 constructions"


def test_an_accuracy_is_a_share_and_a_loss_is_not() -> None:
    assert plain(metric_reading("accuracy", 0.5)) == "50.0 %"
    assert metric_reading("loss", 0.5) == "0.500"
