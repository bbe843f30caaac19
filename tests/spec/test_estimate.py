"""Estimates of latency: weighted sums of counts, the same however a network is counted, and constraints like others."""

import numpy as np
import pytest

from amla.spaces.envelope import envelope
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import constrained
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.constraints import Constraints
from amla.spec.estimate import Estimate, amounts
from amla.spec.values import SpecError

TERMS = {"conv": 700.0, "conv.macs": 0.05, "depthwise": 900.0, "depthwise.macs": 0.2, "merge": 50.0, "bytes": 0.01}


def test_what_computes_nothing_has_no_terms():
    network = Architecture(
        (
            Node("in", ops.Input((2, 4, 4))),
            Node("same", ops.Identity(), ("in",)),
            Node("one", ops.Merge(), ("same",)),
            Node("dropped", ops.Dropout(0.5), ("one",)),
            Node("path", ops.DropPath(0.5), ("dropped",)),
            Node("out", ops.Conv(3, (1, 1)), ("path",)),
        )
    )
    found = amounts(network)
    assert {name: found[name] for name in ("conv", "conv.macs")} == {"conv": 1, "conv.macs": 2 * 3 * 16}
    assert found.keys() == {"conv", "conv.macs", "bytes"}
    assert Estimate(1, 100.0, {"conv": 10.0, "conv.macs": 0.5, "unknown": 9.0}).of(network) == 100 + 10 + 48


def test_negative_terms_are_refused():
    with pytest.raises(SpecError, match=r"conv\.macs is -1"):
        Estimate(1, 0.0, {"conv.macs": -1.0})


def test_a_closing_has_the_same_amounts_counted_before_it_is_made():
    free = nasbench_macro((3, 8, 8), 3)
    space = constrained(free, Constraints(latency=Estimate(10**15, 0.0, TERMS)))
    assert space._tally is not None
    rng = np.random.default_rng(0)
    for _ in range(5):
        decisions = space.draw(rng)
        assert space._tally.amounts(decisions) == amounts(space.close(decisions).trunk)


def test_networks_drawn_are_within_an_estimate():
    rng = np.random.default_rng(0)
    free = nasbench_macro((3, 8, 8), 3)
    estimate = Estimate(1, 5000.0, TERMS)
    middle = sorted(estimate.of(free.sample(rng).trunk) for _ in range(21))[5]
    limit = Estimate(middle, 5000.0, TERMS)
    space = constrained(free, Constraints(latency=limit))
    assert all(limit.of(space.sample(rng).trunk) <= middle for _ in range(20))


def test_envelopes_are_as_wide_as_an_estimate_allows():
    rng = np.random.default_rng(0)
    widths = []
    for at_most in (12_000, 24_000):
        limit = Estimate(at_most, 0.0, TERMS)
        found = envelope((1, 8, 8), 3, width=64, cells=(1,), max_cells=(2,), branches=("1x1", "3x3sep"), latency=limit)
        networks = [found.space.sample(rng) for _ in range(5)]
        assert all(limit.of(network.trunk) <= at_most for network in networks)
        first = found.space.close(found.initial())
        widths.append(sum(amounts(first.trunk)[name] for name in ("conv.macs", "depthwise.macs")))
    assert widths[0] < widths[1]


def test_the_tighter_of_two_estimates_holds():
    tight, loose = Estimate(5, 1.0), Estimate(6, 1.0)
    both = Constraints(latency=loose).tightened(Constraints(10, latency=tight))
    assert both == Constraints(10, latency=tight)
    assert both.given == {"parameters": 10, "latency": 5}
