"""`amla chaos` as people use it: a small study, shaken a little, finds the same; the full measure is in the log."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from terminal import Here, end, lines, started, wait_for

from amla.chaos.shake import Shaking, Tally
from amla.storage.records import Records
from amla.study.presets import preset
from amla.study.study import Data, to_yaml
from amla.tasks.load import load

SMALL = (
    *("--set", "algorithm.steps=20", "--set", "algorithm.iterations=1", "--set", "algorithm.inherit=true"),
    *("--set", "final.steps=30", "--set", "space.width=6", "--set", "recipe.batch=8"),
)
LOCAL = ("--set", "executor.kind=local", "--set", "executor.workers=1")
RAY = ("--set", "executor.kind=ray", "--set", "executor.workers=1")
KEYS = (
    *("same", "exact", "seed", "kills", "killed", "cut", "full_disks", "damaged_files", "runs", "restarts", "gave_up"),
    *("recorded", "lost", "repeated", "mended", "left_behind", "wrong", "seconds"),
)


@pytest.fixture
def study(archive: Path) -> Path:
    """Return the file of a study that is quickly run."""
    made = preset(load(archive.name), Data(archive.name))
    Path("study.yaml").write_text(to_yaml(replace(made, name="shapes")))
    return Path("study.yaml")


@pytest.fixture
def shaken(study: Path, here: Here) -> Callable[..., dict[str, Any]]:
    def shake(*options: str) -> dict[str, Any]:
        ended = here("chaos", str(study), *SMALL, "--run", "shaken", *options)
        assert (ended.code, ended.err) == (0, ""), ended.out
        *_, summary, last = ended.out.splitlines()
        said: dict[str, Any] = json.loads(last)
        assert summary.startswith("the same network, measurements and weights, bit for bit:")
        assert tuple(said) == KEYS
        assert (said["same"], said["exact"], said["wrong"]) == (True, True, [])
        assert (said["lost"], said["repeated"], said["left_behind"]) == (0, 0, 0)
        assert said["kills"] == sum(said["killed"].values())
        assert {path.name for path in Path("shaken").iterdir()} == {"study.yaml", "undisturbed"}
        return said

    return shake


@pytest.mark.slow
def test_a_study_with_workers_finds_the_same(shaken: Callable[..., dict[str, Any]]):
    said = shaken(*LOCAL, "--kills", "3", "--seed", "3")
    assert said["kills"] == 3
    assert said["restarts"] >= said["killed"]["driver"] - said["runs"]


@pytest.mark.slow
@pytest.mark.xdist_group("postgres")
def test_a_study_in_postgresql_finds_the_same(shaken: Callable[..., dict[str, Any]], new_database: Callable[[], str]):
    url = new_database()
    said = shaken("--kills", "1", "--seed", "1", "--faults", "driver,connections", "--store", url)
    assert said["kills"] == 1
    with Records(url, read_only=True) as records:
        assert len({study.partition("/")[0] for study in records.studies()}) == 1  # the undisturbed run
        assert records.leases() == []


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.xdist_group("ray")
def test_a_study_on_ray_finds_the_same(shaken: Callable[..., dict[str, Any]]):
    pytest.importorskip("ray")
    assert shaken(*RAY, "--kills", "2", "--seed", "1", "--faults", "worker,all")["kills"] == 2


def test_what_differs_is_said_and_ends_with_one(study: Path, here: Here, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Shaking, "run", lambda shaking: Tally(wrong=["run-1: another network is recommended"]))
    ended = here("chaos", str(study), "--run", "shaken")
    assert ended.code == 1
    *_, said, last = ended.out.splitlines()
    assert said == "wrong run-1: another network is recommended"
    assert json.loads(last)["same"] is False


def test_what_it_has_started_ends_with_it(study: Path, tmp_path: Path):
    process = started(tmp_path, "chaos", str(study), *LOCAL, "--set", "final.steps=100000", "--run", "shaken")
    try:
        wait_for(lambda: lines(tmp_path / "shaken/undisturbed") > 0, process)
        assert commands(tmp_path / "shaken")
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, "stopped" in err) == (130, True)
        wait_for(lambda: not commands(tmp_path / "shaken"))
    finally:
        end(process)


def commands(folder: Path) -> list[str]:
    """Return the commands of the processes that drive a run in a folder, which they name as a relative path."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (place / "cmdline").read_bytes().split(b"\0")
            if b"run" in command and (place / "cwd").resolve() == folder.parent:
                found.append(" ".join(map(os.fsdecode, command)))
    return found


def test_a_study_that_does_not_run_is_a_mistake(study: Path, here: Here, tmp_path: Path):
    ended = here("chaos", str(study), "--set", "algorithm.statistic=magic", "--run", "shaken")
    assert ended.code == 2
    assert "The study does not run, also undisturbed (exit code 2)" in ended.err
    assert "magic" in ended.err
    assert not commands(tmp_path / "shaken")
