"""Closing one template many times gives what closing it once does."""

import pickle

import numpy as np
import pytest

from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import envelope
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.paths import for_all
from amla.spaces.space import Space
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.closing import Closing, is_plain
from amla.spec.decisions import close
from amla.spec.values import SpecError


def headed() -> Space:
    """Return a space in which an auxiliary head may lose what it reads."""
    x, pool = Node("x", ops.Input((2, 8))), Node("pool", ops.GlobalPool(), ("a",))
    branches = [Node(name, ops.Activation(), ("x",)) for name in ("a", "b")]
    ends = [Node("head", ops.Classify(2, auxiliary=0.5), ("pool",)), Node("y", ops.Pick(1, 2), ("a", "b"))]
    return Space(Architecture((x, *branches, pool, *ends)))


SPACES = {
    "cells": nasbench201((1, 6, 6), 2, width=2, cells=2),
    "cells with a head": darts((1, 8, 8), 2, width=2, cells=4, stem=1),
    "skips": enas_macro((1, 6, 6), 2, width=2, layers=4),
    "a head that goes": headed(),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
def test_both_ways_of_closing_agree(space: Space):
    closing, rng, found = Closing(space.template, space.tied), np.random.default_rng(0), set()
    for _ in range(20):
        decisions = space.draw(rng)
        closed, living = closing.close(decisions)
        once = close(space.template, for_all(space.template, decisions, space.tied))
        assert closed == once
        assert set(living) == set(space.template.picks) & {node.id for node in once}
        found.add(closed)
    assert len(found) > 1


@pytest.mark.parametrize("decisions", [{}, {"y": ()}, {"y": ("x",)}, {"y": ("a", "a")}])
def test_what_may_not_be_kept_is_refused_in_the_same_words(decisions: dict[str, tuple[str, ...]]):
    template = headed().template
    with pytest.raises(SpecError) as once:
        close(template, decisions)
    with pytest.raises(SpecError) as many:
        Closing(template, {}).close(decisions)
    assert str(once.value) == str(many.value)


def test_templates_with_shares_are_not_plain():
    assert not is_plain(envelope((1, 6, 6), 2, width=6).space.template)
    assert all(is_plain(space.template) for space in SPACES.values())


def test_a_pickled_network_is_the_same_without_its_caches():
    network = SPACES["cells"].sample(np.random.default_rng(0))
    again = pickle.loads(pickle.dumps(network))  # noqa: S301 - our own
    assert (again, hash(again)) == (network, hash(network))
    assert "_hash" not in pickle.loads(pickle.dumps(network)).__dict__  # noqa: S301
