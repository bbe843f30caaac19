"""Every executor answers every trial exactly once, whatever dies."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from worker_service import Started

from amla.execution.crew import CrewExecutor
from amla.execution.errand import Terms
from amla.execution.http import HttpExecutor
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


def test_crew(tmp_path):
    with ExitStack() as made:

        def make(config: str) -> CrewExecutor:
            work = Work("amla.testing:synthetic", config)
            crew = CrewExecutor(lambda *_: work, size=2, meetings=tmp_path / "crew", threads=1, memory=1 << 30)
            return made.enter_context(crew)

        check_executor(make, faults=("fail", "crash", "memory"))


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Return the URLs of two worker services with two slots each."""
    with (
        Started(tmp_path_factory.mktemp("one"), slots=2) as one,
        Started(tmp_path_factory.mktemp("two"), slots=2) as two,
    ):
        yield [one.url, two.url]


@pytest.mark.parametrize("workers", [1, 4])
def test_http(services, workers):
    with ExitStack() as made:

        def make(config: str) -> HttpExecutor:
            terms = Terms(f"{workers:032x}", "search", json.loads(config), seconds=2.0, memory=1 << 30)
            return made.enter_context(HttpExecutor(services, terms, Unkept(), workers=workers))

        check_executor(make, faults=("fail", "crash", "hang", "memory"))


class Unkept:
    """Where no snapshot is, as made-up trials leave none."""

    def read(self, trial_id: int) -> bytes:
        raise FileNotFoundError

    def write(self, trial_id: int, content: bytes) -> None:
        raise AssertionError


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
