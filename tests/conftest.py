"""Test processes run side by side, one for each core, so each computes with one thread, and what it starts too."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def started_ray() -> Iterator[None]:
    """Have a Ray of our own on this machine, with room for four workers."""
    pytest.importorskip("ray")
    from amla.execution.cluster import connected

    with connected(cpus=4):
        yield
