"""Every space reads back what it closes, and gives nothing that is not in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import envelope
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space, constrained
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.testing import check_space

FEW = ("1x1", "3x3sep")


def limited() -> Space:
    space = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(3,), branches=FEW).space
    return Space(space.template, lambda architecture: costs(architecture).parameters <= 150)


def nested() -> Space:
    """Return a space of picks within picks, some of which come and go."""
    nodes = [Node("x", ops.Input((2, 8)))]
    for number in range(1, 5):
        nodes.append(Node(f"n{number}", ops.Activation(), (nodes[-1].id,)))
        earlier = tuple(node.id for node in nodes if node.id[0] != "p")
        nodes.append(Node(f"p{number}", ops.Pick(1, 2), earlier))
    picks = tuple(f"p{number}" for number in range(1, 5))
    return Space(Architecture((*nodes, Node("y", ops.Pick(1, 3, "concat"), picks))))


def single() -> Space:
    node = Node("y", ops.Pick(2, 2), ("x", "a"))
    return Space(Architecture((Node("x", ops.Input((2, 8))), Node("a", ops.Identity(), ("x",)), node)))


def rare(space: Space, name: str, share: float = 0.01) -> Space:
    """Return the networks of a space that have no more of one count than so few have."""
    rng, names = np.random.default_rng(0), {"parameters": 1, "macs": 1, "memory": 1}
    every = Constraints(**names)
    found = sorted(every.of(space.close(space.draw(rng)))[name] for _ in range(300))
    return constrained(space, Constraints(**{name: found[int(share * 300)]}))


SPACES = {
    "few parameters": rare(nasbench_macro((3, 8, 8), 2, width=2, last=4), "parameters"),
    "little memory": rare(enas_macro((2, 6, 6), 3, width=2, layers=5), "memory"),
    "few operations": rare(darts((3, 8, 7), 3, width=2, cells=4, stem=1), "macs"),
    "few operations in envelopes": rare(
        envelope((3, 6, 6), 3, width=5, cells=(1, 2), max_cells=(2, 3), branches=FEW).space, "macs"
    ),
    "narrow": envelope(
        (3, 8, 8), 3, width=40, cells=(1, 2), max_cells=(2, 3), branches=FEW, parameters=150, memory=3000
    ).space,
    "pools": envelope(
        (3, 8, 8), 3, width=4, growth=(1, 2.5), skeleton="pools", cells=(1, 2), max_cells=(3, 3), branches=FEW
    ).space,
    "as wide as it may": envelope(
        (3, 8, 8), 3, width=40, cells=(1, 2), max_cells=(2, 3), branches=FEW, macs=60_000, parameters=4_000
    ).space,
    "series": envelope((2, 9), 2, width=4, cells=(1,), max_cells=(3,), branches=("3", "5sep")).space,
    "images": envelope((3, 6, 6), 3, width=5, cells=(1, 2), max_cells=(2, 3), branches=FEW).space,
    "volumes": envelope((1, 4, 5, 6), 2, width=4, cells=(2,), max_cells=(2,), branches=FEW, skips="concat").space,
    "no skips": envelope((3, 6, 6), 3, width=4, cells=(1,), max_cells=(3,), branches=FEW, skips="none").space,
    "dropout": envelope((3, 6, 6), 3, width=4, cells=(1,), max_cells=(3,), branches=FEW, dropout=0.1).space,
    "limited": limited(),
    "nested": nested(),
    "nasbench201": nasbench201((1, 5, 6), 3, width=2, cells=2),
    "nasbench_macro": nasbench_macro((3, 8, 8), 2, width=2, last=4),
    "darts": darts((3, 8, 7), 3, width=2, cells=4, stem=1),
    "enas_macro": enas_macro((2, 6, 6), 3, width=2, layers=5),
    "single": single(),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_spaces(space: Space, seed: int):
    check_space(space, seed)
