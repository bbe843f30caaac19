"""The law of spaces finds those that break it, and says how."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator

from amla.spaces.envelope import envelope
from amla.spaces.space import Space, SpaceError
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.constraints import Constraints
from amla.testing import check_space

TEMPLATE = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(3,), branches=("1x1", "3x3")).space.template


def twisted(**methods: Callable[..., object]) -> Space:
    """Return a space whose methods are overridden."""
    return type("Twisted", (Space,), methods)(TEMPLATE)


def drawn_backwards(space: Space, rng: Generator) -> dict[str, tuple[str, ...]]:
    return {pick: kept[::-1] for pick, kept in Space.draw(space, rng).items()}


def changed_thrice(space: Space, parent: Architecture, rng: Generator) -> Architecture:
    for _ in range(3):
        parent = Space.mutate(space, parent, rng)
    return parent


def found_nothing(space: Space, parent: Architecture, rng: Generator) -> Architecture:
    raise SpaceError("none found")


def ill_fitting() -> Space:
    """Return a space some of whose members add what cannot be added."""
    wide = Node("wide", ops.Conv(4, (3,)), ("x",))
    return Space(Architecture((Node("x", ops.Input((2, 8))), wide, Node("y", ops.Pick(1, 2), ("x", "wide")))))


def boundless() -> Space:
    """Return a space that says that it has constraints, and accepts anything."""
    return replace(twisted(sample=lambda self, rng: self.close(self.draw(rng))), within=Constraints(1))


@pytest.mark.parametrize(
    ("space", "broken"),
    [
        (twisted(draw=drawn_backwards), "but reads back as"),
        (twisted(sample=lambda self, rng: TEMPLATE), "sample gave an open architecture"),
        (twisted(sample=lambda self, rng: Space.sample(self, np.random.default_rng())), "two different samples"),
        (twisted(mutate=lambda self, parent, rng: parent), "mutate gave its parent"),
        (twisted(mutate=changed_thrice), "should change one decision"),
        (twisted(mutate=found_nothing), "mutate found nothing, though the parent has neighbours"),
        (twisted(neighbours=lambda self, parent: [parent]), "neighbours gave the parent again"),
        (ill_fitting(), "cannot be built: Node 'y'"),
        (boundless(), "beyond the space's constraints: it has .* parameters, where 1 are allowed"),
    ],
)
def test_a_twisted_space_is_found(space: Space, broken: str):
    with pytest.raises(AssertionError, match=broken):
        _check_at_many_places(space)


def _check_at_many_places(space: Space) -> None:
    for seed in range(20):
        check_space(space, seed)
