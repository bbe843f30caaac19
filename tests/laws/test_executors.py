"""Every executor answers every trial exactly once, whatever dies."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from amla.execution.inline import InlineExecutor
from amla.execution.local import LocalExecutor
from amla.execution.simulated import SimulatedExecutor
from amla.execution.work import Work
from amla.testing import check_executor, synthetic


def test_inline():
    check_executor(lambda config: InlineExecutor(synthetic(config)))


@pytest.mark.parametrize("workers", [1, 3])
def test_simulated(workers):
    check_executor(lambda config: SimulatedExecutor(synthetic(config), workers))


@pytest.fixture
def executors() -> Iterator[list[LocalExecutor]]:
    made: list[LocalExecutor] = []
    yield made
    for executor in made:
        executor.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_local(executors, workers):
    def make(config: str) -> LocalExecutor:
        work = Work("amla.testing:synthetic", config)
        executors.append(LocalExecutor(work, workers=workers, seconds=2.0, memory=1 << 30))
        return executors[-1]

    check_executor(make, faults=("fail", "crash", "hang", "memory"))


@pytest.mark.ray
@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("started_ray")
@pytest.mark.parametrize("workers", [1, 3])
def test_ray(workers):
    from amla.execution.ray import RayExecutor

    with ExitStack() as made:

        def make(config: str) -> RayExecutor:
            work = Work("amla.testing:synthetic", config)
            return made.enter_context(RayExecutor(work, workers=workers, seconds=2.0, memory=1 << 30))

        check_executor(make, faults=("fail", "crash", "hang", "memory"))
