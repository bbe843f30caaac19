"""A search on data that are read batch by batch ends as one on data in memory does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from tiny import TINY, made_up

import amla
from amla.study.changes import altered
from amla.study.folder import read
from amla.study.study import StudyError
from amla.study.trained import task_again
from amla.tasks.inputs import Filed
from amla.tasks.pictured import Pictured

SETTINGS = {**TINY, "data.size": [6, 6], "data.canvas": [8, 8], "recipe.augment.crop": 0.5, "recipe.batch": 8}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (image, label) in enumerate(zip(*made_up(), strict=True)):
        place = tmp_path / "images" / f"{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.repeat(1 + number % 2, axis=1)).save(place / f"{number:02}.png")  # of two sizes
    return tmp_path / "images"


def test_however_data_are_read_the_network_is_the_same(folder: Path, tmp_path: Path):
    found, said = {}, {}
    for way in ("never", "disk", "decode"):
        said[way] = list[str]()
        settings = {**SETTINGS, "data.stream": way}
        found[way] = amla.search(folder, run=tmp_path / way, progress=said[way].append, **settings)
    weights = {way: load_file(tmp_path / way / "weights" / "best.safetensors") for way in found}
    for name, weight in weights["never"].items():
        for way in ("disk", "decode"):
            np.testing.assert_array_equal(weights[way][name], weight)
    assert found["never"].accuracy == found["disk"].accuracy == found["decode"].accuracy
    assert found["never"].network.shape == (1, 6, 6)
    for way, words in (("disk", "are read from the disk"), ("decode", "are decoded anew")):
        assert any(words in line for line in said[way])
    assert not any("data.stream" in line for line in said["never"])


def test_a_run_that_was_cut_off_goes_on_with_data_read_in_another_way(folder: Path, tmp_path: Path):
    def cut_off(line: str) -> None:
        if ", validation " in line:
            raise KeyboardInterrupt

    undisturbed = amla.search(folder, run=tmp_path / "whole", **{**SETTINGS, "data.stream": "disk"})
    with pytest.raises(KeyboardInterrupt):
        amla.search(folder, run=tmp_path / "run", progress=cut_off, **{**SETTINGS, "data.stream": "disk"})
    before = read(tmp_path / "run")
    assert [trial.id for trial in before.search.done] == [0]
    assert isinstance(task_again(before, None).parts.train.inputs.of, Filed)

    said: list[str] = []
    settings = {**SETTINGS, "data.stream": "decode"}
    found = amla.search(folder, run=tmp_path / "run", progress=said.append, **settings)
    assert any("are decoded anew" in line for line in said)
    searching = said[said.index("searching") : said.index("training baselines")]
    assert [line.split(":")[0] for line in searching if ", validation " in line] == ["trial 1"]
    assert found.history.done[0] == before.search.done[0]
    wholes, parts = (load_file(run / "weights" / "best.safetensors") for run in (undisturbed.run, found.run))
    for name, weight in wholes.items():
        np.testing.assert_array_equal(parts[name], weight)
    other = replace(before, study=altered(before.study, {"data.stream": "decode"}))
    assert isinstance(task_again(other, None).parts.test.inputs.of, Pictured)


def test_predictions_are_of_what_the_network_was_trained_on(folder: Path, tmp_path: Path):
    result = amla.search(folder, run=tmp_path / "run", **SETTINGS)
    test = task_again(read(tmp_path / "run"), None).parts.test
    files = {label: sorted((folder / label).iterdir()) for label in result.classes}
    every = np.concatenate([result.predict_proba(paths) for paths in files.values()])
    assert every.shape == (60, 3)
    right = [int(result.predict(paths).astype(str).tolist().count(label)) for label, paths in files.items()]
    assert sum(right) >= result.accuracy.right
    # the test part, through the network as exported, by the images in their files
    train = task_again(read(tmp_path / "run"), None).dataset.train
    canvases = {image.tobytes(): place for place, image in enumerate(train.inputs[:])}
    places = [canvases[image.tobytes()] for image in test.inputs[:]]
    assert (every[places].argmax(1) == test.labels).sum() == result.accuracy.right
    result.export("card", output=tmp_path / "card")
    assert "scaled to cover 8x8" in (tmp_path / "card" / "card.md").read_text()


def test_an_image_that_is_damaged_meanwhile_is_named_in_the_failures(folder: Path, tmp_path: Path):
    def damage(line: str) -> None:
        if ", validation " in line:
            for path in folder.rglob("*.png"):
                path.write_bytes(b"no image")

    settings = {**SETTINGS, "data.stream": "decode"}
    with pytest.raises(StudyError):
        amla.search(folder, run=tmp_path / "run", progress=damage, **settings)
    run = read(tmp_path / "run")
    assert len(run.search.done) == 1
    assert run.search.failed
    for failed in run.search.failed:
        assert failed.outcome.reason == "crashed"
        assert "png' cannot be read any more" in failed.outcome.message


def test_data_are_decoded_once_in_the_size_that_is_asked_for(folder: Path, tmp_path: Path):
    settings = {place: value for place, value in SETTINGS.items() if not place.startswith("algorithm")}
    amla.search(folder, run=tmp_path / "run", algorithm={"kind": "random", "trials": 1, "steps": 1}, **settings)
    (entry,) = (tmp_path / "cache" / "datasets").iterdir()
    assert "8x8-cover" in entry.name
