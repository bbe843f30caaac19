"""A study on a Ray cluster that loses a node while a trial trains there: it goes on, and finds the same."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from terminal import TINY, Here, end, lines, started, wait_for

from amla.study.folder import BEST, Run, read

pytest.importorskip("ray")

from ray.cluster_utils import Cluster

pytestmark = [
    pytest.mark.ray,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif("AMLA_LOST_NODES" not in os.environ, reason="takes four minutes: AMLA_LOST_NODES=1 runs it"),
]

SEARCH = ("search", "digits", "--algorithm", "random", "--set", "algorithm.trials=2", "--set", "algorithm.steps=1500")
HERE = {"node_ip_address": "127.0.0.1"}
SOON = {"health_check_period_ms": 1000, "health_check_failure_threshold": 8}  # not after 15 s
ON_LOOPBACK = "from ray._private import ray_constants as ray; ray.ENABLE_RAY_CLUSTER = False"  # else it is no address
AMLA = [sys.executable, "-c", f"{ON_LOOPBACK}; from amla.cli import main; main()"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Have a cluster on the loopback address, whose first node has no room for a trial."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    monkeypatch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
    monkeypatch.setattr("ray._private.utils.write_ray_address", lambda address: None)  # it is nobody else's "auto"
    with TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        head = {"num_cpus": 0, "include_dashboard": False, "temp_dir": folder, "_system_config": SOON}
        cluster = Cluster(initialize_head=True, head_node_args=HERE | head)
        try:
            yield cluster
        finally:
            cluster.shutdown()


def told(run: Run) -> list[dict[str, float]]:
    """Return what the trials of a run came to, in the order in which they finished, but for how long they took."""
    measured = [trial.measurement.metrics for trial in (*run.search.finished, *run.final.finished)]
    return [{name: found for name, found in metrics.items() if "seconds" not in name} for metrics in measured]


def test_a_study_that_loses_a_node_goes_on_when_another_joins_and_finds_the_same(
    tmp_path: Path, here: Here, cluster: Cluster
):
    raylet = cluster.add_node(num_cpus=1, **HERE).all_processes["raylet"][0].process
    on_ray = ("--set", f'executor={{"kind": "ray", "address": "{cluster.address}", "workers": 1}}')
    driver = started(tmp_path, *SEARCH, *TINY[4:], *on_ray, "--run", "ray", command=AMLA)
    try:
        wait_for(lambda: lines(tmp_path / "ray") > 0, driver)
        family = psutil.Process(raylet.pid).children(recursive=True)
        os.kill(raylet.pid, signal.SIGKILL)
        raylet.wait()
        assert driver.poll() is None
        cluster.add_node(num_cpus=1, wait=False, **HERE)
        out, err = driver.communicate(timeout=300)  # a lost node is seen after 15 s, and starting another takes long
    finally:
        end(driver)
    assert driver.returncode == 0, out + err
    here(*SEARCH, *TINY[4:], "--workers", "0", "--run", "inline")
    lost, whole = tmp_path / "ray", tmp_path / "inline"
    assert (lost / BEST).read_text() == (whole / BEST).read_text()
    assert told(read(lost)) == told(read(whole))
    assert len(list((lost / "logs").glob("ray-*"))) > 1  # another worker went on
    wait_for(lambda: not any(process.is_running() for process in family))
