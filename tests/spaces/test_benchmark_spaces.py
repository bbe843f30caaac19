"""The spaces of published benchmarks: their networks cost what is published."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from amla.evaluation.tables import nasbench201_table, nasbench_macro_table
from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import SpaceError
from amla.spec import ops
from amla.spec.costs import costs, shapes
from amla.spec.digest import digest

TABLES = Path(__file__).parents[1] / "nas_bench"


@pytest.mark.parametrize("table", [nasbench201_table(TABLES), nasbench_macro_table(TABLES)], ids=lambda t: t.name)
def test_counted_parameters_and_macs_are_those_of_the_table(table):
    rng = np.random.default_rng(0)
    keys = sorted(table.entries)
    for place in rng.choice(len(keys), size=80, replace=False):
        network = table.space.close({gene: (kept,) for gene, kept in zip(table.space.genes, keys[place], strict=True)})
        counted, entry = costs(network), table.entries[keys[place]]
        assert (counted.parameters, counted.macs) == (entry.parameters, entry.macs)


@pytest.mark.parametrize("dataset", ["cifar100", "imagenet16-120"])
def test_other_data_have_other_heads(dataset):
    table = nasbench201_table(TABLES, dataset)
    key = sorted(table.entries)[7]
    network = table.space.close({gene: (kept,) for gene, kept in zip(table.space.genes, key, strict=True)})
    counted = costs(network)
    assert (counted.parameters, counted.macs) == (table.entries[key].parameters, table.entries[key].macs)


def test_cells_that_the_table_holds_for_the_same_are_other_networks_here():
    """It leaves out zeros and what only they reach, which have weights and shifts of their own; here they stay."""
    with gzip.open(TABLES / "nasbench201.csv.gz", "rt") as text:
        rows = list(csv.DictReader(text))
    first = {row["unique_id"]: row for row in reversed(rows)}
    row, other = next((row, first[row["unique_id"]]) for row in rows if first[row["unique_id"]] is not row)
    table = nasbench201_table(TABLES)
    keys = list(table.entries)
    networks = [
        table.space.close({gene: (kept,) for gene, kept in zip(table.space.genes, keys[rows.index(one)], strict=True)})
        for one in (row, other)
    ]
    assert digest(networks[0]) != digest(networks[1])


def d(cell: str, nodes: list[list[tuple[str, int]]]) -> dict[str, tuple[str, ...]]:
    """Return the decisions of a cell, from the operation and the source of both edges of every node."""
    found = {}
    for number, edges in enumerate(nodes):
        node = f"{cell}/node{number}"
        found[node] = tuple(f"{node}/from{source}" for _, source in sorted(edges, key=lambda edge: edge[1]))
        found |= {f"{node}/from{source}": (f"{node}/from{source}/{op}",) for op, source in edges}
    return found


DARTS_V2 = d("cell19", [[("3x3sep", 0), ("3x3sep", 1)], [("3x3sep", 0), ("3x3sep", 1)],
                        [("3x3sep", 1), ("skip", 0)], [("skip", 0), ("3x3dil", 2)]]) | d(
           "cell13", [[("max", 0), ("max", 1)], [("skip", 2), ("max", 1)],
                      [("max", 0), ("skip", 2)], [("skip", 2), ("max", 1)]])  # fmt: skip


def test_the_network_that_darts_found_has_its_parameters():
    """3.3 M in table 1 of the paper; 3,349,342 as its code counts them. With the head, 476,426 more."""
    counted = costs(darts((3, 32, 32), 10).close(DARTS_V2))
    assert counted.parameters == 3_349_342
    assert counted.training_parameters - counted.parameters == 476_426


def test_a_head_of_darts_is_there_in_training_alone():
    space = darts((1, 6, 6), 2, width=2, cells=3, stem=1)
    network = space.sample(np.random.default_rng(0))
    assert network.heads == {"auxiliary": 0.4}
    assert "auxiliary" not in network.trunk


def test_paths_that_darts_drops_end_all_edges_but_identities():
    """The genes, and what is kept, are called as without; so is what a network costs in use."""
    plain, dropping = darts((3, 32, 32), 10), darts((3, 32, 32), 10, drop_path=0.2)
    assert dropping.genes == plain.genes
    network, before = dropping.close(DARTS_V2), plain.close(DARTS_V2)
    ends = {node.id for node in network if node.op == ops.DropPath(0.2)}
    assert ends == {
        source
        for node in network
        if node.id.startswith("cell") and node.op == ops.Merge() and len(node.inputs) == 1
        for source in node.inputs
        if network[source].op != ops.Identity()
    }
    assert costs(network).parameters == costs(before).parameters
    assert costs(network).macs == costs(before).macs
    assert darts((3, 32, 32), 10, drop_path=0.0) == plain


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 9), (1, 4, 5, 6)])
@pytest.mark.parametrize("make", [nasbench201, nasbench_macro, darts, enas_macro])
def test_inputs_may_be_small_and_have_any_number_of_axes(make, shape):
    few = {"nasbench201": {"cells": 1}, "darts": {"cells": 3}, "enas_macro": {"layers": 3}}.get(make.__name__, {})
    network = make(shape, 3, width=2, **few).sample(np.random.default_rng(0))
    assert shapes(network)[network.output.id] == (3,)


def test_layers_of_enas_halve_the_resolution_twice():
    network = enas_macro((3, 12, 12), 2, width=4, layers=6).sample(np.random.default_rng(0))
    found = shapes(network)
    assert [found[f"layer{number}"] for number in (1, 2, 4)] == [(4, 12, 12), (8, 6, 6), (16, 3, 3)]


@pytest.mark.parametrize(
    ("make", "number"),
    [(nasbench201, {"cells": 0}), (nasbench201, {"width": 0}), (darts, {"cells": 2}), (enas_macro, {"layers": 101})],
)
def test_numbers_out_of_range_are_refused(make, number):
    with pytest.raises(SpaceError, match=next(iter(number))):
        make((3, 8, 8), 2, **number)
