"""Picks that decide together, and how many closings there are."""

from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import envelope
from amla.spaces.nasbench201 import EDGES, nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space, SpaceError
from amla.spec import ops
from amla.spec.architecture import Architecture, Node

CELLS = nasbench201((1, 6, 6), 2, width=2, cells=2)


def chain(*picks: ops.Pick, width: int = 2) -> Architecture:
    """Return a chain in which each Pick reads branches of the one before, and earlier ones if it has skips."""
    nodes, last = [Node("x", ops.Input((2, 8)))], "x"
    for number, pick in enumerate(picks):
        branches = [f"b{number}-{branch}" for branch in range(width)]
        nodes += [Node(name, ops.Activation(), (last,)) for name in branches]
        nodes.append(Node(f"p{number}", pick, tuple(branches)))
        last = f"p{number}"
    return Architecture(tuple(nodes))


@st.composite
def templates(draw: st.DrawFn) -> Architecture:
    """Return a small template whose Picks read anything before them, so that some live only now and then."""
    nodes = [Node("x", ops.Input((2, 8)))]
    for number in range(draw(st.integers(1, 6))):
        earlier = [node.id for node in nodes]
        sources = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3, unique=True))
        if draw(st.booleans()):
            least = draw(st.integers(1, len(sources)))
            pick = ops.Pick(least, draw(st.integers(least, len(sources))), fixed=draw(st.integers(0, least)))
            nodes.append(Node(f"p{number}", pick, tuple(sources)))
        else:
            nodes.append(Node(f"n{number}", ops.Activation(), (sources[0],)))
    last = tuple(node.id for node in nodes)[-3:]
    return Architecture((*nodes, Node("y", ops.Pick(1, min(2, len(last))), last)))


def listed(space: Space) -> set[Architecture]:
    """Return every closing, made one by one."""

    def choices(gene: str) -> list[tuple[str, ...]]:
        pick, inputs = space.template.picks[gene], space.template[gene].inputs
        subsets = [kept for count in range(pick.at_least, pick.at_most + 1) for kept in combinations(inputs, count)]
        return [kept for kept in subsets if set(inputs[: pick.fixed]) <= set(kept)]

    every = product(*(choices(gene) for gene in space.genes))
    return {space.close(dict(zip(space.genes, kept, strict=True))) for kept in every}


@given(templates())
@settings(deadline=None, max_examples=60)
def test_the_size_is_the_number_of_closings(template: Architecture):
    space = Space(template)
    assert space.size == len(listed(space))


def test_sizes_are_those_published():
    assert CELLS.size == 5**6 == 15_625
    assert nasbench_macro((3, 32, 32), 10).size == 3**8 == 6_561
    cell = 49**4 * 1 * 3 * 6 * 10  # two of the earlier values for each node, an operation for each edge
    assert darts((3, 32, 32), 10, width=4, cells=8).size == cell**2
    assert enas_macro((3, 32, 32), 10, width=4).size == 6**12 * 2**66


def test_the_size_of_envelopes_counts_their_depth():
    space = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(3,), branches=("1x1", "3x3")).space
    assert space.size == 3 + 3**2 * 2 + 3**3 * 2 * 4  # branches of each cell, and skips of those after the first
    assert space.size == len(listed(space))


def test_ways_without_number_are_not_counted():
    nodes = [Node("x", ops.Input((2, 8)))]
    for number in range(40):
        nodes.append(Node(f"p{number}", ops.Pick(1, min(number + 1, 3)), tuple(node.id for node in nodes)))
    assert Space(Architecture(tuple(nodes))).size is None


def test_tied_picks_keep_inputs_at_the_same_places():
    space = Space(chain(ops.Pick(), ops.Pick(), ops.Pick()), tied={"p1": "p0"})
    assert space.genes == ("p0", "p2")
    assert space.size == 4
    closed = space.close({"p0": ("b0-1",), "p2": ("b2-0",)})
    assert closed["p1"].inputs == ("b1-1",)
    assert space.read(closed) == {"p0": ("b0-1",), "p2": ("b2-0",)}
    assert len(listed(space)) == 4


def test_tied_picks_share_widths_too():
    wide = [Node(f"b{i}-{j}", ops.Conv(None, (1,)), ("x" if not i else "p0",)) for i in range(2) for j in range(2)]
    pick = ops.Pick(1, 2, "concat", width=5)
    nodes = (Node("x", ops.Input((2, 8))), *wide[:2], Node("p0", pick, ("b0-0", "b0-1")))
    space = Space(Architecture((*nodes, *wide[2:], Node("p1", pick, ("b1-0", "b1-1")))), tied={"p0": "p1"})
    closed = space.close({"p1": ("b1-0", "b1-1")})
    assert [closed[name].op.channels for name in ("b0-0", "b0-1", "b1-0", "b1-1")] == [3, 2, 3, 2]
    assert space.read(closed) == {"p1": ("b1-0", "b1-1")}


@pytest.mark.parametrize(
    ("tied", "words"),
    [
        ({"p0": "p7"}, "'p7' is no Pick"),
        ({"b0-0": "p0"}, "'b0-0' is no Pick"),
        ({"p0": "p1", "p1": "p2"}, "itself not tied"),
        ({"p0": "p2"}, "a like Pick"),
    ],
)
def test_ties_that_cannot_be_are_refused(tied: dict[str, str], words: str):
    with pytest.raises(SpaceError, match=words):
        Space(chain(ops.Pick(), ops.Pick(), ops.Pick(1, 2)), tied=tied)


def test_a_mutation_changes_all_cells_alike():
    rng = np.random.default_rng(0)
    parent = CELLS.sample(rng)
    child = CELLS.mutate(parent, rng)
    for network in (parent, child):
        kept = [{network[f"stage{s}/cell{c}/{a}-{b}"].inputs[0].rsplit("/")[-1] for s in range(3) for c in range(2)}
                for a, b in EDGES]  # fmt: skip
        assert all(len(operations) == 1 for operations in kept)
    before, after = CELLS.read(parent), CELLS.read(child)
    assert sum(before[gene] != after[gene] for gene in CELLS.genes) == 1


def test_a_cell_has_a_neighbour_for_every_other_operation_of_every_edge():
    assert len(set(CELLS.neighbours(CELLS.sample(np.random.default_rng(0))))) == 6 * 4


def test_even_draws_give_every_subset_the_same_chance():
    space, rng = Space(chain(ops.Pick(1, 4), width=4), even=True), np.random.default_rng(0)
    drawn = Counter(space.draw(rng)["p0"] for _ in range(6000))
    assert len(drawn) == 15
    assert all(abs(count - 400) < 5 * 400**0.5 for count in drawn.values())


def test_any_two_edges_of_a_node_of_darts_are_as_likely_as_any_other_two():
    space, rng = darts((1, 4, 4), 2, width=1, cells=3, stem=1), np.random.default_rng(0)
    drawn = Counter(space.draw(rng)["cell2/node1"] for _ in range(600))
    assert len(drawn) == 3
    assert all(abs(count - 200) < 5 * 200**0.5 for count in drawn.values())


def test_closings_are_made_once():
    decisions = CELLS.draw(np.random.default_rng(0))
    assert CELLS.close(decisions) is CELLS.close(dict(reversed(decisions.items())))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("amla.spaces.space.MOST_NODES", 3 * len(CELLS.template))
    space, rng = Space(CELLS.template, tied=CELLS.tied), np.random.default_rng(0)
    for _ in range(20):
        network = space.sample(rng)
        assert space.close(space.read(network)) == network
    assert len(space._closed) <= 4
