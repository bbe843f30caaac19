"""What a form of a network needs is looked for before anything is written."""

from importlib import import_module
from math import nan
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from amla.study import exporting, result
from amla.study.study import StudyError


def without_onnx(name: str) -> ModuleType:
    if name == "amla.export.onnx":
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
    return import_module(name)


def test_nothing_is_written_where_a_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "import_module", without_onnx)
    nothing: Any = None  # it does not come to that
    with pytest.raises(StudyError, match=r"This needs 'onnxruntime'; install it with: pip install 'amla\[onnx\]'"):
        exporting.export(nothing, ("source", "onnx", "card"), tmp_path / "export", None, nothing, nothing)
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [(0.85, 0.85, False), (0.85, 0.62, False), (0.85, 0.58, True), (0.5, 0.55, False)],
)
def test_accuracy_below_the_interval_of_the_test_is_too_much_lost(before: float, after: float, is_told: bool):
    tested = result.Tested(17, 20, 0.85, 0.6, 0.95)
    assert exporting.too_much_lost(before, after, tested) == is_told


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [(0.998, 0.99, False), (0.998, 0.56, True), (0.5, 0.6, False), (0.9, nan, True), (nan, nan, False)],
)
def test_hundredths_of_r2_are_too_much_lost(before: float, after: float, is_told: bool):
    assert exporting.too_much_lost(before, after, None) == is_told
