"""ONNX files compute what the network computes, in ONNX Runtime, for any number of inputs; others are found out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_source import FACTS, weights

from amla.export.module import example, module, save_program
from amla.spec import ops
from amla.spec.architecture import Architecture, Node

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from amla.export import onnx


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """Return a network with every operation that exporters find hard."""
    nodes = (
        Node("x", ops.Input((4, 9, 8))),
        Node("conv", ops.Conv(6, (4, 4), (3, 3)), ("x",)),
        Node("norm", ops.ResponseNorm(radius=1), ("conv",)),
        Node("mean", ops.Pool("mean", (2, 2)), ("norm",)),
        Node("max", ops.Pool("max", (2, 2)), ("norm",)),
        Node("half", ops.Scale(0.5), ("max",)),
        Node("sum", ops.Merge("add"), ("mean", "half")),
        Node("layer", ops.LayerNorm(), ("sum",)),
        Node("act", ops.Activation("hardswish"), ("layer",)),
        Node("pool", ops.GlobalPool("max"), ("act",)),
        Node("logits", ops.Classify(2), ("pool",)),
    )
    architecture = Architecture(nodes)
    return module(architecture, weights(architecture), FACTS)


@pytest.fixture(scope="module")
def inputs() -> torch.Tensor:
    return example(Architecture((Node("x", ops.Input((4, 9, 8))),)), 3)


@pytest.fixture(scope="module")
def file(network: torch.nn.Module, inputs: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "network.onnx"
    onnx.export(network, inputs, path)
    return path


def test_it_computes_the_same_for_any_number_of_inputs(network, inputs, file):
    batches = [inputs.numpy(), inputs.numpy()[:1], inputs.repeat(5, 1, 1, 1).numpy()]
    assert onnx.compare(network, file, batches) < 1e-5


def test_it_is_one_file(file):
    assert [path.name for path in file.parent.iterdir()] == ["network.onnx"]


def test_another_network_is_found_out(network, inputs, file):
    other = module_like(network)
    with pytest.raises(onnx.ExportError, match="differs from the network by"):
        onnx.compare(other, file, [inputs.numpy()])


def test_in_eight_bits_it_is_nearly_the_same(tmp_path):
    nodes = (
        Node("x", ops.Input((4, 9, 8))),
        Node("conv", ops.Conv(8, (3, 3)), ("x",)),
        Node("norm", ops.BatchNorm(), ("conv",)),
        Node("act", ops.Activation("relu"), ("norm",)),
        Node("pool", ops.GlobalPool(), ("act",)),
        Node("logits", ops.Classify(2), ("pool",)),
    )
    architecture = Architecture(nodes)
    network, inputs = module(architecture, weights(architecture), FACTS), example(architecture, 16)
    file, small = tmp_path / "network.onnx", tmp_path / "small.onnx"
    onnx.export(network, inputs, file)
    onnx.quantise(file, small, [inputs.numpy()])
    whole, rounded = (onnx.logits(onnx.opened(path), inputs.numpy()) for path in (file, small))
    assert 0 < np.abs(whole - rounded).max() < 0.05 * np.abs(whole).max()


def test_what_is_predicted_is_said_in_single_precision(tmp_path):
    """Numbers around a million that differ by ones are all the same in 256 steps."""
    nodes = (
        Node("x", ops.Input((4, 9, 8))),
        Node("conv", ops.Conv(8, (3, 3)), ("x",)),
        Node("act", ops.Activation("relu"), ("conv",)),
        Node("pool", ops.GlobalPool(), ("act",)),
        Node("logits", ops.Classify(1), ("pool",)),
    )
    architecture = Architecture(nodes)
    facts = replace(FACTS, classes=("a",), target_mean=(1e5,), target_deviation=(1.0,))
    network, inputs = module(architecture, weights(architecture), facts), example(architecture, 16)
    file, small = tmp_path / "network.onnx", tmp_path / "small.onnx"
    onnx.export(network, inputs, file, onnx.VALUES)
    whole = onnx.logits(onnx.opened(file), inputs.numpy())
    worst = []
    for kept in ([], onnx.last_layer(file)):
        onnx.quantise(file, small, [inputs.numpy()], kept)
        worst.append(np.abs(whole - onnx.logits(onnx.opened(small), inputs.numpy())).max())
    assert worst[1] < 0.1 * whole.std() + 0.02 < worst[0]


def test_a_program_of_pytorch_computes_the_same(network, inputs, tmp_path):
    save_program(network, inputs, tmp_path / "network.pt2")
    found = torch.export.load(str(tmp_path / "network.pt2")).module()
    with torch.no_grad():
        assert torch.allclose(found(inputs[:1]), network(inputs[:1]), atol=1e-5)


def module_like(network: torch.nn.Module) -> torch.nn.Module:
    from copy import deepcopy

    other = deepcopy(network)
    with torch.no_grad():
        other.logits.bias += 0.01
    return other
