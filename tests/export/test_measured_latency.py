"""Real measurements: more work takes longer, in both runtimes, and what cannot run is told."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from amla.export import latency
from amla.spec import ops
from amla.spec.architecture import Architecture, Node


def network(channels: int) -> Architecture:
    return Architecture(
        (
            Node("image", ops.Input((1, 24, 24))),
            Node("first", ops.Conv(channels, (3, 3)), ("image",)),
            Node("second", ops.Conv(channels, (3, 3)), ("first",)),
            Node("head", ops.GlobalPool(), ("second",)),
            Node("logits", ops.Classify(3), ("head",)),
        )
    )


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_much_more_work_takes_longer(runtime: latency.Runtime):
    light, heavy = (latency.of_network(network(channels), runtime, 1, 1) for channels in (2, 96))
    assert 0 < light.median < heavy.median
    assert light.low <= light.median <= light.high
    assert light.goes >= 1
    assert light.device == latency.device(runtime, 1, 1)
    assert "threads 1, batch 1" in light.device


def file(made: int, *extents: int | str) -> bytes:
    """Return an ONNX file whose input has these extents, and in which a node makes so many zeros."""
    nodes = (
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["none"], keepdims=0),
        helper.make_node("Add", ["input", "none"], ["output"]),
    )
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, extents) for name in ("input", "output")]
    shape = numpy_helper.from_array(np.array([made], np.int64), "shape")
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], [shape])
    opset = [helper.make_opsetid("", 13)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


@pytest.mark.parametrize("bomb", [file(4, 1 << 20, 1 << 20), file(10**12, 1, 4), file(4, "batch", 1 << 23)])
def test_what_would_fill_the_memory_is_refused_before_anything_is_made(bomb: bytes, monkeypatch: pytest.MonkeyPatch):
    def never(*asked: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr("amla.export.onnx.opened", never)
    monkeypatch.setattr(latency, "_made_up", never)
    with pytest.raises(ValueError, match=r"bytes for a batch of 100, and up to 4,294,967,296 are measured"):
        latency.of_file(bomb, 100, 1)


def test_a_file_that_leaves_a_dimension_free_is_measured_with_the_batch():
    found = latency.of_file(file(4, "batch", 3), 5, 1)
    assert found.median > 0
    assert "batch 5" in found.device


def test_what_fails_without_a_word_is_told_by_its_kind(monkeypatch: pytest.MonkeyPatch):
    def silent(*asked: object) -> SimpleNamespace:
        raise RuntimeError

    monkeypatch.setattr("amla.export.onnx.opened", silent)
    with pytest.raises(ValueError, match="ONNX Runtime cannot run this file: RuntimeError"):
        latency.of_file(file(4, 1, 3), 1, 1)


def test_what_is_no_onnx_file_is_told(tmp_path: Path):
    with pytest.raises(ValueError, match="ONNX Runtime cannot run this file"):
        latency.of_file(b"no such file", 1, 1)
