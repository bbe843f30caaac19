"""Every store reads what was written, whatever else is written, and whoever opens it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from amla.storage.memory import Memory
from amla.storage.records import Records
from amla.testing import check_store


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("seed", range(2))
def test_memory(seed):
    store = Memory()
    check_store(lambda: store, seed=seed)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("durable", [True, False])
def test_records(tmp_path, opened, durable, seed):
    path = tmp_path / "events.sqlite"
    check_store(lambda: opened.enter_context(Records(path, durable=durable)), seed=seed)


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize(("seed", "durable"), [(0, True), (1, False)])
def test_records_in_postgresql(new_database, opened, durable, seed):
    url = new_database()
    check_store(lambda: opened.enter_context(Records(url, durable=durable)), seed=seed)
