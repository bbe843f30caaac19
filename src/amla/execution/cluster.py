"""The Ray cluster that trials run on: the one that is there, or one of our own on this machine."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import ray
from ray._private import ray_constants

from amla.execution.local import cores
from amla.execution.process import search_path
from amla.execution.work import WorkerError

STORE = 10**8  # bytes of its object store, a little above the least: lines of JSON are all that goes through it
PLACE, PREFIX, LOCK = "/tmp", "amla-ray-", "lock"  # noqa: S108 - of its files; others' cannot be taken for ours
YOUNG = 60.0  # seconds: a folder may not be locked yet
TRIES = "RAY_gcs_server_port_wait_time_s"  # how often Ray looks for a cluster: 20 times, 40 seconds each, if not told


@contextmanager
def connected(address: str | None = None, cpus: int = 1) -> Iterator[None]:
    """Have Ray within: as it is if this process is connected, else connected now, and left in the end.

    `address` is a cluster's: "auto" for the one that this machine is part of, or as Ray writes it. None: a Ray for
    this process alone is started on this machine, with at least so many `cpus`, whatever there are. It can be reached
    by this process only, tells nobody of its use, and leaves neither a process nor a file. Raises WorkerError.
    """
    if ray.is_initialized():
        yield
        return
    with _short_folder() as folder, ExitStack() as rest:
        rest.callback(ray.shutdown)
        try:
            if address is None:
                _start(folder, cpus)
            else:
                with _environment({TRIES: os.environ.get(TRIES, "1")}):
                    ray.init(address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # Ray's own have no other type where a part of it does not start, as on a full disk
            raise WorkerError(f"There is no Ray at {address or 'this machine'}: {error}") from None
        yield


def room(cpus: int, gpus: float, memory: int | None) -> int:
    """Return for how many workers with such resources the nodes there are have room, if nothing else runs there."""
    needed = {name: number for name, number in (("CPU", cpus), ("GPU", gpus), ("memory", memory)) if number}
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(int(min(node.get(name, 0) // number for name, number in needed.items())) for node in alive)


def _start(folder: str, cpus: int) -> None:
    clusters = ray_constants.ENABLE_RAY_CLUSTER
    # As Ray has it on macOS and Windows: its node has the loopback's address, and every part of it listens there.
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        with _environment({"PYTHONPATH": search_path(), "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": _token()}):
            ray.init(
                "local",
                num_cpus=max(cores(), cpus),
                include_dashboard=False,
                object_store_memory=STORE,
                log_to_driver=False,
                logging_level="ERROR",
                _temp_dir=folder,
            )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters


@cache  # Ray reads it once in a process
def _token() -> str:
    """Return what a process must show to use the Ray of this one; Ray's own way leaves it in the user's home."""
    return secrets.token_hex(32)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have `variables` in the environment of the processes that are started within."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


@contextmanager
def _short_folder() -> Iterator[str]:
    """Lend a folder for Ray's files: their names, with those of sockets, may not be longer than about 100 bytes.

    It is locked for as long as it is ours, so that those of processes that were killed can be told, and go.
    """
    _sweep()
    with (
        TemporaryDirectory(prefix=PREFIX, dir=PLACE, ignore_cleanup_errors=True) as folder,
        open(os.path.join(folder, LOCK), "wb") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _sweep() -> None:
    """Delete the folders that processes of this user have left behind when they were killed."""
    for folder in Path(PLACE).glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.getuid() or time.time() - status.st_mtime < YOUNG:
                continue
            with open(folder / LOCK, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                rmtree(folder)
