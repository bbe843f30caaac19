"""The table of a search's networks, in spaces with branches and without."""

import numpy as np
import pytest
from rich.console import Console

from amla.cli.trials_table import table
from amla.reports.growth import constructions
from amla.spaces.envelope import envelope
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.space import Space
from amla.study.choices import Operations
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal

CELLS = nasbench201((3, 16, 16), 10, width=4, cells=1)
EDGES = {0: ("3x3", "none", "skip"), 1: ("1x1", "skip", "skip")}
MANY = {trial: names * 8 for trial, names in EDGES.items()}


def printed(space: Space, operations: dict[int, Operations], width: int = 80) -> list[str]:
    history = History()
    for number in range(3):
        history = history.asked(Proposal(space.sample(np.random.default_rng(number)), 1))
        history = history.told(number, Measurement({"accuracy": 0.5, "loss": 1.0}, seconds=2.0))
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(table(constructions(history), 0, width, operations=operations))
    return captured.get().splitlines()


def test_where_there_are_no_branches_operations_and_depth_tell_networks_apart():
    head, first, second, third = printed(CELLS, EDGES)
    assert head.split() == ["operations", "depth", "params", "MACs", "validation", "loss", "seconds"]
    assert first.startswith("0  3x3 none skip ")
    assert second.startswith("1  1x1 skip skip ")
    assert third.startswith("2  –  ")  # of which nothing is known


def test_operations_that_are_too_many_are_counted_and_left_out_where_even_that_does_not_fit():
    assert printed(CELLS, MANY)[1].startswith("0  8×skip 8×3x3 8×none ")
    assert "operations" not in printed(CELLS, MANY, 50)[0]


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_it_fits(width: int):
    assert all(len(line) <= width for line in printed(CELLS, MANY, width))


def test_of_envelopes_it_tells_branches_and_cells_and_skips_where_there_are_any():
    with_skips = envelope((1, 8, 8), 2, width=12, cells=(1,), max_cells=(4,)).space
    without = envelope((1, 8, 8), 2, width=12, cells=(1,), max_cells=(4,), skips="none").space
    assert {"branches", "skips", "cells"} <= set(printed(with_skips, {})[0].split())
    assert {"branches", "cells"} <= set(found := printed(without, {})[0].split())
    assert not {"skips", "depth"} & set(found)
