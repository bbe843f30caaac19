"""Plain PyTorch source: it computes what the network computes, and stands without amla."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from amla.backends.initial import initial
from amla.backends.torch.network import Network, write_arrays
from amla.export.module import example, module
from amla.export.running import Runner
from amla.export.source import MODULE, Facts, renamed, source
from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.values import SpecError
from amla.trials.snapshot import Arrays

FACTS = Facts("try", ("a", "b"), (1.0,) * 4, (2.0,) * 4)
OPS = (
    ops.Conv(6, (1, 1), bias=True),
    ops.Conv(8, (5, 3), stride=(2, 1), groups=2),
    ops.Conv(6, (2, 2), stride=(2, 2)),
    ops.Conv(6, (4, 4), stride=(3, 3)),
    ops.Conv(6, (3, 3), dilation=(2, 2)),
    ops.Conv(6, (3, 2), stride=(2, 2), padding="valid"),
    ops.Depthwise((3, 3), stride=(2, 2), multiplier=2, bias=True),
    ops.Pool("max", (2, 2), (2, 2)),
    ops.Pool("max", (4, 4), (2, 1)),
    ops.Pool("mean", (3, 3)),
    ops.Pool("mean", (2, 2)),
    ops.Pool("mean", (3, 3), (2, 2), (2, 2)),
    ops.GlobalPool("mean"),
    ops.GlobalPool("max"),
    ops.Flatten(),
    ops.BatchNorm(epsilon=1e-3),
    ops.BatchNorm(scale=False),
    ops.BatchNorm(shift=False),
    ops.BatchNorm(scale=False, shift=False),
    ops.LayerNorm(),
    ops.ResponseNorm(radius=1, alpha=0.5, beta=0.75, bias=2.0),
    *(ops.Activation(name) for name in ("relu", "relu6", "leaky_relu", "gelu", "silu", "hardswish", "sigmoid", "tanh")),
    ops.Identity(),
    ops.Zero(),
    ops.Scale(0.5, 0.1),
    ops.Dropout(0.3),
    ops.DropPath(0.3),
)  # fmt: skip


def around(op: object) -> Architecture:
    nodes = [Node("x", ops.Input((4, 9, 8))), Node("for/1", ops.Conv(4, (1, 1)), ("x",)), Node("for_1", op, ("for/1",))]  # type: ignore[arg-type]
    if not isinstance(op, ops.GlobalPool | ops.Flatten):
        nodes.append(Node("class", ops.GlobalPool(), ("for_1",)))
    return Architecture((*nodes, Node("torch", ops.Classify(2), (nodes[-1].id,))))


def weights(architecture: Architecture) -> Arrays:
    """Return weights among which no number is what a module begins with."""
    rng = np.random.default_rng(0)
    found = initial(architecture, 0)
    return {name: np.asarray(array + rng.uniform(0.1, 0.9, array.shape), np.float32) for name, array in found.items()}


def agrees(architecture: Architecture) -> bool:
    given, x = weights(architecture), example(architecture, 3)
    network = Network(architecture).eval()
    write_arrays(network.tensors(), given)
    with torch.no_grad():
        return torch.allclose(network(x), module(architecture, given, FACTS)(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.kind)
def test_every_operation_computes_the_same(op):
    assert agrees(around(op))


def test_an_exported_network_drops_paths_when_it_is_trained_on():
    """By example, at its rate or at the share of it that is `done`; the mean stays."""
    network = module(around(ops.DropPath(0.5)), weights(around(ops.DropPath(0.5))), FACTS).train()
    drops, x = network.for_1_2, torch.ones(4000, 3, 2)
    for done, rate in ((1.0, 0.5), (0.4, 0.2), (0.0, 0.0)):
        drops.done = done
        found = drops(x)
        assert torch.equal(found, found[:, :1, :1].expand_as(found))
        assert (found == 0).float().mean().item() == pytest.approx(rate, abs=0.032)
        assert found.max().item() == pytest.approx(1 / (1 - rate))


@pytest.mark.parametrize("shape", [(4, 12), (4, 9, 8), (4, 5, 6, 4)])
def test_so_do_series_images_and_volumes(shape):
    rank = len(shape) - 1
    nodes = (
        Node("x", ops.Input(shape)),
        Node("conv", ops.Conv(6, (3,) * rank, (2,) * rank), ("x",)),
        Node("norm", ops.BatchNorm(), ("conv",)),
        Node("mean", ops.Pool("mean", (2,) * rank), ("norm",)),
        Node("max", ops.Pool("max", (3,) * rank), ("norm",)),
        Node("both", ops.Merge("concat"), ("mean", "max")),
        Node("pool", ops.GlobalPool(), ("both",)),
        Node("logits", ops.Classify(2), ("pool",)),
    )
    assert agrees(Architecture(nodes))


@pytest.mark.parametrize("seed", range(10))
def test_random_networks_of_the_space_compute_the_same(seed):
    space = envelope(
        (4, 8, 8), 2, width=12, cells=(1, 1), max_cells=(2, 2), skips=("add", "concat", "none")[seed % 3]
    ).space
    assert agrees(space.sample(np.random.default_rng(seed)))


def test_auxiliary_heads_are_gone():
    whole = around(ops.Identity())
    head = (Node("aux/pool", ops.GlobalPool(), ("for/1",)), Node("aux", ops.Classify(2, auxiliary=0.3), ("aux/pool",)))
    architecture = Architecture((*whole.nodes[:-1], *head, whole.nodes[-1]))
    assert "aux" not in source(architecture, FACTS)
    assert agrees(architecture)


def test_names_that_python_or_pytorch_have_are_avoided():
    text = source(around(ops.Activation("relu")), FACTS)
    assert "self.for_1_2 = nn.ReLU()" in text  # "for/1" is for_1 already
    assert "self.torch_2 = nn.Linear" in text
    ast.parse(text)


def test_what_modules_of_pytorch_have_already_is_known():
    assert {name for name in dir(torch.nn.Module()) if not name.startswith("_")} <= MODULE


@pytest.mark.parametrize("name", ['"""', "\\", "a\nimport os", "\x00"])
def test_nothing_in_a_name_becomes_code(name):
    parsed = ast.parse(source(around(ops.Identity()), Facts(name, (name, "b"), (1.0,), (1.0,))))
    assert [type(statement).__name__ for statement in parsed.body[:4]] == ["Expr", "Import", "ImportFrom", "ImportFrom"]
    assert [node.names[0].name for node in ast.walk(parsed) if isinstance(node, ast.Import)] == ["torch"]


