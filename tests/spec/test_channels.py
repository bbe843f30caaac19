"""Labels of channels: which feature each one is, and how those of two networks correspond."""

import numpy as np
import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.channels import Label, labels, matched

CONV, CONCAT, ADD = ops.Conv(2, (1, 1)), ops.Merge("concat"), ops.Merge("add")


def network(*nodes: Node, channels: int = 2) -> Architecture:
    return Architecture((Node("x", ops.Input((channels, 2, 2))), *nodes))


def of(node: str, count: int = 2) -> tuple[Label, ...]:
    return tuple(((node, output),) for output in range(count))


def test_what_has_channels_of_its_own_makes_features():
    found = labels(
        network(Node("a", CONV, ("x",)), Node("p", ops.GlobalPool(), ("a",)), Node("y", ops.Dense(3), ("p",)))
    )
    assert found == {"x": of("x"), "a": of("a"), "p": of("a"), "y": of("y", 3)}


@pytest.mark.parametrize(
    "op",
    [
        ops.BatchNorm(),
        ops.LayerNorm(),
        ops.ResponseNorm(),
        ops.Activation(),
        ops.Identity(),
        ops.Scale(),
        ops.Dropout(0.1),
        ops.DropPath(0.1),
        ops.Pool("max", (2, 2)),
        ops.Depthwise((3, 3)),
        ops.GlobalPool(),
    ],
)
def test_what_treats_channels_alike_passes_features_on(op: ops.Op):
    assert labels(network(Node("a", op, ("x",))))["a"] == of("x")


def test_a_concatenation_puts_features_in_a_row():
    found = labels(network(Node("a", CONV, ("x",)), Node("y", CONCAT, ("a", "x"))))
    assert found["y"] == of("a") + of("x")


def test_a_sum_is_all_that_is_added_and_first_of_all_its_first_input():
    found = labels(network(Node("a", CONV, ("x",)), Node("y", ADD, ("a", "x", "a"))))
    assert found["y"] == ((("a", 0), ("x", 0)), (("a", 1), ("x", 1)))


def test_channels_that_become_several_are_numbered():
    found = labels(network(Node("a", ops.Depthwise((1, 1), multiplier=2), ("x",)), Node("y", ops.Flatten(), ("x",))))
    assert found["a"] == tuple((("x", channel, copy),) for channel in range(2) for copy in range(2))
    assert found["y"] == tuple((("x", channel, place),) for channel in range(2) for place in range(4))


def test_a_copy_is_the_feature_that_it_copies():
    found = labels(network(Node("a", ops.Conv(3, (1, 1)), ("x",))), {"a": (1, None, 0)})
    assert found["a"] == ((("x", 1),), (("a", 1),), (("x", 0),))


def test_features_match_wherever_they_are():
    assert matched(of("b") + of("c") + of("a"), of("a") + of("b")).tolist() == [2, 3, -1, -1, 0, 1]


def test_equal_features_match_in_their_order():
    assert matched(of("a") + of("a") + of("a"), of("a") + of("a")).tolist() == [0, 1, 2, 3, -1, -1]


def test_a_sum_that_lost_or_gained_an_addend_is_the_same_feature():
    both, one, other = ((("a", 0), ("b", 0)),), ((("a", 0),),), ((("b", 0),),)
    assert matched(one, both).tolist() == matched(other, both).tolist() == matched(both, one).tolist() == [0]


def test_an_equal_feature_goes_before_one_that_has_a_part_in_common():
    both, one = ((("a", 0), ("b", 0)),), ((("a", 0),),)
    assert matched(both + one, one).tolist() == [-1, 0]
    assert matched(one + one, both + one).tolist() == [1, 0]


def test_a_sum_with_another_main_path_is_another_feature():
    assert matched(((("new", 0), ("b", 0)),), ((("a", 0), ("b", 0)),)).tolist() == [-1]


def test_nothing_is_found_twice():
    rng = np.random.default_rng(0)
    ours, theirs = (
        tuple(tuple((name, 0) for name in rng.choice(list("abc"), rng.integers(1, 3))) for _ in range(20)) for _ in "12"
    )
    found = matched(ours, theirs)
    known = found[found >= 0]
    assert len(set(known.tolist())) == len(known) > 0
