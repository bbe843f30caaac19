"""Networks by hand are what people would build, and random ones are about as large as what was found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_runs import STUDY, task_for

from amla.spaces.darts import darts
from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.spec.decisions import read
from amla.spec.text import to_json
from amla.study.resolve import space_of
from amla.study.settings.spaces import DartsSettings, EnvelopeSettings, TemplateSettings
from amla.study.spaces import envelope_of
from amla.study.unsearched import APART, alike, plain_inside, plain_kind, plain_network

SPACE = EnvelopeSettings(width=12, cells=(1, 1), max_cells=(3, 3))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_plain_network_has_one_convolution_a_cell_and_so_many_cells_a_stage(depth: int):
    network = plain_network(SPACE, Constraints(), task_for(), depth)
    assert network is not None
    kinds = {node.id.split("/")[2] for node in network if node.id.count("/") >= 2 and "cell" in node.id}
    assert "3x3" in kinds
    assert kinds & {"1x1", "5x5", "3x3sep", "5x5sep", "7x7sep"} == set()
    cells = {node.id.split("/")[1] for node in network if node.id.startswith("stage0/cell")}
    assert len(cells) == depth


@pytest.mark.parametrize(
    ("branches", "kind"), [(("1x1", "3x3-a", "3x3-b"), "3x3-a"), (("1", "3", "9", "9sep"), "9"), (("1x1", "5x5"), None)]
)
def test_the_plain_branch_is_the_first_of_its_kind(branches: tuple[str, ...], kind: str | None):
    assert plain_kind(replace(SPACE, branches=branches)) == kind


def test_in_the_space_of_darts_it_is_a_chain_of_separable_convolutions_each_beside_a_skip():
    task, settings = task_for(), DartsSettings(4, 3, 1, None)
    network = plain_network(settings, Constraints(), task)
    assert network is not None
    found = space_of(replace(STUDY, space=settings), task).space.read(network)
    for cell in ("cell0", "cell2"):  # of which the second one reduces
        edges = {gene.partition("/")[2]: kept for gene, kept in found.items() if gene.startswith(cell)}
        assert [[name[-5:] for name in edges[f"node{node}"]] for node in range(4)] == [
            ["from0", "from1"],
            ["from1", "from2"],
            ["from1", "from3"],
            ["from1", "from4"],
        ]
        kinds = {gene: kept[0].rpartition("/")[2] for gene, kept in edges.items() if "from" in gene}
        assert kinds == {
            "node0/from0": "skip",
            "node1/from1": "skip",
            "node2/from1": "skip",
            "node3/from1": "skip",
            "node0/from1": "3x3sep",
            "node1/from2": "3x3sep",
            "node2/from3": "3x3sep",
            "node3/from4": "3x3sep",
        }


def test_of_a_template_it_is_what_each_pick_names_first(tmp_path: Path):
    cells = darts((1, 8, 8), 2, width=4, cells=3, stem=1, auxiliary=None)
    file = tmp_path / "mine.arch.json"
    file.write_text(to_json(cells.template))
    network = plain_network(TemplateSettings(str(file)), Constraints(), task_for())
    assert network is not None
    kept = read(cells.template, network)
    assert len(kept) > 4
    assert all(cells.template[gene].inputs[: len(names)] == names for gene, names in kept.items())


def test_none_is_beyond_the_constraints():
    tight = Constraints(parameters=4000)
    network = plain_network(SPACE, tight, task_for(), 1)
    assert network is not None
    assert tight.hold(network)
    assert plain_network(SPACE, Constraints(parameters=10), task_for(), 1) is None


@pytest.mark.parametrize("seed", range(3))
def test_random_networks_are_about_as_large(seed: int):
    space = space_of(replace(STUDY, space=SPACE), task_for()).space
    like = space.sample(np.random.default_rng((seed, 7)))
    network = alike(space, like, np.random.default_rng(seed))
    assert network is not None
    assert network != like
    one, other = costs(network), costs(like)
    assert abs(one.macs / other.macs - 1) <= 2 * APART
    assert abs(one.parameters / other.parameters - 1) <= 2 * APART


def test_a_plain_network_inside_a_space_has_as_many_cells_as_a_stage_may_have():
    narrow = replace(SPACE, max_cells=(1, 3), macs=200_000)
    space = envelope_of(narrow, (1, 8, 8), 10)
    network = plain_inside(narrow, space)
    assert network is not None
    assert space.space.close(space.space.read(network)) == network
    cells = {"/".join(node.id.split("/")[:2]) for node in network if "/cell" in node.id}
    assert cells == {"stage0/cell0", "stage1/cell0", "stage1/cell1"}


def test_there_is_no_plain_network_inside_a_space_that_its_constraints_keep_it_out_of():
    space = envelope_of(SPACE, (1, 8, 8), 10)
    tight = replace(space, space=replace(space.space, accepts=lambda network: False))
    assert plain_inside(SPACE, space) is not None
    assert plain_inside(SPACE, tight) is None
    assert plain_inside(replace(SPACE, branches=("1x1", "5x5")), space) is None
