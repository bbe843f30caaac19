"""The weights a network starts with: the same numbers in every library, a function of (seed, node id, role)."""

from collections.abc import Mapping
from hashlib import blake2b
from math import prod, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amla.spec import ops
from amla.spec.architecture import Architecture, Node, NodeId
from amla.spec.costs import buffers, shapes, weights
from amla.spec.ops import Size
from amla.trials.snapshot import weight_name


def initial(
    architecture: Architecture, seed: int, start: Literal["he", "identity"] = "he"
) -> dict[str, NDArray[np.float32]]:
    """Return every weight and buffer of a closed architecture by its canonical name, in single precision.

    Kernels are normal with variance 2 / fan-in (He et al. 2015), those of `classify` with variance 1 / fan-in; biases
    and shifts are 0, scales 1; a Scale node starts where its op says. With `start` "identity" the filters of a
    convolution without groups each pass one input channel on, as far as there are channels and filters: the first ones,
    or in branches that are concatenated those at the place of the filter in the whole, so that a cell of several
    branches passes on what one of a single branch does. Depthwise filters pass their channel on.
    """
    found = shapes(architecture)
    places = _places(architecture, found) if start == "identity" else {}
    drawn: dict[str, NDArray[np.float32]] = {}
    for node in architecture:
        source = found[node.inputs[0]] if node.inputs else ()
        for role, shape in (weights(node.op, source) | buffers(node.op, source)).items():
            drawn[weight_name(node.id, role)] = _draw(node, role, shape, seed)
        if start == "identity" and isinstance(node.op, ops.Conv) and node.op.groups == 1:
            _pass_on(drawn[weight_name(node.id, "kernel")], places.get(node.id, 0))
        if start == "identity" and isinstance(node.op, ops.Depthwise) and node.op.multiplier == 1:
            for kernel in drawn[weight_name(node.id, "kernel")]:
                _pass_on(kernel[np.newaxis], 0)
    return drawn


def standard(architecture: Architecture, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return what `initial` draws, but every kernel normal with variance 1, whatever its fan-in."""
    found = shapes(architecture)
    drawn = initial(architecture, seed)
    for node in architecture:
        for role, shape in weights(node.op, found[node.inputs[0]] if node.inputs else ()).items():
            if role == "kernel":
                drawn[weight_name(node.id, role)] = _normal(node.id, role, shape, seed)
    return drawn


def _places(architecture: Architecture, found: Mapping[NodeId, Size]) -> dict[NodeId, int]:
    """Return where the outputs of each convolution lie in the concatenation that reads them, if one does."""
    places: dict[NodeId, int] = {}
    for node in architecture:
        if isinstance(node.op, ops.Merge) and node.op.how == "concat":
            place = 0
            for branch in node.inputs:
                before = architecture[branch]
                while isinstance(before.op, ops.Activation | ops.BatchNorm | ops.Pool):
                    before = architecture[before.inputs[0]]
                if isinstance(before.op, ops.Conv):
                    places.setdefault(before.id, place)
                place += found[branch][0]
    return places


def _pass_on(kernel: NDArray[np.float32], place: int) -> None:
    """Let filter n of a kernel (channels, inputs, *window) be 1 at the centre of input `place` + n, and 0 elsewhere."""
    filters, inputs, *window = kernel.shape
    centre = tuple((extent - 1) // 2 for extent in window)
    for number in range(min(filters, inputs - place)):
        kernel[number] = 0
        kernel[number, place + number][centre] = 1


def _draw(node: Node, role: str, shape: Size, seed: int) -> NDArray[np.float32]:
    match node.op, role:
        case ops.Scale(initial=start, spread=spread), "scale":
            return np.asarray(start + spread * _normal(node.id, role, shape, seed), dtype=np.float32)
        case (ops.Classify(), "kernel"):
            return _normal(node.id, role, shape, seed) / np.float32(sqrt(shape[1]))
        case _, "kernel":
            return _normal(node.id, role, shape, seed) * np.float32(sqrt(2 / prod(shape[1:])))
        case _, ("scale" | "variance"):
            return np.ones(shape, dtype=np.float32)
        case _:
            return np.zeros(shape, dtype=np.float32)


def _normal(node_id: str, role: str, shape: Size, seed: int) -> NDArray[np.float32]:
    place = int.from_bytes(blake2b(weight_name(node_id, role).encode(), digest_size=8).digest(), "big")
    return np.random.default_rng((seed, place)).standard_normal(shape, dtype=np.float32)
