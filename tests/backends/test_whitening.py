"""The whitening kernel: its outputs on the training images are uncorrelated, and of variance 1."""

import numpy as np
import pytest
from made_up import make_task

from amla.backends.initial import initial
from amla.backends.torch.data import Batches
from amla.backends.whitening import whitened, whitens
from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.tasks.task import Task


def network(shape: tuple[int, ...], conv: ops.Conv) -> Architecture:
    conv_node = Node("conv", conv, ("x",))
    return Architecture((Node("x", ops.Input(shape)), conv_node, Node("again", ops.Conv(4, conv.kernel), ("conv",))))


def outputs(task: Task, kernel: np.ndarray, conv: ops.Conv) -> np.ndarray:
    """Convolve the normalised training part without padding, in numpy: (windows, filters)."""
    import torch

    inputs = next(iter(Batches(task.fitting, task.moments, 1, torch.device("cpu")).scoring(1000)))[0]
    convolve = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[inputs.ndim - 3]
    found = convolve(inputs, torch.from_numpy(kernel), dilation=conv.dilation)
    return found.movedim(1, -1).reshape(-1, len(kernel)).double().numpy()


@pytest.mark.parametrize(
    ("shape", "conv"),
    [
        ((3, 8, 8), ops.Conv(24, (2, 2), padding="valid")),
        ((3, 8, 8), ops.Conv(10, (3, 3))),
        ((2, 30), ops.Conv(12, (3,), dilation=(2,))),
    ],
)
def test_outputs_are_white(shape: tuple[int, ...], conv: ops.Conv) -> None:
    task, net = make_task(shape, examples=200), network(shape, conv)
    kernels = whitened(net, task, initial(net, 0))
    assert kernels.keys() == {"conv.kernel"}
    kernel = kernels["conv.kernel"]
    half = len(kernel) // 2
    assert np.array_equal(kernel[:half], -kernel[half:])
    covariance = np.cov(outputs(task, kernel[:half], conv), rowvar=False)
    assert np.allclose(covariance, np.diag(np.diag(covariance)), atol=0.02)
    assert np.allclose(np.diag(covariance), 1, atol=0.05)


def test_filters_that_are_left_over_keep_their_start() -> None:
    task, net = make_task((1, 8, 8)), network((1, 8, 8), ops.Conv(11, (2, 2)))
    start = initial(net, 0)
    kernel = whitened(net, task, start)["conv.kernel"]
    assert np.array_equal(kernel[8:], start["conv.kernel"][8:])
    assert not np.array_equal(kernel[:8], start["conv.kernel"][:8])


def test_only_convolutions_that_read_an_input_whiten() -> None:
    assert whitens(network((3, 8, 8), ops.Conv(24, (2, 2)))) == ("conv",)
    assert whitens(network((2, 8, 8), ops.Conv(4, (2, 2), groups=2))) == ()


def test_identity_starts_pass_their_inputs_on() -> None:
    net = network((3, 5, 5), ops.Conv(6, (3, 3)))
    kernel = initial(net, 0, "identity")["conv.kernel"]
    expected = np.zeros((3, 3, 3, 3))
    expected[range(3), range(3), 1, 1] = 1
    assert np.array_equal(kernel[:3], expected)
    assert np.array_equal(kernel[3:], initial(net, 0)["conv.kernel"][3:])


def test_the_branches_of_a_cell_pass_its_input_on_together() -> None:
    space = envelope((3, 8, 8), 4, width=12, cells=(1,), max_cells=(1,), branches=("3x3", "1x1", "3x3sep"))
    found = space.space.close(space.initial())
    start = initial(found, 0, "identity")
    cell = [start[f"stage0/cell0/{branch}/conv.kernel"] for branch in ("3x3", "1x1", "3x3sep")]
    passed = np.concatenate([kernel[:, :, kernel.shape[2] // 2, kernel.shape[3] // 2] for kernel in cell])
    assert np.array_equal(passed, np.eye(12))
    depthwise = start["stage0/cell0/3x3sep/depthwise.kernel"]
    assert depthwise.sum() == 12
    assert (depthwise[:, 0, 1, 1] == 1).all()
