"""Real measurements: more work takes longer, in both runtimes, and what cannot run is told."""

from pathlib import Path

import pytest

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


def test_what_is_no_onnx_file_is_told(tmp_path: Path):
    with pytest.raises(ValueError, match="ONNX Runtime cannot run this file"):
        latency.of_file(b"no such file", 1, 1)
