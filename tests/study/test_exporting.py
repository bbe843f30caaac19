"""What a form of a network needs is looked for before anything is written."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from amla.study import exporting
from amla.study.study import StudyError


def without_onnx(name: str) -> ModuleType:
    if name == "amla.export.onnx":
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
    return import_module(name)


def test_nothing_is_written_where_a_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "import_module", without_onnx)
    nothing: Any = None  # it does not come to that
    with pytest.raises(StudyError, match=r"This needs 'onnxruntime'; install it with: pip install 'amla\[onnx\]'"):
        exporting.export(nothing, ("source", "onnx", "card"), tmp_path / "export", None, nothing)
    assert not (tmp_path / "export").exists()
