"""Paths are drawn with the probabilities that the logits say, and the gradient of those is exact."""

from collections import Counter
from itertools import combinations
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.spaces.nasbench201 import nasbench201
from amla.spaces.paths import chances, draw_path, score_function
from amla.spec import ops
from amla.spec.architecture import Architecture, Node


def template(at_least: int, at_most: int, count: int, fixed: int = 0) -> Architecture:
    inputs = tuple(f"a{number}" for number in range(count))
    nodes = (Node("x", ops.Input((2, 8))), *(Node(name, ops.Identity(), ("x",)) for name in inputs))
    return Architecture((*nodes, Node("y", ops.Pick(at_least, at_most, fixed=fixed), inputs)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Architecture, tuple[float, ...]]:
    count = draw(st.integers(1, 5))
    fixed = draw(st.integers(0, count - 1))
    least = draw(st.integers(max(1, fixed), count))
    most = draw(st.integers(least, count))
    logits = draw(st.lists(st.floats(-3, 3), min_size=count - fixed, max_size=count - fixed))
    return template(least, most, count, fixed), tuple(logits)


def probabilities(network: Architecture, logits: tuple[float, ...]) -> dict[tuple[str, ...], float]:
    """Return every set that may be kept, and its probability, by listing them."""
    pick, inputs = network.picks["y"], network["y"].inputs
    fixed, free = inputs[: pick.fixed], inputs[pick.fixed :]
    worth = dict(zip(free, logits, strict=True))
    found = {
        (*fixed, *some): exp(sum(worth[source] for source in some))
        for size in range(pick.at_least - pick.fixed, pick.at_most - pick.fixed + 1)
        for some in combinations(free, size)
    }
    total = sum(found.values())
    return {kept: value / total for kept, value in found.items()}


@settings(deadline=None, max_examples=60)
@given(case=cases())
def test_chances_are_those_of_listing_all_sets(case: tuple[Architecture, tuple[float, ...]]):
    network, logits = case
    listed = probabilities(network, logits)
    free = network["y"].inputs[network.picks["y"].fixed :]
    expected = [sum(chance for kept, chance in listed.items() if source in kept) for source in free]
    assert chances(network, "y", {"y": logits}) == pytest.approx(expected)


@settings(deadline=None, max_examples=40)
@given(case=cases(), seed=st.integers(0, 2**32))
def test_the_gradient_is_that_of_the_logarithm(case: tuple[Architecture, tuple[float, ...]], seed: int):
    network, logits = case
    kept = draw_path(network, np.random.default_rng(seed), {"y": logits}, {})["y"]
    step = 1e-6
    for place, slope in enumerate(score_function(network, "y", kept, {"y": logits})):
        moved = [tuple(v + sign * step * (i == place) for i, v in enumerate(logits)) for sign in (1, -1)]
        above, below = (log(probabilities(network, some)[kept]) for some in moved)
        assert slope == pytest.approx((above - below) / (2 * step), abs=1e-6)


@pytest.mark.parametrize(("least", "most", "count", "fixed"), [(1, 1, 4, 0), (2, 2, 4, 0), (1, 4, 4, 0), (2, 3, 4, 1)])
def test_draws_are_as_likely_as_they_should_be(least: int, most: int, count: int, fixed: int):
    network, rng, draws = template(least, most, count, fixed), np.random.default_rng(0), 4000
    logits = tuple(np.linspace(-1, 1.5, count - fixed).tolist())
    found = Counter(draw_path(network, rng, {"y": logits}, {})["y"] for _ in range(draws))
    expected = probabilities(network, logits)
    assert found.keys() <= expected.keys()
    squares = sum((found[kept] - draws * chance) ** 2 / (draws * chance) for kept, chance in expected.items())
    assert squares < 2 * len(expected) + 20  # chi squared, of which this is far in the tail


def test_extreme_logits_settle_a_pick():
    network = template(1, 1, 3)
    drawn = draw_path(network, np.random.default_rng(0), {"y": (-1e9, 1e9, 0.0)}, {})
    assert drawn == {"y": ("a1",)}


def test_ties_are_decided_with_their_gene():
    space = nasbench201((3, 8, 8), 4, width=4, cells=2)
    path = draw_path(space.template, np.random.default_rng(0), {}, space.tied)
    assert tuple(path) == space.genes
    assert space.read(space.close(path)).items() <= path.items()
