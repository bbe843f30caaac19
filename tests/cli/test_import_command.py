"""`amla import`: two files that the other commands read, and what to know of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, piped
from reference import FILE, found, raw, thin

from amla.spec import text
from amla.spec.costs import costs
from amla.study.study import load

amla = pytest.fixture(piped)


def write(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record))


def test_it_writes_a_network_and_a_study_of_it(tmp_path: Path, amla: Command):
    code, out, err = amla("import", str(FILE), "--record", "config.nac.construction.json", "-o", "nac")
    assert (code, err) == (0, "")
    network, study = text.load(tmp_path / "nac.arch.json"), load(tmp_path / "nac.yaml")
    assert costs(network).parameters == 1_839_274
    assert "1,839,274" in out
    assert (study.name, study.algorithm.mode, study.algorithm.steps) == ("nac", "paper", 10_000)
    for field in ("envelopenet", "parameters.gpu_usage", "training regularization"):
        assert field in out


def test_without_a_name_the_files_are_called_as_the_configuration_and_none_is_overwritten(
    tmp_path: Path, amla: Command
):
    write(tmp_path / "old.json", raw(found("config.run.json")))
    assert amla("import", "old.json")[0] == 0
    assert load(tmp_path / "nac-run.yaml").algorithm.architectures == ("nac-run.arch.json",)
    before = (tmp_path / "nac-run.yaml").read_bytes()
    code, _, err = amla("import", "old.json")
    assert code == 2
    assert "'nac-run.arch.json' is already there; name another with --output" in err
    assert (tmp_path / "nac-run.yaml").read_bytes() == before


def test_what_cannot_be_read_is_told_and_nothing_written(tmp_path: Path, amla: Command):
    record = raw(found("config.run.json"))
    record["parameters"]["steps"] = -1
    write(tmp_path / "old.json", record)
    code, out, err = amla("import", "old.json")
    assert (code, out) == (2, "")
    assert "'old.json': parameters.steps is -1; it must be a whole number, 1 or more" in err
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]


SHORT = ("algorithm.steps=1", "algorithm.iterations=1")


@pytest.mark.parametrize(
    ("name", "more"),
    [("config.darts.json", ()), ("config.nac.imgnet.json", ()), ("config.nac.construction.test.json", SHORT)],
)
def test_the_study_runs(
    name: str, more: tuple[str, ...], tmp_path: Path, amla: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AMLA_NATIVE", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    np.savez("data.npz", images=rng.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8), labels=labels)
    record = thin(found(name))
    record["parameters"]["image_size"] = 16
    write(tmp_path / "old.json", record)
    assert amla("import", "old.json", "--classes", "3", "-o", "old")[0] == 0
    changes = ("data.source=data.npz", "final.steps=2", "recipe.batch=4", "executor.threads=1", *more)
    code, out, err = amla("run", "old.yaml", "--plain", *(word for change in changes for word in ("--set", change)))
    assert (code, err) == (0, "")
    assert "test accuracy" in out
