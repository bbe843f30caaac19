"""`amla.search` and `amla.load`: arrays in, a tested network out; called again, nothing is trained again."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import TINY, Pictures, made_up, new_cache

import amla
from amla.api.notebook import tabled
from amla.api.result import SearchResult
from amla.spaces.space import SpaceError
from amla.spec import text
from amla.spec.constraints import Constraints
from amla.study.folder import read
from amla.study.study import StudyError
from amla.study.trained import task_again
from amla.tasks.dataset import DataError

QUICK = {
    "algorithm": {"kind": "random", "trials": 1, "steps": 1}, "final.steps": 1, "space.width": 6, "baselines": None,
    "workers": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchResult, list[str], Pictures]:
    """Return the result of a tiny search on arrays, what was said meanwhile, and the arrays."""
    images, labels = made_up()
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AMLA_CACHE", str(new_cache(tmp_path_factory.mktemp("home"))))
        run = tmp_path_factory.mktemp("runs") / "run"
        return amla.search((images, labels), run=run, progress=said.append, **TINY), said, (images, labels)


def test_the_result_has_what_the_run_folder_has(found):
    result, said, _ = found
    assert result.network == text.load(result.run / "best.arch.json")
    low, high = result.accuracy.interval
    assert 0 <= low <= result.accuracy <= high <= 1
    assert result.accuracy == result.accuracy.right / result.accuracy.examples
    assert Path(result.report) == result.run / "report.html"
    assert result.classes == ("0", "1", "2")
    assert result.study.algorithm.steps == 3
    assert len(result.history.done) == 2
    assert "final training" in said
    assert any(f"test accuracy {result.accuracy * 100:.2f}" in line for line in said)


def test_the_network_is_within_limits_that_are_told_of_before(tmp_path: Path):
    said: list[str] = []
    limits = {"max_params": "2k", "max_macs": 60_000, "max_memory": "8KiB"}
    result = amla.search(made_up(), run=tmp_path / "run", progress=said.append, **limits, **TINY)
    assert Constraints(2000, 60_000, 8192) == result.study.constraints
    assert result.study.constraints.hold(result.network)
    assert said[0].startswith("parameters: 2,000 at most; the space has ")


def test_limits_that_nothing_meets_are_told_before_anything_is_trained(tmp_path: Path):
    with pytest.raises(SpaceError, match=r"the smallest one found has .* parameters, where 50 are allowed"):
        amla.search(made_up(), run=tmp_path / "run", max_params=50, **TINY)
    assert not (tmp_path / "run").exists()
    with pytest.raises(StudyError, match="max-params 'few' is no number; write for example 200k"):
        amla.search(made_up(), run=tmp_path / "run", max_params="few", **TINY)


def test_predictions_on_the_test_part_are_as_good_as_recorded(found):
    result, _, _ = found
    test = task_again(read(result.run), None).parts.test
    assert (result.predict(test.inputs) == test.labels).mean() == result.accuracy


def test_images_are_predicted_alike_as_bytes_as_shares_and_as_files(found, tmp_path):
    result, _, (images, _) = found
    wanted = result.predict_proba(images[:3])
    assert wanted.shape == (3, 3)
    assert np.allclose(wanted.sum(1), 1)
    assert np.allclose(result.predict_proba(images[:3] / 255), wanted)
    for number, image in enumerate(images[:3]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    assert np.allclose(result.predict_proba([tmp_path / f"{n}.png" for n in range(3)]), wanted)
    np.savez(tmp_path / "some.npz", images=images[:3])
    assert np.allclose(result.predict_proba(tmp_path / "some.npz"), wanted)
    with pytest.raises(DataError, match="no file and no folder"):
        result.predict("nowhere")


def test_the_same_call_trains_nothing_again(found, monkeypatch):
    result, _, pictures = found
    monkeypatch.setattr("amla.study.search.Search.run", lambda _: pytest.fail("it trained"))
    again = amla.search(pictures, run=result.run, **TINY)
    assert (again.accuracy, again.network) == (result.accuracy, result.network)
    assert amla.load(result.run).accuracy == result.accuracy


def test_other_arrays_or_settings_in_the_same_folder_are_refused(found):
    result, _, (images, labels) = found
    with pytest.raises(StudyError, match="other data"):
        amla.search((images[::-1], labels), run=result.run, **TINY)
    with pytest.raises(StudyError, match=r"another study(.|\n)*seed: 0 there, 1 here"):
        amla.search((images, labels), run=result.run, seed=1, **TINY)


def test_a_run_folder_on_arrays_can_be_moved(found, tmp_path):
    result, _, _ = found
    shutil.copytree(result.run, tmp_path / "moved")
    assert len(task_again(read(tmp_path / "moved"), None).parts.test.labels) == result.accuracy.examples


def test_a_network_is_exported(found, tmp_path):
    result, _, _ = found
    assert [path.name for path in result.export("source", output=tmp_path)] == ["network.py"]
    assert (tmp_path / "network.safetensors").is_file()


def test_what_cannot_be_run_leaves_nothing_behind(pictures, tmp_path):
    images, labels = pictures
    with pytest.raises(DataError, match="10 images"):
        amla.search((images[:10], labels), run="runs/none", **TINY)
    with pytest.raises(StudyError, match=r"there is no setting 'recipe\.foo'"):
        amla.search(pictures, run="runs/none", recipe={"foo": 1})
    with pytest.raises(StudyError, match="no time"):
        amla.search(pictures, run="runs/none", budget="soon")
    with pytest.raises(DataError, match="neither a path"):
        amla.search([images, labels], run="runs/none")
    with pytest.raises(StudyError, match="no algorithm 'magic'"):
        amla.search(pictures, run="runs/none", algorithm="magic")
    assert not Path("runs/none").exists()


def test_an_unfinished_run_is_no_result(found, tmp_path):
    result, _, _ = found
    (tmp_path / "begun").mkdir()
    shutil.copy(result.run / "study.yaml", tmp_path / "begun")
    with pytest.raises(StudyError, match="no result yet"):
        amla.load(tmp_path / "begun")


def test_words_and_numbers_with_gaps_are_labels(pictures):
    from amla.api.arrays import named

    images, labels = pictures
    assert named((images, labels + 5))["labels"].tolist()[:3] == ["5", "6", "7"]
    assert named((images, np.array(["a", "b"], object)[labels % 2]))["labels"].dtype.kind == "U"
    assert named({"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}).keys() == {
        "x_train", "y_train", "x_test", "y_test",
    }  # fmt: skip
    with pytest.raises(DataError, match="mixed kinds"):
        named((images, np.array(["a", None], object)[labels % 2]))


def test_what_decided_is_said_of_a_result_with_its_interval(pictures):
    images, labels = pictures
    found = amla.search((images, labels * 1.5), run="runs/numbers", labels="numbers", **QUICK)
    assert re.search(r"test R² −?\d[\d.]* \(95 % interval −?\d[\d.]*–−?\d[\d.]*\), .*parameters", repr(found))
    assert "accuracy" not in repr(found)
    fair = amla.search(pictures, run="runs/fair", metric="balanced_accuracy", **QUICK)
    assert re.search(r"test balanced accuracy \d[\d.]*\u202f% \(95 % interval .*\), accuracy", fair._repr_html_())
    assert "validation R²" in tabled(found.history)


def test_r2_that_is_not_known_is_not_said_to_be_a_number(pictures, tmp_path):
    images, labels = pictures
    given = {"x_train": images, "y_train": labels * 1.5, "x_test": images[:4], "y_test": np.full(4, 1.5)}
    found = amla.search(given, run=tmp_path / "run", **QUICK)
    assert np.isnan(found.r2)
    assert "test R² not known, " in repr(found)
    written = {path.name: path.read_text() for path in found.export("source", "card")}
    assert "R2 not known on 4 examples" in " ".join(written["network.py"].split())
    assert "| Test R² | not known: none varies |" in written["card.md"]


def test_importing_amla_loads_nothing():
    code = "import sys, amla; print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'torch', 'pydantic'}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
