"""Probes of gates, scales and of the loss without a node: against derivatives and losses taken by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import make_task
from torch.nn import functional

from amla.backends.torch import ablation
from amla.backends.torch.ablation import losses_without
from amla.backends.torch.backend import TorchBackend
from amla.backends.torch.gates import Gates
from amla.backends.torch.layers import BatchNormalisation
from amla.backends.torch.network import Network
from amla.probes import chance
from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import macs_with
from amla.tasks.recipe import Constant, Recipe, Sgd
from amla.testing.backends import check_backend
from amla.trials.trial import Fit

SPACE = envelope(
    (3, 8, 8), 4, width=12, cells=(2, 1), max_cells=(2, 1), branches=("1x1", "3x3", "3x3sep"), head_dropout=0
)
NETWORK = SPACE.space.close(SPACE.initial())
BRANCHES = tuple(f"stage0/cell1/{name}" for name in ("1x1", "3x3", "3x3sep"))
SKIPS = tuple(node.id for node in NETWORK if isinstance(node.op, ops.Scale))
RECIPE = Recipe(16, Sgd(0.01), Constant())


def alone(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def odd() -> Architecture:
    """A network with all that is watched the long way: no scale, no normalisation, another activation, two readers."""
    nodes = [Node("x", ops.Input((3, 8, 8)))]
    for name, norm, function in (("a", ops.BatchNorm(scale=False), "relu"), ("b", ops.BatchNorm(), "gelu")):
        nodes += [Node(f"{name}/conv", ops.Conv(4, (3, 3)), ("x",)), Node(f"{name}/norm", norm, (f"{name}/conv",))]
        nodes += [Node(name, ops.Activation(function), (f"{name}/norm",))]
    nodes += [Node("c", ops.Conv(4, (1, 1)), ("x",)), Node("d/norm", ops.BatchNorm(), ("c",))]
    nodes += [Node("d", ops.Activation("relu"), ("d/norm",)), Node("all", ops.Merge("concat"), ("a", "b", "c", "d"))]
    nodes += [Node("more", ops.Merge("concat"), ("all", "d/norm"))]
    nodes += [Node("head", ops.GlobalPool("mean"), ("more",)), Node("y", ops.Classify(4), ("head",))]
    return Architecture(tuple(nodes))


def by_hand(architecture: Architecture, node_id: NodeId, x: torch.Tensor, y: torch.Tensor) -> float:
    """The derivative of the loss by a gate: the difference of two losses, in double precision."""
    losses = []
    for gate in (1 - 1e-4, 1 + 1e-4):
        network = filled(architecture).double()
        step = next(step for step, _ in network._plain if node_id in step.writes)
        compute = step.compute
        object.__setattr__(step, "compute", lambda *xs, gate=gate, compute=compute: compute(*xs) * gate)
        losses.append(functional.cross_entropy(network(x.double()), y).item())
    return (losses[1] - losses[0]) / 2e-4


def filled(architecture: Architecture) -> Network:
    torch.manual_seed(0)
    network = Network(architecture).train()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.3, 0.5)
    for buffer in network.buffers():  # else what was in memory before, and that may be no number
        torch.nn.init.ones_(buffer)
    return network


def batch(count: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.Generator().manual_seed(1)
    x = torch.randn(count, 3, 8, 8, generator=numbers).to(memory_format=torch.channels_last)
    return x, torch.randint(0, 4, (count,), generator=numbers)


def felt(architecture: Architecture, nodes: Sequence[NodeId]) -> dict[NodeId, tuple[float, float, float]]:
    network = filled(architecture)
    gates = Gates(network, architecture, nodes, alone)
    network.watch(gates.others, whole=bool(gates.others))
    x, y = batch()
    loss = functional.cross_entropy(network(x), y)
    gates.before()
    loss.backward()
    gates.after()
    return {node_id: (gate.mean, gate.size, gate.square) for node_id, gate in gates.read(1).items()}


@pytest.mark.parametrize(
    ("architecture", "nodes"), [(NETWORK, (*BRANCHES, *SKIPS)), (odd(), tuple("abcd"))], ids=["scaled", "odd"]
)
def test_a_gate_s_derivative_is_how_the_loss_changes_with_it(architecture: Architecture, nodes: tuple[NodeId, ...]):
    found = felt(architecture, nodes)
    assert found.keys() == set(nodes)
    for node_id, (mean, size, square) in found.items():
        expected = by_hand(architecture, node_id, *batch())
        assert mean == pytest.approx(expected, rel=2e-3, abs=2e-5), node_id
        assert (size, square) == (abs(mean), pytest.approx(mean**2))


def test_only_what_has_no_scales_of_its_own_is_watched_the_long_way():
    assert Gates(filled(NETWORK), NETWORK, (*BRANCHES, *SKIPS), alone).others == ()
    assert set(Gates(filled(odd()), odd(), tuple("abcd"), alone).others) == {"a", "b", "c", "d"}


def test_derivatives_are_averaged_over_the_steps_of_a_leg():
    task = make_task((3, 8, 8), recipe=RECIPE)
    one, two = (TorchBackend("cpu").build(NETWORK, Fit(), task, 0) for _ in range(2))
    sizes = []
    for learner in (one, two):
        learner.watch({"taylor": BRANCHES, "taylor_signed": BRANCHES, "fisher": BRANCHES})
    for _ in range(3):
        one.watch({"taylor": BRANCHES, "taylor_signed": BRANCHES, "fisher": BRANCHES})
        one.fit(1, 3, lambda *line: None)
        sizes.append([one.statistics()["taylor_signed"][i] for i in BRANCHES])
    two.fit(3, 3, lambda *line: None)
    found = two.statistics()
    g = np.array(sizes)
    for name, expected in {"taylor_signed": g.mean(0), "taylor": abs(g).mean(0), "fisher": (g * g).mean(0)}.items():
        np.testing.assert_allclose([found[name][i] for i in BRANCHES], expected, rtol=1e-6)


@pytest.mark.parametrize("architecture", [NETWORK, odd()], ids=["scaled", "odd"])
def test_legs_are_one_with_every_kind_of_probe(architecture: Architecture):
    nodes = BRANCHES if architecture == NETWORK else tuple("abd")
    probes = dict.fromkeys(("taylor", "fisher_per_mac", "msss", "drop_one", "random"), nodes)
    check_backend(TorchBackend("cpu"), make_task((3, 8, 8), recipe=RECIPE), architecture, probes=probes)


def test_the_loss_without_a_branch_is_that_of_a_network_whose_branch_is_nothing():
    task = make_task((3, 8, 8), recipe=RECIPE)
    network = filled(NETWORK)
    held_out = task.held_out
    assert held_out is not None
    before = {name: tensor.clone() for name, tensor in network.tensors().items()}
    losses = losses_without(network, BRANCHES, held_out, task.moments, torch.device("cpu"))
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.tensors().items())
    for node_id in BRANCHES:
        silent = filled(NETWORK)
        norm = silent.layers[[node.id for node in NETWORK].index(f"{node_id}/norm")]
        with torch.no_grad():
            norm.scale.zero_()
            norm.shift.zero_()
        again = losses_without(silent, (), held_out, task.moments, torch.device("cpu"))
        assert again[None] == pytest.approx(losses[node_id], rel=1e-5)
    assert len({round(loss, 6) for loss in losses.values()}) == 4


def test_each_example_is_read_once_however_many_branches_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ablation, "BATCH", 3)  # so that there are several batches
    task, read = make_task((3, 8, 8), recipe=RECIPE), list[int]()
    assert task.held_out is not None

    class Watched:
        shape, dtype = task.held_out.inputs.shape, task.held_out.inputs.dtype

        def __len__(self) -> int:
            return self.shape[0]

        def __getitem__(self, index: object) -> np.ndarray:
            found = task.held_out.inputs[index]
            read.append(len(found))
            return found

    losses = [
        losses_without(filled(NETWORK), BRANCHES, examples, task.moments, torch.device("cpu"))
        for examples in (task.held_out, replace(task.held_out, inputs=Watched()))
    ]
    assert losses[0] == losses[1]
    assert sum(read) == len(task.held_out.labels)


def test_normalisation_is_by_the_batch_where_a_branch_is_left_out():
    task = make_task((3, 8, 8), recipe=RECIPE)
    assert task.held_out is not None
    one, two = filled(NETWORK), filled(NETWORK)
    for module in two.layers:
        if isinstance(module, BatchNormalisation):
            module.mean.fill_(7)
    found = [losses_without(n, BRANCHES, task.held_out, task.moments, torch.device("cpu")) for n in (one, two)]
    assert found[0] == found[1]


def test_a_reading_by_cost_is_divided_by_what_goes_with_the_node():
    learner = TorchBackend("cpu").build(NETWORK, Fit(), make_task((3, 8, 8), recipe=RECIPE), 5)
    learner.watch({"random": BRANCHES, "random_per_mac": BRANCHES, "scale": BRANCHES, "scale_signed": SKIPS})
    found = learner.statistics()
    sep = "stage0/cell1/3x3sep"
    assert macs_with(NETWORK, sep) == 8 * 8 * 12 * (9 + 4)
    for node_id in BRANCHES:
        assert found["random"][node_id] == chance(5, node_id)
        expected = 1e6 * found["random"][node_id] / macs_with(NETWORK, node_id)
        assert found["random_per_mac"][node_id] == pytest.approx(expected)
        assert found["scale"][node_id] == 1.0
    assert all(0.4 < number < 0.6 for number in found["scale_signed"].values())
