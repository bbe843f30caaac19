"""`amla predict` and `amla replay`: the network of a run at work, and made again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal import Here

from amla.storage.files import Files
from amla.study.folder import read
from amla.study.trained import task_again


@pytest.fixture
def run(digits, tmp_path: Path) -> Path:
    shutil.copytree(digits[0] / "runs/digits", tmp_path / "run")
    return tmp_path / "run"


def test_predictions_on_the_test_part_are_as_good_as_recorded(run: Path, here: Here, digits, tmp_path: Path):
    test = task_again(read(run), None).parts.test
    np.savez(tmp_path / "test.npz", images=test.inputs)
    ended = here("predict", str(run), "test.npz", "--json")
    said = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["file"] for line in said[:2]] == ["test.npz[0]", "test.npz[1]"]
    right = sum(int(line["class"]) == label for line, label in zip(said, test.labels, strict=True))
    assert f"{right} of {len(test.labels)} test images right" in digits[1].accuracy


def test_files_are_decoded_as_for_training_and_bad_ones_are_named(run: Path, here: Here, tmp_path: Path):
    test = task_again(read(run), None).parts.test
    (tmp_path / "images/deep").mkdir(parents=True)
    grey = Image.fromarray(test.inputs[0, :, :, 0])
    grey.save(tmp_path / "images/a.png")
    grey.convert("RGB").save(tmp_path / "images/b.png")
    grey.resize((16, 16), Image.Resampling.NEAREST).save(tmp_path / "images/deep/c.png")
    good = here("predict", str(run), "images", "--top", "3")
    assert (good.code, good.err) == (0, "")
    lines = [line.split("\t") for line in good.out.splitlines()]
    assert [line[0] for line in lines] == ["images/a.png", "images/b.png", "images/deep/c.png"]
    assert lines[0][1:] == lines[1][1:]
    assert lines[0][1] == lines[2][1]
    assert [len(line) for line in lines] == [7, 7, 7]
    (tmp_path / "images/broken.png").write_bytes(b"no image")
    bad = here("predict", str(run), "images")
    assert bad.code == 1
    assert "'images/broken.png' cannot be read" in bad.err
    assert len(bad.out.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.png",), "no file and no folder"),
        (("run",), "has no images in it"),
        (("run/report.html", "--top", "11"), "there are 10 classes"),
        (("run/report.html", "--device", "toaster"), "no device"),
    ],
)
def test_what_cannot_be_predicted_is_told(run: Path, here: Here, arguments: tuple[str, ...], said: str):
    ended = here("predict", str(run), *arguments)
    assert ended.code == 2
    assert said in ended.err.replace("\n", " ")


def test_a_run_is_reproduced_bit_for_bit_and_not_touched(run: Path, here: Here):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    ended = here("replay", str(run), "--seeds", "1")
    assert ended.code == 0, ended.out + ended.err
    assert "the weights are the same bit for bit" in ended.out
    assert "\nseed 1 " in ended.out
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_another_recipe_is_not_the_same_training(run: Path, here: Here):
    """A record that does not say how its network was trained is found out."""
    study = (run / "study.yaml").read_text(encoding="utf-8")
    assert "rate: 0.1" in study
    (run / "study.yaml").write_text(study.replace("rate: 0.1", "rate: 0.0"), encoding="utf-8")
    ended = here("replay", str(run), "--json")
    said = json.loads(ended.out)
    assert said["trainings"][0]["apart"] > 0
    within = said["tested"]["low"] <= said["accuracy"] <= said["tested"]["high"]
    assert (ended.code, said["reproduced"]) == ((0, True) if within else (1, False))


def test_an_accuracy_that_nobody_reached_is_not_reproduced(run: Path, here: Here, monkeypatch):
    from amla.study import replay
    from amla.study.result import Tested

    real = replay.tested_of
    monkeypatch.setattr(replay, "tested_of", lambda metrics: Tested(0, real(metrics).examples, 0.0, 0.0, 0.01))
    ended = here("replay", str(run))
    assert ended.code == 1
    assert "not reproduced" in ended.out
    assert "below the recorded accuracy" in ended.out


def test_a_run_without_a_result_is_told(run: Path, here: Here):
    (run / "events.sqlite").unlink()
    for command in (("replay", str(run)), ("predict", str(run), "x.png")):
        ended = here(*command)
        assert ended.code == 2
        assert "no trained network yet" in ended.err.replace("\n", " ")


def test_weights_are_those_that_predict(run: Path, here: Here, tmp_path: Path):
    weights = run / "weights/best.safetensors"
    assert Files(run).load_weights("best")[0]
    weights.write_bytes(weights.read_bytes()[:-10])
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    ended = here("predict", str(run), "x.png")
    assert ended.code == 2
    assert "best.safetensors" in ended.err
