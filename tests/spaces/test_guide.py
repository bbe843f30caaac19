"""What is drawn within constraints: as at random where costs are sums, quickly, and never beyond."""

from collections import Counter
from functools import cache
from itertools import product

import numpy as np
import pytest

from amla.spaces.envelope import envelope
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space, SpaceError, constrained
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.constraints import Constraints

MACRO = nasbench_macro((3, 8, 8), 2, width=2, last=4)
ONE = Constraints(1, 1, 1)
FEW = ("1x1", "3x3sep")


@cache
def everything() -> dict[Architecture, int]:
    """Return the parameters of all 6,561 networks."""
    inputs = [MACRO.template[gene].inputs for gene in MACRO.genes]
    networks = [MACRO.close({g: (i,) for g, i in zip(MACRO.genes, kept, strict=True)}) for kept in product(*inputs)]
    return {network: ONE.of(network)["parameters"] for network in networks}


def limited(share: float) -> tuple[Space, set[Architecture]]:
    """Return the networks of fewest parameters: the space, and a list of them."""
    found = everything()
    limit = sorted(found.values())[int(share * len(found))]
    return constrained(MACRO, Constraints(limit)), {network for network, number in found.items() if number <= limit}


def test_where_costs_are_sums_every_network_within_is_drawn_as_often():
    space, within = limited(0.004)
    rng = np.random.default_rng(0)
    drawn = Counter(space.sample(rng) for _ in range(40 * len(within)))
    assert set(drawn) <= within
    chances = np.array([drawn[network] for network in within])
    assert (chances > 0).mean() > 0.9
    assert chances.std() < 2.5 * 40**0.5  # of 40 each by chance: 40 ** 0.5, and some for those at the brim


def test_the_smallest_and_the_largest_are_found():
    guide = limited(0.01)[0].guide
    numbers = everything().values()
    assert guide.counted(guide.smallest) == {"parameters": min(numbers)}
    assert guide.counted(guide.largest) == {"parameters": max(numbers)}


def test_the_same_rng_draws_the_same_whatever_was_drawn_before():
    fresh, used = limited(0.01)[0], limited(0.01)[0]
    for seed in range(5):
        used.sample(np.random.default_rng(seed))
    assert fresh.sample(np.random.default_rng(9)) == used.sample(np.random.default_rng(9))


def test_few_networks_are_counted_for_one_that_is_rare(monkeypatch: pytest.MonkeyPatch):
    space, within = limited(0.002)
    seen, counted = list[object](), Space.counted
    space.guide.sample(np.random.default_rng(0))  # learns
    monkeypatch.setattr(Space, "counted", lambda of, decisions: seen.append(decisions) or counted(of, decisions))
    rng = np.random.default_rng(1)
    assert all(space.sample(rng) in within for _ in range(100))
    assert 100 <= len(seen) < 1000


def test_what_is_repaired_keeps_what_it_can():
    space, within = limited(0.2)
    rng, kept = np.random.default_rng(0), 0
    for _ in range(50):
        decisions = MACRO.draw(rng)
        network = space.nearest(decisions, rng)
        assert network in within
        kept += sum(decisions[gene] == space.read(network)[gene] for gene in space.genes)
        if MACRO.close(decisions) in within:
            assert network == MACRO.close(decisions)
    assert kept > 50 * len(space.genes) / 2


def test_mutations_and_neighbours_are_those_that_are_within():
    space, within = limited(0.01)
    rng = np.random.default_rng(0)
    parent = space.sample(rng)
    around = set(space.neighbours(parent))
    assert around == {network for network in MACRO.neighbours(parent) if network in within}
    assert {space.mutate(parent, rng) for _ in range(300)} == around


@pytest.mark.parametrize("name", ["parameters", "macs", "memory"])
def test_what_nothing_meets_is_told_with_the_smallest_network(name: str):
    space = constrained(MACRO, Constraints(**{name: 2}))
    least = min(ONE.of(network)[name] for network in everything())
    with pytest.raises(SpaceError, match=rf"the smallest one found has {least:,} .*where 2 are allowed"):
        space.sample(np.random.default_rng(0))


def test_a_limit_of_memory_that_a_sum_does_not_tell_is_kept():
    rng = np.random.default_rng(0)
    space = constrained(MACRO, Constraints(memory=sorted(ONE.of(MACRO.sample(rng))["memory"] for _ in range(200))[2]))
    assert all(space.within.hold(space.sample(rng)) for _ in range(30))


def test_inputs_that_come_alive_keep_less_where_all_would_be_too_much():
    wide = [Node(f"w{n}", ops.Conv(8, (1,)), ("x",)) for n in range(3)]
    inner = Node("inner", ops.Pick(1, 3), tuple(node.id for node in wide))
    nodes = (Node("x", ops.Input((8, 4))), *wide, inner, Node("outer", ops.Pick(), ("x", "inner")))
    space = constrained(Space(Architecture(nodes)), Constraints(64))
    parent = space.close({"outer": ("x",)})
    (neighbour,) = space.neighbours(parent)
    assert len(neighbour["inner"].inputs) == 1
    assert len(space.mutate(parent, np.random.default_rng(0))["inner"].inputs) == 1


def test_nothing_beyond_its_constraints_begins_a_search_in_envelopes():
    for limit in (None, 3000, 1000, 400, 200):
        found = envelope((3, 8, 8), 3, width=20, cells=(2, 2), max_cells=(3, 3), branches=FEW, parameters=limit)
        beginning = found.beginning()
        assert beginning is not None
        network = found.space.close(beginning)
        assert found.space.accepts(network)
        assert limit is None or limit < 1000 or beginning == found.initial()
    assert envelope((3, 8, 8), 3, width=20, cells=(2,), max_cells=(3,), branches=FEW, parameters=50).beginning() is None
