"""Scores of untrained networks, by numbers that can be checked by hand; what blocks are; and how ranks are combined."""

from math import inf, isclose, log, nan

import numpy as np
import pytest

from amla import scores
from amla.scores import ScoreError, blocks, features, linear, links, parts, ranking
from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import envelope
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.values import SpecError

FIRST = np.random.default_rng(0)


def chain(*steps: ops.Op) -> Architecture:
    """Return a network of steps, one after the other, called a, b, c and so on."""
    names = "abcdefghijklmnop"
    return Architecture(tuple(Node(names[i], op, (names[i - 1],) if i else ()) for i, op in enumerate(steps)))


def test_naswot_is_the_log_of_the_determinant():
    assert isclose(scores.naswot(np.array([[4.0, 1.0], [1.0, 4.0]])), log(15))


def test_naswot_says_that_examples_are_the_same_to_a_network():
    with pytest.raises(SpecError, match="do not tell 2 examples apart"):
        scores.naswot(np.array([[5.0, 5.0], [5.0, 5.0]]))


def test_jacob_cov_of_rows_that_do_not_correlate_is_the_highest():
    apart = scores.jacob_cov(np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]))  # eigenvalues 1 and 1
    one = 1 + scores.JITTER
    assert isclose(apart, -2 * (log(one) + 1 / one))
    alike = scores.jacob_cov(np.array([[1.0, -1.0, 2.0], [2.0, -2.0, 4.0]]))  # eigenvalues 0 and 2
    assert isclose(alike, -sum(log(v + 1e-5) + 1 / (v + 1e-5) for v in (0, 2)), rel_tol=1e-6)


def test_jacob_cov_says_where_an_example_does_not_matter():
    with pytest.raises(SpecError, match="does not depend on some example"):
        scores.jacob_cov(np.array([[1.0, -1.0], [0.0, 0.0]]))


def test_zen_adds_the_scale_that_normalisation_took_away():
    assert isclose(scores.zen(2.0, [4.0, 9.0, 0.0]), log(2) + log(2) + log(3))
    with pytest.raises(SpecError, match="zen: nothing"):
        scores.zen(0.0, [1.0])


def test_the_entropy_of_features_is_that_of_the_shares_of_eigenvalues():
    assert isclose(scores.entropy(np.eye(4)), log(4), rel_tol=1e-6)
    assert abs(scores.entropy(np.ones((3, 3)))) < 1e-6
    with pytest.raises(SpecError, match="the same everywhere"):
        scores.entropy(np.zeros((2, 2)))


def test_expressivity_is_the_sum_and_progressivity_the_least_step():
    entropies = {"a": 1.0, "b": 3.0, "c": 3.5}
    assert scores.expressivity(entropies) == 7.5
    assert scores.progressivity(entropies, (("a", "b"), ("b", "c"))) == 0.5


def test_trainability_is_best_where_the_largest_gradient_keeps_its_size():
    assert abs(scores.trainability([np.diag([1.0, 0.5])])) < 1e-5
    assert isclose(scores.trainability([np.diag([2.0, 0.5]), np.eye(2)]), -0.25, rel_tol=1e-4)
    assert scores.trainability([np.eye(2), None]) == -inf


def test_ranks_are_combined_by_the_sum_of_their_logarithms():
    tables = [{"zen": 1.0, "macs": 9.0}, {"zen": 2.0, "macs": 9.0}, {"zen": 3.0, "macs": 1.0}]
    found = ranking(tables, ("zen", "macs"))
    assert found == pytest.approx([log(1 / 3) + log(2.5 / 3), log(2 / 3) + log(2.5 / 3), log(1) + log(1 / 3)])


def test_one_score_ranks_as_it_is():
    numbers = FIRST.normal(size=20)
    found = ranking([{"zen": float(number)} for number in numbers], ("zen",))
    assert np.argsort(found).tolist() == np.argsort(numbers).tolist()


def test_a_network_that_lacks_a_score_comes_last():
    tables = [{"zen": 1.0}, {}, {"zen": nan}, {"zen": -inf}]
    found = ranking(tables, ("zen",))
    assert found[0] > found[3] > found[1] == found[2] == -inf
    assert ranking([{}], ("zen",)) == [-inf]
    assert ranking([], ("zen",)) == []


def test_the_combination_of_az_nas_has_four_parts():
    four = ("expressivity", "progressivity", "trainability", "macs")
    assert parts(("az_nas",)) == four
    assert parts(("macs", "az_nas", "macs")) == ("macs", "expressivity", "progressivity", "trainability")
    with pytest.raises(ScoreError, match="There is no score 'snip'; there are synflow, "):
        parts(("snip",))


def test_what_is_not_linear_becomes_the_identity():
    network = chain(
        ops.Input((3, 8, 8)), ops.Conv(4, (3, 3)), ops.BatchNorm(), ops.Activation(), ops.Pool("mean", (2, 2), (2, 2)),
        ops.Dropout(0.5), ops.DropPath(0.5), ops.GlobalPool(), ops.Classify(2),
    )  # fmt: skip
    kinds = [node.op.kind for node in linear(network)]
    assert kinds == ["input", "conv", "identity", "identity", "pool", *["identity"] * 2, "global_pool", "classify"]
    assert features(network) == "e"  # whether dropout follows or not


SPACES = {
    "nasbench201": nasbench201((3, 16, 16), 3, width=4, cells=1),
    "nasbench_macro": nasbench_macro((3, 32, 32), 3, width=4, last=8),
    "darts": darts((3, 16, 16), 3, width=4, cells=3),
    "darts, drop path": darts((3, 16, 16), 3, width=4, cells=3, drop_path=0.2),
    "enas_macro": enas_macro((3, 16, 16), 3, width=4, layers=6),
    "envelope": envelope((3, 16, 16), 3, width=12, cells=(2, 2), max_cells=(3, 3)).space,
    "envelope, pools": envelope((3, 16, 16), 3, width=12, cells=(1, 1), max_cells=(3, 3), skeleton="pools").space,
}


@pytest.mark.parametrize("name", SPACES)
def test_the_networks_of_every_space_have_blocks_that_follow_each_other(name: str):
    for seed in range(5):
        network = SPACES[name].sample(np.random.default_rng(seed)).trunk
        found = blocks(network)
        assert len(found) >= 2
        pairs = links(network, found)
        assert pairs
        assert all(before in network.sources((block,)) for before, block in pairs)
        assert {block for _, block in pairs} >= set(found[1:]) - {"half0/stem", "half1/stem"}


def test_the_blocks_of_a_cell_space_are_its_cells():
    network = SPACES["nasbench201"].sample(np.random.default_rng(0))
    assert blocks(network) == ("stem", "stage0/cell0", "reduce0", "stage1/cell0", "reduce1", "stage2/cell0")


def test_the_blocks_of_a_network_without_addresses_are_what_convolutions_read():
    network = chain(
        ops.Input((3, 8, 8)), ops.Conv(4, (3, 3)), ops.Activation(), ops.Conv(4, (3, 3)), ops.Activation(),
        ops.GlobalPool(), ops.Classify(2),
    )  # fmt: skip
    assert blocks(network) == ("c", "e")
    with pytest.raises(SpecError, match="no two blocks"):
        blocks(chain(ops.Input((4,)), ops.Dense(3), ops.Classify(2)))
