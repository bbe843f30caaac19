"""`amla export`: what a finished run leaves for those who have no amla."""

import ast
import re
from pathlib import Path

import pytest
from terminal import Here

from amla.study import exporting
from amla.study.trained import trained

pytest.importorskip("onnxruntime")


def test_every_form_is_written_and_checked(here: Here, digits, tmp_path: Path):
    run = digits[0] / "runs/digits"
    all_forms = [word for form in ("source", "card", "torch", "onnx", "int8") for word in ("--to", form)]
    ended = here("export", str(run), "--output", str(tmp_path / "out"), *all_forms)
    assert (ended.code, ended.err) == (0, "")
    names = {"network.py", "network.safetensors", "card.md", "network.pt2", "network.onnx", "network.int8.onnx"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    said = ended.out.replace("\n", " ")
    assert re.search(r"logits within \S+ of PyTorch's, on 359 real inputs", said)
    assert re.search(r"test accuracy [\d.]+\s% before, [\d.]+\s% after", said)
    ast.parse((tmp_path / "out/network.py").read_text())
    card = (tmp_path / "out/card.md").read_text()
    tested = re.search(r"^test accuracy (\d+\.\d\d)\s%", digits[1].out, re.MULTILINE)
    assert tested
    assert f"| Test accuracy | {tested[1]}\u00a0%" in card
    assert f"test accuracy {tested[1]}" in said.replace("\u202f", " ")  # as ONNX Runtime finds it, too


def test_eight_bits_that_cost_more_than_chance_explains_are_told_of(
    digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    found = trained(digits[0] / "runs/digits")
    measured = iter((0.9, 0.0))
    monkeypatch.setattr(exporting, "_worth", lambda *_: next(measured))
    said: list[str] = []
    exporting.export(found, ("int8", "card"), tmp_path, None, lambda *_: None, said.append)
    (note,) = said
    assert note.startswith("network.int8.onnx is worse than chance explains: test accuracy 90.00")
    assert note.endswith("Use network.onnx instead.")
    assert note.replace("\u202f", "\u00a0") in (tmp_path / "card.md").read_text()


def test_a_run_without_a_network_says_how_to_get_one(here: Here, digits, tmp_path: Path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half/study.yaml").write_text((digits[0] / "runs/digits/study.yaml").read_text())
    ended = here("export", str(tmp_path / "half"))
    assert ended.code == 2
    assert "has no trained network yet" in ended.err


def test_a_form_that_there_is_not_is_refused(here: Here, digits):
    ended = here("export", str(digits[0] / "runs/digits"), "--to", "tflite")
    assert ended.code == 2
    assert "'tflite' is no form of a network; write one of source, onnx, int8, torch, card" in ended.err