NUMBERS = Facts("try", ("x", "y"), (1.0,) * 4, (2.0,) * 4, target_mean=(1e6, 0.0), target_deviation=(300.0, 1e-3))


def test_numbers_are_in_their_units_when_they_leave_the_network():
    architecture = around(ops.BatchNorm())
    given, x = weights(architecture), example(architecture, 3)
    with torch.no_grad():
        plain, found = (module(architecture, given, facts)(x).double().numpy() for facts in (FACTS, NUMBERS))
    assert np.allclose(found, plain * (300.0, 1e-3) + (1e6, 0.0), rtol=1e-6)
    text = source(architecture, NUMBERS)
    assert "TARGETS = ['x', 'y']" in text
    assert "CLASSES" not in text
    assert "softmax" not in text


def test_a_runner_says_what_the_source_says():
    architecture = around(ops.BatchNorm())
    given = weights(architecture)
    inputs = np.random.default_rng(0).integers(0, 256, (5, 9, 8, 4), dtype=np.uint8)
    found = Runner(architecture, given, NUMBERS, "cpu")(inputs)
    x = torch.from_numpy(np.moveaxis((inputs.astype(np.float32) - 1) / 2, -1, 1).copy())
    with torch.no_grad():
        assert np.allclose(found, module(architecture, given, NUMBERS)(x).numpy(), rtol=1e-6)


def test_a_node_that_is_called_as_the_units_are_gets_another_name():
    nodes = around(ops.Identity()).nodes
    called = Node("target_mean", ops.BatchNorm(), ("for_1",)), Node("class", ops.GlobalPool(), ("target_mean",))
    architecture = Architecture((*nodes[:3], *called, nodes[-1]))
    assert "self.target_mean_2 = " in source(architecture, NUMBERS)
    module(architecture, weights(architecture), NUMBERS)


def test_an_open_network_has_no_source():
    space = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(2,)).space
    with pytest.raises(SpecError, match="close it first"):
        source(space.template, FACTS)


def test_the_file_works_where_there_is_no_amla(tmp_path: Path):
    architecture = around(ops.BatchNorm())
    given, x = weights(architecture), example(architecture, 3)
    facts = Facts("try", ("a", "b"), (1.0,) * 4, (2.0,) * 4, mirrored=True)
    (tmp_path / "network.py").write_text(source(architecture, facts))
    save_file(renamed(architecture, given), tmp_path / "network.safetensors")
    np.save(tmp_path / "x.npy", x.numpy())
    program = (
        "import sys; sys.modules['amla'] = None\n"
        "import numpy, torch, network\n"
        "model = network.load('network.safetensors')\n"
        "numpy.save('y.npy', network.predict(model, torch.from_numpy(numpy.load('x.npy'))).numpy())\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=120)
    network = module(architecture, given, facts)
    with torch.no_grad():
        scaled = (x - 1.0) / 2.0
        expected = ((network(scaled) + network(scaled.flip(-1))) / 2).softmax(1)
    assert np.allclose(np.load(tmp_path / "y.npy"), expected.numpy(), atol=1e-5)
