"""A learner at rest: its weights by canonical name, and what an identical learner needs to go on exactly."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amla.spec.architecture import Architecture, NodeId

Arrays = Mapping[str, NDArray[np.generic]]
PICK = "pick"  # the role of the logits of a Pick's inputs, after its fixed ones, among the weights of a mixture


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Weights after `steps` optimiser steps.

    `weights` are named "<node id>.<role>" ("stage0/cell1/3x3/conv.kernel"), in the layouts of `amla.spec.costs`
    (`weights` and `buffers`), so that libraries exchange them. `resume` (optimiser state and the like) only means
    something to a learner of the same library, and to go on exactly, of the same architecture and method. `steps` are
    those of all legs before, those of other architectures among them.
    """

    architecture: Architecture
    method: str
    steps: int
    weights: Arrays
    resume: Arrays


def weight_name(node_id: NodeId, role: str) -> str:
    """Return the canonical name of a weight."""
    return f"{node_id}.{role}"


def ungrouped(resume: Arrays) -> dict[str, dict[str, NDArray[np.generic]]]:
    """Return arrays called "<group>/<name>" by group and name."""
    groups: dict[str, dict[str, NDArray[np.generic]]] = {}
    for key, array in resume.items():
        group, name = key.split("/", 1)
        groups.setdefault(group, {})[name] = array
    return groups
