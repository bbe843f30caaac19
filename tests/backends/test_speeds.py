"""What is derived from measurements: rates, roofs, and how far from its floor a network is."""

import pytest

from amla.backends.bench import NetworkSpeed, Pass, Product, Rate, Roof, Speed, Stream, Times
from amla.spec import ops
from amla.spec.traffic import Work


def times(seconds: float) -> Times:
    return Times(seconds, seconds / 2, 2 * seconds, seconds, goes=3)


def rate(best: float) -> Rate:
    return Rate(best / 2, best, best / 4, best / 2)


ROOF = Roof(
    1,
    (Product("matrix", 256, rate(80)), Product("matrix", 512, rate(90)), Product("convolution", 256, rate(100))),
    (Stream("copy", 1 << 20, rate(8)), Stream("triad", 1 << 20, rate(10))),
)
CONV = Pass(Work(2_000_000_000, 10_000_000), times(0.04))
RELU = Pass(Work(1_000_000, 8_000_000), times(0.001))


def test_a_rate_is_billions_a_second_of_each_clock():
    assert Rate.of(2e9, times(0.5)) == Rate(4, 8, 2, 4)


def test_a_roof_is_the_best_that_was_measured():
    assert (ROOF.peak, ROOF.matrix.size, ROOF.bandwidth, ROOF.stream.kind, ROOF.ridge) == (100, 512, 10, "triad", 10)


def test_a_pass_is_bound_by_whatever_takes_longer():
    assert (CONV.intensity, CONV.rate) == (200, pytest.approx(50))
    assert not CONV.is_bound_by_memory(ROOF)
    assert CONV.floor(ROOF) == pytest.approx(0.02)
    assert RELU.throughput == pytest.approx(8)
    assert RELU.is_bound_by_memory(ROOF)
    assert RELU.floor(ROOF) == pytest.approx(0.0008)


def test_a_network_sums_up_all_of_its_nodes():
    shape = (4, 8, 8)
    conv = Speed(ops.Conv(4, (3, 3)), (shape,), shape, ("a", "b"), CONV, CONV)
    relu = Speed(ops.Activation(), (shape,), shape, ("c",), RELU, None)
    view = Speed(ops.Flatten(), (shape,), (256,), ("d",), None, None)
    found = NetworkSpeed("cpu", "p", "l", 64, ROOF, (conv, relu, view), times(0.1))
    assert (conv.seconds, relu.seconds, view.seconds) == (pytest.approx(0.16), pytest.approx(0.001), 0)
    assert conv.work == Work(4_000_000_000, 20_000_000)
    assert found.seconds == pytest.approx(0.161)
    assert found.work == Work(8_001_000_000, 48_000_000)
    assert found.arithmetic_floor == pytest.approx(0.08001)
    assert found.floor == pytest.approx(4 * 0.02 + 0.0008)
