"""PyTorch is measured as it trains: every operation, its gradients, whole steps, and the threads left as they were."""

from collections.abc import Iterator

import pytest
import torch
from made_up import OPS_2D

from amla.backends.bench import STANDING, Effort, Times
from amla.backends.torch import bench
from amla.backends.torch.bench import TorchBench
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import shape

TINY = Effort(0.0, 2, 0.0, 2, (16, 24))
IMAGE = (6, 9, 7)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Iterator[TorchBench]:
    monkeypatch.setattr(bench, "last_level_cache", lambda: 1 << 16)
    before = torch.get_num_threads()
    yield TorchBench("cpu", TINY)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("op", OPS_2D, ids=lambda op: op.kind)
def test_every_operation_is_measured_forward_and_backward(op: ops.Op, measuring: TorchBench):
    there, back = measuring.passes(op, (IMAGE,), 4, 1, inner=True)
    took(there)
    if op != ops.Zero():  # through which no gradient flows
        assert back is not None
        took(back)


@pytest.mark.parametrize(("op", "source"), STANDING, ids=lambda given: getattr(given, "kind", None))
def test_standing_operations_fit_their_inputs(op: ops.Op, source: ops.Size):
    assert all(extent > 0 for extent in shape(op, source))


def test_a_merge_reads_several_inputs(measuring: TorchBench):
    there, back = measuring.passes(ops.Merge("add"), (IMAGE, IMAGE, IMAGE), 4, 1, inner=True)
    took(there)
    assert back is not None


def test_what_reads_an_image_has_the_gradient_of_its_weights_alone(measuring: TorchBench):
    assert measuring.passes(ops.Activation(), (IMAGE,), 4, 1, inner=False)[1] is None
    assert measuring.passes(ops.Conv(4, (3, 3)), (IMAGE,), 4, 1, inner=False)[1] is not None


def test_a_roof_has_products_and_arrays_larger_than_the_caches(measuring: TorchBench):
    roof = measuring.roof(2)
    assert roof.threads == 2
    assert [(each.kind, each.size) for each in roof.products] == [("matrix", 16), ("matrix", 24), ("convolution", 256)]
    assert [(each.kind, each.bytes) for each in roof.streams] == [("copy", 4 << 16), ("triad", 4 << 16)]
    assert roof.peak > 0
    assert roof.bandwidth > 0


@pytest.mark.parametrize("inputs", [(3, 8, 8), (2, 12), (5,)])
def test_a_step_is_one_of_the_real_backend(inputs: ops.Size, measuring: TorchBench):
    nodes = [Node("x", ops.Input(inputs))]
    if inputs[1:]:
        nodes.append(Node("conv", ops.Conv(4, (3,) * len(inputs[1:])), ("x",)))
        nodes.append(Node("head", ops.GlobalPool(), ("conv",)))
    nodes.append(Node("logits", ops.Classify(3), (nodes[-1].id,)))
    took(measuring.step(Architecture(tuple(nodes)), 4, 1))


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no device"):
        TorchBench("tpu", TINY)


def took(times: Times) -> None:
    assert 0 < times.least <= times.median
    assert 0 < times.clock_least <= times.clock_median
    assert times.goes == 2
