from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from amla.spaces.space import Space, SpaceError
from amla.spec import ops
from amla.spec.architecture import Architecture, Node

NAMES = ("a", "b", "c", "d")


def space(accepts: object = None, **rules: int) -> Space:
    """Return a space with one decision: which of four nodes a Pick keeps."""
    nodes = [Node(name, ops.Identity(), ("x",)) for name in NAMES]
    template = Architecture((Node("x", ops.Input((2, 8))), *nodes, Node("pick", ops.Pick(**rules), NAMES)))
    return Space(template, accepts) if accepts else Space(template)


def kept(architecture: Architecture) -> str:
    return "".join(architecture["pick"].inputs)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_draws_are_uniform_over_counts_then_over_subsets():
    found, generator = space(at_least=1, at_most=3), rng()
    draws = Counter("".join(found.draw(generator)["pick"]) for _ in range(6000))
    for count in (1, 2, 3):
        subsets = ["".join(names) for names in combinations(NAMES, count)]
        for subset in subsets:
            expected = 6000 / 3 / len(subsets)
            assert abs(draws[subset] - expected) < 5 * expected**0.5


def test_draws_keep_what_is_fixed():
    fixed, generator = space(at_least=2, at_most=3, fixed=2), rng()
    drawn = {"".join(fixed.draw(generator)["pick"]) for _ in range(100)}
    assert drawn == {"ab", "abc", "abd"}


def test_the_fullest_keeps_the_first_as_many_as_allowed():
    assert space(at_least=1, at_most=3).fullest() == {"pick": ("a", "b", "c")}


def test_neighbours_are_one_input_away():
    found = space(at_least=1, at_most=2)
    assert sorted(map(kept, found.neighbours(found.close({"pick": ("a",)})))) == ["ab", "ac", "ad", "b", "c", "d"]
    assert sorted(map(kept, found.neighbours(found.close({"pick": ("a", "c")})))) == ["a", "ab", "ad", "bc", "c", "cd"]


def test_neighbours_leave_what_is_fixed():
    found = space(at_least=1, at_most=2, fixed=1)
    assert sorted(map(kept, found.neighbours(found.close({"pick": ("a", "b")})))) == ["a", "ac", "ad"]


def test_mutations_reach_every_neighbour():
    found = space(at_least=1, at_most=2)
    parent, generator = found.close({"pick": ("a", "c")}), rng()
    mutated = {found.mutate(parent, generator) for _ in range(200)}
    assert mutated == set(found.neighbours(parent))


def test_only_what_is_accepted_is_given():
    found = space(lambda architecture: "d" in architecture["pick"].inputs, at_least=1, at_most=2)
    generator = rng()
    parent = found.sample(generator)
    assert all("d" in kept(found.sample(generator)) for _ in range(20))
    assert all("d" in kept(child) for child in found.neighbours(parent))
    assert all("d" in kept(found.mutate(parent, generator)) for _ in range(20))


def test_a_space_without_members_says_so():
    with pytest.raises(SpaceError, match="None of 1000 random architectures was accepted; loosen"):
        space(lambda architecture: False).sample(rng())


def test_a_space_of_one_cannot_be_mutated():
    alone = space(at_least=4, at_most=4)
    with pytest.raises(SpaceError, match="a single architecture; there is nothing to mutate"):
        alone.mutate(alone.sample(rng()), rng())
    assert list(alone.neighbours(alone.sample(rng()))) == []


def test_a_parent_whose_neighbours_are_refused_cannot_be_mutated():
    found = space(lambda architecture: kept(architecture) == "a")
    with pytest.raises(SpaceError, match="None of 1000 mutations was accepted; loosen"):
        found.mutate(found.close({"pick": ("a",)}), rng())


def test_picks_that_come_alive_are_decided():
    inner = ops.Pick(1, 2)
    template = Architecture(
        (
            Node("x", ops.Input((2, 8))),
            Node("a", ops.Identity(), ("x",)),
            Node("inner", inner, ("x", "a")),
            Node("outer", ops.Pick(), ("a", "inner")),
        )
    )
    found = Space(template)
    parent, generator = found.close({"outer": ("a",)}), rng()
    assert {found.mutate(parent, generator)["inner"].inputs for _ in range(50)} == {("x",), ("a",), ("x", "a")}
    assert [child["inner"].inputs for child in found.neighbours(parent)] == [("x", "a")]
