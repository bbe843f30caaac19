import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.constraints import Constraints, counts
from amla.spec.costs import costs
from amla.spec.estimate import Estimate
from amla.spec.values import SpecError

NETWORK = Architecture(
    (
        Node("x", ops.Input((3, 8, 8))),
        Node("conv", ops.Conv(4, (3, 3)), ("x",)),
        Node("pool", ops.GlobalPool("mean"), ("conv",)),
        Node("aside", ops.Classify(5, auxiliary=0.4), ("pool",)),
        Node("logits", ops.Classify(2), ("pool",)),
    )
)
FOUND = counts(costs(NETWORK))


def test_what_is_counted_is_what_a_network_costs():
    assert Constraints(1, 1, 1).of(NETWORK) == FOUND
    assert Constraints(memory=1).of(NETWORK) == {"memory": FOUND["memory"]}


@pytest.mark.parametrize("name", ["parameters", "macs", "memory"])
def test_a_limit_holds_exactly_up_to_itself(name: str):
    at, below = Constraints(**{name: FOUND[name]}), Constraints(**{name: FOUND[name] - 1})
    assert at.hold(NETWORK)
    assert not at.broken(FOUND)
    assert at.shares(FOUND) == [1.0]
    assert not below.hold(NETWORK)
    assert f"{FOUND[name]:,}" in below.broken(FOUND)
    assert f"{FOUND[name] - 1:,} are allowed" in below.broken(FOUND)


def test_no_limit_always_holds():
    assert not Constraints()
    assert Constraints().hold(NETWORK)
    assert Constraints(macs=1)


def test_both_hold_where_the_tighter_limits_do():
    assert Constraints(10, 20).tightened(Constraints(15, 5, 3)) == Constraints(10, 5, 3)
    assert Constraints().tightened(Constraints(memory=2)) == Constraints(memory=2)


def test_of_two_bounds_on_one_estimate_the_lower_holds_and_two_estimates_are_refused():
    slow, fast = (Constraints(latency=Estimate(most, 5.0, {"conv": 1.0})) for most in (300, 200))
    for one, other in ((slow, fast), (fast, slow)):
        assert one.tightened(other) == fast
        assert one.tightened(Constraints(7)) == Constraints(7, latency=one.latency)
    for unlike in (Estimate(100, 6.0, {"conv": 1.0}), Estimate(900, 5.0, {"conv": 2.0}), Estimate(200)):
        with pytest.raises(SpecError, match="Two constraints estimate latency from other terms"):
            slow.tightened(Constraints(latency=unlike))


def test_what_cannot_be_built_is_told_with_its_node():
    broken = Architecture((Node("x", ops.Input((3, 8, 8))), Node("logits", ops.Classify(2), ("x",))))
    with pytest.raises(SpecError, match="'logits'"):
        Constraints(1).hold(broken)
