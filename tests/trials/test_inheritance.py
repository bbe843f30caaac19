"""What a network that was made from a trained one begins with, array by array."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from amla.backends.initial import initial
from amla.spaces.envelope import Envelope, envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials.inheritance import Inheritance

Array = NDArray[np.generic]
BRANCHES = ("1x1", "3x3", "5x5sep")


def chain(*middle: tuple[str, ops.Op], shape: tuple[int, ...] = (2, 4, 4)) -> Architecture:
    """Return an input, one node after another, a pool over all places, and a classifier."""
    nodes = [Node("x", ops.Input(shape))]
    for name, op in (*middle, ("pool", ops.GlobalPool()), ("y", ops.Classify(2))):
        nodes.append(Node(name, op, (nodes[-1].id,)))
    return Architecture(tuple(nodes))


def between(parent: Architecture, child: Architecture) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """Return the weights of the parent, fresh ones of the child, and those that the child has from the parent."""
    trained, fresh = initial(parent, 0), initial(child, 1)
    return trained, fresh, Inheritance(parent, child).weights(trained, fresh)


def conv(channels: int, size: int = 3, **more: object) -> ops.Conv:
    return ops.Conv(channels, (size, size), **more)  # type: ignore[arg-type]


def space(skips: str = "add", cells: int = 1) -> Envelope:
    return envelope((3, 8, 8), 4, width=9, cells=(cells,), max_cells=(4,), branches=BRANCHES, skips=skips)  # type: ignore[arg-type]


def deep(found: Envelope, cells: int, **kept: tuple[str, ...]) -> Architecture:
    """Return the network of so many cells; `kept` are the branches of some, such as cell0."""
    depth = {"stage0": (f"stage0/cell{cells - 1}",)}
    said = {f"stage0/{cell}": tuple(f"stage0/{cell}/{branch}" for branch in of) for cell, of in kept.items()}
    return found.space.close({**found.space.fullest(), **depth, **said})


def test_the_same_network_has_the_same_weights():
    network = deep(space(), 2)
    trained, _, found = between(network, network)
    assert all(np.array_equal(trained[name], found[name]) for name in trained)
    assert found.keys() == trained.keys()


def test_outputs_that_are_new_are_fresh_and_inputs_that_are_new_are_not_read():
    trained, fresh, found = between(
        chain(("a", conv(3)), ("n", ops.BatchNorm()), ("b", conv(4, bias=True))),
        chain(("a", conv(5)), ("n", ops.BatchNorm()), ("b", conv(6, bias=True))),
    )
    assert np.array_equal(found["a.kernel"][:3], trained["a.kernel"])
    assert np.array_equal(found["a.kernel"][3:], fresh["a.kernel"][3:])
    assert np.array_equal(found["b.kernel"][:4, :3], trained["b.kernel"])
    assert not found["b.kernel"][:4, 3:].any()
    assert np.array_equal(found["b.kernel"][4:], fresh["b.kernel"][4:])
    assert np.array_equal(found["y.kernel"][:, :4], trained["y.kernel"])
    assert not found["y.kernel"][:, 4:].any()


def test_a_network_made_narrower_keeps_what_is_left():
    trained, _, found = between(chain(("a", conv(5)), ("b", conv(4))), chain(("a", conv(3)), ("b", conv(2))))
    assert np.array_equal(found["a.kernel"], trained["a.kernel"][:3])
    assert np.array_equal(found["b.kernel"], trained["b.kernel"][:2, :3])
    assert np.array_equal(found["y.kernel"], trained["y.kernel"][:, :2])


def test_what_belongs_to_channels_follows_them():
    def network(*branches: str) -> Architecture:
        return Architecture(
            (
                Node("x", ops.Input((2, 4, 4))),
                *(Node(branch, conv(2), ("x",)) for branch in branches),
                Node("cat", ops.Merge("concat"), branches),
                Node("n", ops.BatchNorm(), ("cat",)),
                Node("d", ops.Depthwise((3, 3), multiplier=2, bias=True), ("n",)),
                Node("f", ops.Flatten(), ("d",)),
                Node("y", ops.Classify(2), ("f",)),
            )
        )

    parent, child = network("a", "b"), network("b", "c")
    trained = {
        name: np.arange(array.size, dtype=np.float32).reshape(array.shape) for name, array in initial(parent, 0).items()
    }
    fresh = initial(child, 1)
    found = Inheritance(parent, child).weights(trained, fresh)
    for role in ("scale", "shift", "mean", "variance"):
        assert found[f"n.{role}"][:2].tolist() == [2, 3]
        assert np.array_equal(found[f"n.{role}"][2:], fresh[f"n.{role}"][2:])
    for role in ("kernel", "bias"):
        assert np.array_equal(found[f"d.{role}"][:4], trained[f"d.{role}"][4:])
        assert np.array_equal(found[f"d.{role}"][4:], fresh[f"d.{role}"][4:])
    assert np.array_equal(found["y.kernel"][:, : 4 * 16], trained["y.kernel"][:, 4 * 16 :])
    assert not found["y.kernel"][:, 4 * 16 :].any()


def test_a_window_of_another_size_begins_afresh():
    _, fresh, found = between(chain(("a", conv(3, 3))), chain(("a", conv(3, 5))))
    assert np.array_equal(found["a.kernel"], fresh["a.kernel"])


def test_groups_are_kept_only_whole():
    three, four = conv(4, groups=2), conv(4, groups=2)
    trained, fresh, found = between(chain(("a", conv(4)), ("g", three)), chain(("a", conv(4)), ("g", four)))
    assert np.array_equal(found["g.kernel"], trained["g.kernel"])
    trained, fresh, found = between(chain(("a", conv(4)), ("g", three)), chain(("a", conv(6)), ("g", four)))
    assert np.array_equal(found["g.kernel"], fresh["g.kernel"])


def test_what_reads_nothing_known_begins_afresh():
    _, fresh, found = between(
        chain(("a", conv(4)), ("b", conv(4))), chain(("c", conv(4, stride=(2, 2))), ("b", conv(4)))
    )
    assert np.array_equal(found["b.kernel"], fresh["b.kernel"])


def test_another_operation_under_the_same_id_is_another_node():
    parent, child = chain(("a", conv(2))), chain(("a", ops.Depthwise((3, 3))))
    assert Inheritance(parent, child).new == {"a"}


def copied(kernel: Array) -> Iterator[tuple[int, int]]:
    """Yield which output copies which input; nothing else may be in the kernel."""
    for place in np.argwhere(kernel):
        assert kernel[tuple(place)] == 1
        assert all(2 * at + 1 == extent for at, extent in zip(place[2:], kernel.shape[2:], strict=True))
        yield int(place[0]), int(place[1])


def test_a_new_cell_copies_its_input():
    found = space()
    trained, _, weights = between(deep(found, 1), deep(found, 2))
    for number, branch in enumerate(BRANCHES):
        kernel = weights[f"stage0/cell1/{branch}/conv.kernel"]
        assert list(copied(kernel)) == [(output, 3 * number + output) for output in range(3)]
    assert list(copied(weights["stage0/cell1/5x5sep/depthwise.kernel"])) == [(channel, 0) for channel in range(9)]
    assert np.array_equal(weights["logits.kernel"], trained["logits.kernel"])


def test_two_new_cells_copy_as_one():
    found = space()
    trained, _, weights = between(deep(found, 1), deep(found, 3))
    assert np.array_equal(weights["logits.kernel"], trained["logits.kernel"])
    assert list(copied(weights["stage0/cell2/3x3/conv.kernel"])) == [(0, 3), (1, 4), (2, 5)]


def test_new_skips_add_nothing_at_first():
    found = space()
    _, _, weights = between(deep(found, 1), deep(found, 3))
    assert weights["stage0/cell2/from-cell0.scale"] == weights["stage0/cell1/from-stem.scale"] == 0


def test_skips_that_are_concatenated_are_left_out_by_what_joins_them():
    found = space("concat")
    _, fresh, weights = between(deep(found, 1), deep(found, 2))
    assert list(copied(weights["stage0/cell1/join/conv.kernel"])) == [(channel, channel) for channel in range(9)]
    assert weights["stage0/cell1/from-stem.scale"] == fresh["stage0/cell1/from-stem.scale"] != 0


def test_normalisations_of_new_cells_are_to_be_settled():
    found = space("concat")
    settled = Inheritance(deep(found, 1), deep(found, 2)).settled
    assert set(settled) == {f"stage0/cell1/{name}/norm" for name in (*BRANCHES, "join")}
    assert Inheritance(deep(found, 2), deep(found, 1)).settled == ()


def test_a_branch_that_is_new_in_an_old_cell_is_fresh_and_not_read():
    found = space()
    parent, child = deep(found, 2, cell0=("1x1",)), deep(found, 2, cell0=("1x1", "3x3"))
    trained, fresh, weights = between(parent, child)
    assert np.array_equal(weights["stage0/cell0/3x3/conv.kernel"], fresh["stage0/cell0/3x3/conv.kernel"])
    assert not weights["stage0/cell1/3x3/conv.kernel"][:, 5:].any()
    assert np.array_equal(
        weights["stage0/cell1/3x3/conv.kernel"][:, :5], trained["stage0/cell1/3x3/conv.kernel"][:, :5]
    )
    assert Inheritance(parent, child).settled == ()


@pytest.mark.parametrize(
    "op", [conv(2, stride=(2, 2)), conv(2, 2, padding="valid"), conv(2, groups=2), conv(2, 2, dilation=(2, 2))]
)
def test_what_cannot_copy_is_fresh(op: ops.Conv):
    _, fresh, weights = between(chain(), chain(("a", op)))
    assert np.array_equal(weights["a.kernel"], fresh["a.kernel"])


def test_a_copy_goes_as_far_as_there_are_channels():
    _, fresh, weights = between(chain(), chain(("a", conv(3, 2))))
    assert np.argwhere(weights["a.kernel"][:2]).tolist() == [[0, 0, 0, 0], [1, 1, 0, 0]]
    assert np.array_equal(weights["a.kernel"][2], fresh["a.kernel"][2])
    assert not weights["y.kernel"][:, 2].any()


def test_what_an_optimiser_remembers_is_cut_likewise_and_zero_where_new():
    parent, child = chain(("a", conv(3))), chain(("a", conv(4)), ("b", conv(4)))
    inheritance, weights = Inheritance(parent, child), initial(child, 1)
    momentum = {name: np.ones_like(array) for name, array in initial(parent, 0).items()}
    found = inheritance.state(momentum, weights)
    assert found["a.kernel"][:3].all()
    assert not found["a.kernel"][3:].any()
    assert not found["b.kernel"].any()
    assert found["y.kernel"].tolist() == [[1, 1, 1, 0]] * 2
    steps = inheritance.state({name: np.array(7.0, np.float32) for name in momentum}, weights)
    assert {name: float(array) for name, array in steps.items()} == {
        "a.kernel": 7,
        "b.kernel": 0,
        "y.kernel": 7,
        "y.bias": 7,
    }
