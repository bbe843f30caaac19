"""Whatever algorithm searches whichever space: nothing beyond a constraint is asked for, scored or recommended.

This is `benchmarks/within.py` with few networks: there are the algorithms, in their modes, and the spaces.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from amla.spec.constraints import NAMES, Constraints
from amla.study.settings.searches import AlgorithmSettings, FixedSettings, RemoteSettings

FILE = Path(__file__).parents[2] / "benchmarks" / "within.py"
NETWORKS = 24


def loaded() -> ModuleType:
    """Return the benchmark as a module."""
    spec = spec_from_file_location("benchmark_within", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


within = loaded()


@pytest.fixture(scope="module")
def limits() -> dict[str, dict[str, Constraints]]:
    """Return for each space and constraint what one random network in a hundred has at most."""
    return {space: within.limits_of(space, 0) for space in within.SPACES}


@pytest.mark.parametrize("way", within.WAYS)
def test_no_algorithm_comes_to_a_network_beyond(way: str, limits: dict[str, dict[str, Constraints]]):
    searches = within.WAYS[way]
    for constraint in NAMES:
        for space in searches.spaces:
            here = limits[space][constraint]
            found = list(within.networks_of(searches, space, here, NETWORKS // len(searches.spaces), seed=7))
            assert found
            assert not [network for network in found if within.beyond(network, here)], (constraint, space)


@pytest.mark.parametrize("way", ["nac", "random", "enas"])
def test_without_the_constraint_it_would(way: str, limits: dict[str, dict[str, Constraints]]):
    searches = within.WAYS[way]
    *_, space = searches.spaces
    for constraint in NAMES:
        found = islice(within.searched(searches, space, Constraints(), 7), NETWORKS)
        assert any(within.beyond(network, limits[space][constraint]) for network in found)


def test_every_algorithm_that_draws_networks_is_among_them():
    union, *_ = get_args(AlgorithmSettings)
    kinds = {type(way.algorithm) for way in within.WAYS.values()}
    assert kinds == set(get_args(union)) - {FixedSettings, RemoteSettings}  # whose networks come from elsewhere
    assert all(way.spaces for way in within.WAYS.values())
