"""Numbers to be predicted: from a folder with a table to a tested network that says them in their units."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal import Here

from amla.study.folder import REPORT

FEW = (
    *("--set", "algorithm.steps=10", "--set", "algorithm.iterations=1", "--set", "final.steps=60"),
    *("--set", "space.width=6"),
)


def spots(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images of a bright bar, and where it stands, in millimetres, and how bright it is."""
    chance = np.random.default_rng(seed)
    place, light = chance.uniform(0, 7, count), chance.uniform(80, 250, count)
    apart = np.abs(np.arange(8)[None, None] - place[:, None, None])
    images = np.clip(light[:, None, None] * np.exp(-(apart**2)) * np.ones((1, 8, 1)), 0, 255)
    return images.astype(np.uint8), np.stack([1000 + 10 * place, light], axis=1)


@pytest.fixture
def table() -> str:
    images, values = spots(120, 11)
    folder = Path("bars")
    folder.mkdir()
    rows = ["file_name,place,light"]
    for number, (image, row) in enumerate(zip(images, values, strict=True)):
        Image.fromarray(image).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{row[0]},{row[1]}")
    (folder / "table.csv").write_text("\n".join(rows))
    return "bars"


def test_a_folder_with_a_table_becomes_a_network_that_predicts_in_units(table: str, here: Here):
    found = here("search", table, *FEW, "--run", "run")
    assert (found.code, found.err) == (0, "")
    assert "2 numbers to be predicted (place, light)" in found.out
    assert "note 'place' is a number to be predicted: 10" in found.out
    assert "images are taken as they are" in found.out
    assert "accuracy" not in found.out
    reached = re.search(r"test R² (0\.\d+) \(95 % interval", found.out.replace("\u202f", " "))
    assert reached
    assert float(reached[1]) > 0.3
    assert "mean error of place" in here("show", "run").out
    page = Path("run", REPORT).read_text()
    for words in (
        "<dt>Test R²</dt>",
        "of the variance in the test images",
        "How far off it is",
        "Validation R² and parameters",
    ):
        assert words in page
    assert "Test accuracy" not in page

    new, truth = spots(12, 12)
    np.savez("new.npz", images=new)
    told = here("predict", "run", "new.npz", "--json")
    assert told.code == 0
    said = np.array([list(json.loads(line)["values"].values()) for line in told.out.splitlines()])
    assert np.corrcoef(said[:, 1], truth[:, 1])[0, 1] > 0.7
    assert 990 < said[:, 0].min() < said[:, 0].max() < 1080

    exported = here("export", "run", "--to", "source", "--to", "onnx", "--to", "card")
    assert exported.code == 0
    assert re.search(r"values within .* deviations of PyTorch's", " ".join(exported.out.split()))
    card = Path("run/export/card.md").read_text()
    assert "predicts 2 numbers (place, light)" in card
    assert "| place |" in card
    program = (
        "import json, numpy as np, network, torch; x = torch.from_numpy(np.load('../../new.npz')['images'])[:, None];"
        "print(json.dumps(network.predict(network.load('network.safetensors'), x).tolist()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=Path("run/export"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert np.allclose(json.loads(ended.stdout), said, rtol=1e-4)
    again = here("replay", "run")
    assert again.code == 0
    assert "the same R²" in again.out


def test_numbers_of_an_archive_go_by_what_is_said_of_them(here: Here):
    images, values = spots(60, 1)
    np.savez("whole.npz", images=images, labels=np.rint(values[:, 0]).astype(int))
    taken = here("search", "whole.npz", *FEW)
    assert taken.code == 2
    assert "--labels numbers" in taken.err
    found = here("search", "whole.npz", *FEW, "--labels", "numbers", "--set", "algorithm.steps=2")
    assert (found.code, found.err) == (0, "")
    assert "1 number to be predicted (target)" in found.out


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (("--metric", "accuracy"), "metric is accuracy, but the labels of 'bars' are numbers to be predicted"),
        (("--set", "recipe.label_smoothing=0.1"), "recipe.label_smoothing is 0.1, which is about classes"),
        (("--set", "recipe.class_weights=balanced"), "recipe.class_weights is balanced, which is about classes"),
    ],
)
def test_what_is_about_classes_is_refused_before_anything_begins(
    table: str, here: Here, settings: tuple[str, str], expected: str
):
    found = here("search", table, *FEW, *settings, "--run", "run")
    assert found.code == 2
    assert expected in found.err
    assert not Path("run").exists()


def test_other_ways_of_searching_predict_numbers_too(table: str, here: Here):
    by = (
        "--algorithm",
        "zero_cost",
        "--set",
        "algorithm.candidates=3",
        "--set",
        "algorithm.trained=1",
        "--workers",
        "0",
    )
    found = here("search", table, *by, "--set", "algorithm.steps=3", "--set", "final.steps=5", "--set", "space.width=6")
    assert (found.code, found.err) == (0, "")
    assert "test R²" in found.out


def test_baselines_tuning_and_what_is_preferred_go_by_r2(table: str, here: Here):
    few = ("--set", "final.steps=20", "--set", "space.width=6", "--set", "data.stream=disk")
    asked = ("--algorithm", "random", "--set", "algorithm.trials=6", "--set", "algorithm.steps=10", "--tune", "2")
    asked += ("--prefer", "small", "--stop-below", "100/10s", "--set", "tuning.steps=5", "--set", "final.macs=null")
    found = here("search", table, *few, *asked, "--run", "run")
    assert (found.code, found.err) == (0, "")
    shown = " ".join(here("show", "run").out.split())
    assert "validation gives no interval of R²" in shown
    assert "Preferred small: " in shown
    assert "within 0.01 of R²" in shown
    assert "trained with the recipe" in shown
    assert "accuracy" not in shown
    page = Path("run", REPORT).read_text()
    for words in ("Was the search worth it?", "How it is trained", "no interval of R²"):
        assert words in page
    assert here("export", "run", "--to", "card").code == 0
    assert here("replay", "run").code == 0


def test_scores_are_audited_by_r2(table: str, here: Here):
    few = ("--networks", "4", "--reference", "4", "--steps", "2", "--workers", "0", "--set", "space.width=6")
    found = here("audit", table, *few)
    assert (found.code, found.err) == (0, "")
    assert "How well scores rank 4 networks" in found.out
    assert "nan" not in found.out
