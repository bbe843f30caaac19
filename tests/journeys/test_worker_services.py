"""A study whose trials are sent to worker services: it finds what a search in one process finds, whatever dies."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from terminal import AMLA, Ended, Here, apart, end, environment, lines, started, wait_for

from amla.study.folder import BEST, read

STUDY = """
name: tiny
data: {source: digits}
space: {width: 6}
algorithm: {kind: random, trials: 3, steps: 20}
final: {steps: 30}
"""
IN_TABLES = ("--data-dir", str(Path(__file__).parents[1] / "nas_bench"))
ON_A_TABLE = """
name: table
data: {source: cifar10}
space: {kind: nasbench_macro}
algorithm: {kind: random, trials: 24, steps: 50}
final: {steps: 50}
backend: {kind: tabular, table: nasbench_macro}
"""
NOWHERE = "http://127.0.0.1:9"


@contextmanager
def serving(folder: Path, port: int = 0, *more: str) -> Iterator[str]:
    """Have a worker service, and yield its URL."""
    command = [*AMLA, "serve", "--role", "worker", "--slots", "2", "--threads", "1", "--port", str(port), *more]
    with (folder / "worker.log").open("a") as log:  # a pipe that nobody reads would fill up, and hold it up
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("amla serves worker at http://127.0.0.1:"), said
        yield said.split()[-1]
    finally:
        end(process)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("worker")) as found:
        yield found


def executor(**settings: object) -> tuple[str, str]:
    return "--set", f"executor={json.dumps(settings)}"


def over_http(url: str, **more: object) -> tuple[str, str]:
    return executor(kind="http", urls=[url], threads=1, **more)


@pytest.fixture
def study(tmp_path: Path) -> str:
    (tmp_path / "study.yaml").write_text(STUDY)
    return "study.yaml"


def found(folder: Path, ended: Ended) -> tuple[str, str, int, int]:
    """Return what a run has found: the accuracy of the test, the network, and how many trials there were."""
    assert (ended.code, ended.err) == (0, "")
    run = read(folder)
    return ended.accuracy, (folder / BEST).read_text(), len(run.search.done), len(run.final.done)


def test_a_study_runs_unchanged_with_every_executor_and_finds_the_same(tmp_path, here: Here, study, url):
    executors = {
        "inline": executor(kind="inline", threads=1),
        "local": executor(kind="local", workers=2, threads=1),
        "http": over_http(url),
    }
    results = {found(tmp_path / name, here("run", study, "--run", name, *chosen)) for name, chosen in executors.items()}
    ((_, _, searched, trained),) = results
    assert (searched, trained) == (3, 2)
    assert lines(tmp_path / "http") == lines(tmp_path / "inline") > 0


@pytest.mark.ray
@pytest.mark.xdist_group("ray")
def test_and_so_it_does_on_ray(tmp_path, here: Here, study, url):
    pytest.importorskip("ray")
    on_ray = apart(tmp_path, "run", study, "--run", "ray", *executor(kind="ray", workers=2))
    assert found(tmp_path / "ray", on_ray) == found(
        tmp_path / "http", here("run", study, "--run", "http", *over_http(url))
    )


def test_so_does_one_on_a_table(tmp_path, here: Here):
    (tmp_path / "worker").mkdir()
    (tmp_path / "study.yaml").write_text(ON_A_TABLE)
    with serving(tmp_path / "worker", 0, *IN_TABLES) as url:
        executors = {
            "simulated": executor(kind="simulated"),
            "inline": executor(kind="inline"),
            "local": executor(kind="local", workers=2),
            "http": executor(kind="http", urls=[url]),
        }
        results = {
            found(tmp_path / name, here("run", "study.yaml", "--run", name, *IN_TABLES, *chosen))
            for name, chosen in executors.items()
        }
    ((_, _, searched, trained),) = results
    assert (searched, trained) == (24, 2)


@pytest.mark.ray
@pytest.mark.xdist_group("ray")
def test_and_one_on_a_table_on_ray(tmp_path, here: Here):
    pytest.importorskip("ray")
    (tmp_path / "study.yaml").write_text(ON_A_TABLE)
    on_ray = apart(tmp_path, "run", "study.yaml", "--run", "ray", *IN_TABLES, *executor(kind="ray", workers=2))
    assert found(tmp_path / "ray", on_ray) == found(
        tmp_path / "inline", here("run", "study.yaml", "--run", "inline", *IN_TABLES, *executor(kind="inline"))
    )


def test_when_all_workers_die_the_same_command_goes_on(tmp_path, here: Here, study):
    (tmp_path / "worker").mkdir()
    with serving(tmp_path / "worker") as url:
        long = ("--set", "algorithm.steps=60", "--set", "algorithm.trials=2")
        command = ("run", study, "--run", "cut", *over_http(url, lease=5, patience=5), *long)
        driver = started(tmp_path, *command)
        wait_for(lambda: lines(tmp_path / "cut") > 0, driver)
    _, err = driver.communicate()
    assert driver.returncode == 2
    assert "No worker service was there for 5 s" in err
    assert "the same command again. Nothing is lost." in err
    with serving(tmp_path / "worker", int(url.rpartition(":")[2])):
        gone_on = found(tmp_path / "cut", here(*command))
    whole = here("run", study, "--run", "whole", *executor(kind="inline", threads=1), *long)
    assert gone_on == found(tmp_path / "whole", whole)


def test_a_worker_is_checked(here: Here, url):
    checked = here("check-worker", url)
    assert (checked.code, checked.err) == (0, "")
    assert f"{url} is a worker. It runs 2 at once." in checked.out


@pytest.mark.parametrize(("address", "code"), [(NOWHERE, 1), ("nonsense", 2)])
def test_what_is_no_worker_is_said_in_words(here: Here, address, code):
    checked = here("check-worker", address)
    assert (checked.code, checked.out) == (code, "")
    assert address in checked.err


def test_where_no_worker_is_a_search_says_so(here: Here, study):
    refused = here("run", study, *over_http(NOWHERE))
    assert refused.code == 2
    assert "No worker service answers:" in refused.err
