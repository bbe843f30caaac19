"""How firmly windows say what leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amla.algorithms.pruning import averaged, stability
from amla.trials.trial import Table


def lowest(table: Table) -> frozenset[str]:
    return frozenset(sorted(table, key=lambda node: (table[node], node))[:2])


def test_the_mean_is_of_what_all_windows_have_read():
    assert averaged([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": 2.0}
    assert averaged([]) == {}


@given(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True), st.integers(1, 6))
def test_windows_that_say_the_same_are_firm(nodes: list[str], count: int):
    table = {node: float(ord(node)) for node in nodes}
    assert stability([table] * count, lowest, np.random.default_rng(0)) == 1


def test_where_nothing_leaves_there_is_nothing_to_disagree_about():
    assert stability([{"a": 1.0}, {"a": 2.0}], lambda table: frozenset(), np.random.default_rng(0)) == 1


@pytest.mark.parametrize(("noise", "least", "most"), [(0.1, 0.99, 1.0), (3.0, 0.5, 0.95), (1000.0, 0.2, 0.8)])
def test_the_noisier_windows_are_the_less_firm(noise: float, least: float, most: float):
    rng = np.random.default_rng(1)
    windows = [{f"n{i}": float(i + noise * rng.normal()) for i in range(8)} for _ in range(9)]
    assert least <= stability(windows, lowest, np.random.default_rng(0)) <= most
