"""A first layer that whitens: the principal components of the patches of the training images, as a kernel."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amla.spec import ops
from amla.spec.architecture import Architecture, NodeId
from amla.tasks.task import Task
from amla.trials.snapshot import weight_name

EXAMPLES, ELEMENTS, WINDOWS = 5_000, 2**24, 200_000  # of the training part that are looked at, at most
EPSILON = 5e-4  # added to the variances of normalised inputs, so that directions without any are not blown up


def whitens(architecture: Architecture) -> tuple[NodeId, ...]:
    """Return the convolutions that a recipe with `whiten` gives a kernel to: those that read an input."""
    inputs = {node.id for node in architecture if isinstance(node.op, ops.Input)}
    return tuple(
        node.id
        for node in architecture
        if isinstance(node.op, ops.Conv) and node.op.groups == 1 and set(node.inputs) <= inputs
    )


def whitened(
    architecture: Architecture, task: Task, start: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Return the kernels of `whitens` by canonical name, filled by principal components as far as there are any.

    A patch has as many components as elements; each makes two filters, of either sign, so that both halves get through
    an activation. Those of the largest variance come first; outputs have a variance of 1 (Page 2018; Jordan 2024).
    Filters that are left over keep their `start`.
    """
    kernels = {}
    for node_id in whitens(architecture):
        op = architecture[node_id].op
        assert isinstance(op, ops.Conv)  # noqa: S101 - whitens() returns no other
        kernel = start[weight_name(node_id, "kernel")].copy()
        found = _components(task, op)[: len(kernel) // 2]
        both = np.concatenate([found, -found])
        kernel[: len(both)] = both
        kernels[weight_name(node_id, "kernel")] = kernel
    return kernels


def _components(task: Task, op: ops.Conv) -> NDArray[np.float32]:
    """Return the kernels (components, channels, *kernel) that whiten normalised patches, largest variance first."""
    patches = _patches(task, op)
    centred = patches - patches.mean(0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    scaled = directions[:, ::-1] / np.sqrt(variances[::-1].clip(0) + EPSILON)
    channels = task.shape[0]
    return scaled.T.reshape(-1, channels, *op.kernel).astype(np.float32)


def _patches(task: Task, op: ops.Conv) -> NDArray[np.float64]:
    """Return patches (number, channels * positions) spread evenly over the first training examples."""
    examples = task.parts.train.inputs
    inputs = examples[: max(1, min(EXAMPLES, ELEMENTS // prod(examples.shape[1:])))].astype(np.float32)
    mean, deviation = (np.asarray(moment, np.float32) for moment in task.moments)
    normalised = (inputs - mean) / deviation
    spans = tuple(d * (k - 1) + 1 for k, d in zip(op.kernel, op.dilation, strict=True))
    axes = tuple(range(1, inputs.ndim - 1))
    # (examples, *places, channels, *kernel), without a copy
    windows: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(normalised, spans, axis=axes)
    dilated: Any = (..., *(slice(None, None, d) for d in op.dilation))
    windows = windows[dilated]
    places = windows.shape[: 1 + len(spans)]
    total = prod(places)
    taken = windows[np.unravel_index(np.arange(0, total, max(1, total // WINDOWS)), places)]
    return taken.reshape(len(taken), -1).astype(np.float64)
