"""A study whose final training has two processes: what it finds does not depend on whether it was cut off."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from terminal import Here, end, started, wait_for
from test_worker_processes import is_alive, workers_of

from amla.study.folder import read

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

STUDY = """
name: shapes
data: {source: shapes.npz}
recipe: {batch: 8}
space: {kind: envelope, width: 6, cells: [1], max_cells: [1], branches: [1x1, 3x3]}
algorithm: {kind: random, trials: 1, steps: 3}
final: {steps: STEPS}
backend: {kind: torch, devices: 2}
executor: {kind: inline, threads: 1}
"""


@pytest.mark.slow
@pytest.mark.usefixtures("archive")
def test_cut_off_in_the_final_training_it_finds_the_same_network(tmp_path: Path, here: Here):
    (tmp_path / "study.yaml").write_text(STUDY.replace("STEPS", "20"))
    whole = here("run", "study.yaml", "--run", "whole")
    assert (whole.code, whole.err) == (0, "")
    assert "final training on 2 devices: " in whole.out
    cut = tmp_path / "cut"
    process = started(tmp_path, "run", "study.yaml", "--run", "cut")
    try:
        wait_for(
            lambda: (cut / "curves/final/0.jsonl").exists() and (cut / "curves/final/0.jsonl").stat().st_size > 0,
            process,
        )
        members = workers_of(process.pid)
        assert len(members) == 2
    finally:
        end(process)
    assert process.returncode == -signal.SIGKILL
    wait_for(lambda: not any(map(is_alive, members)))
    assert list((cut / "crew").iterdir())  # where they met
    again = here("run", "study.yaml", "--run", "cut")
    assert (again.code, again.err) == (0, "")
    assert again.accuracy == whole.accuracy
    one, other = (load_file(tmp_path / name / "weights/best.safetensors") for name in ("whole", "cut"))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not (cut / "crew").exists()
    assert (cut / "logs/crew-2/worker-1.log").read_text() == ""
    history = read(cut).final
    assert [trial.proposal.budget for trial in history.done] == [20, 0]


@pytest.mark.usefixtures("archive")
def test_what_cannot_be_shared_leaves_no_run(tmp_path: Path, here: Here):
    (tmp_path / "study.yaml").write_text(STUDY.replace("STEPS", "20"))
    few = here("run", "study.yaml", "--set", "recipe.batch=100", "--set", "backend.devices=5", "--run", "run")
    assert few.code == 2
    assert "has 48 examples, which are one batch" in few.err
    gpus = here("run", "study.yaml", "--set", "backend.device=cuda:0", "--run", "run")
    assert gpus.code == 2
    assert "backend.device: 'cuda:0' is" in gpus.err
    assert not (tmp_path / "run").exists()
