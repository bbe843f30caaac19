"""The law of scores: those of an untrained network follow from it, the seed and the data, and from nothing else."""

from __future__ import annotations  # learners and tasks are named for type checkers only, so that no library is loaded

from collections.abc import Mapping
from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from amla.backends.initial import initial
from amla.scores import COMBINED, COUNTED, SCORES
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials.snapshot import weight_name
from amla.trials.trial import Fit, Untrained

if TYPE_CHECKING:
    from amla.backends.protocol import Backend
    from amla.tasks.task import Task

ALL = (*SCORES, *COMBINED)
MEASURED = tuple(name for name in SCORES if name not in COUNTED)
WITHOUT_DATA = ("synflow", "zen", "expressivity", "progressivity", "trainability")
EXAMPLES = 8
TOLERANCE = 1e-4  # of a sum of paths, relatively


def check_untrained(backend: Backend, task: Task, network: Architecture, *, seed: int = 0) -> None:
    """Raise AssertionError where a backend breaks the law of scores, by a closed `network` that all can be had of,
    and in which every block does something.

    The same seed gives the same scores, whatever else is asked for, was asked for before, or was trained meanwhile;
    another seed gives others. Those that need no data are the same whatever the data are, of which `task` has a part
    held out. `synflow` of a linear network is the sum over its paths, once for each layer.
    """
    together = _scores(backend, task, network, ALL, seed)
    if together.keys() != set(MEASURED):
        raise AssertionError(f"Asked for {sorted(MEASURED)}, it gives {sorted(together)}.")
    backend.build(network, Fit(), task, seed).fit(1, 1, _ignore)
    for names in (ALL, *((name,) for name in reversed(MEASURED))):
        found = _scores(backend, task, network, names, seed)
        if changed := [name for name in found if found[name] != together[name]]:
            raise AssertionError(
                f"{changed[0]} was {together[changed[0]]}, and is {found[changed[0]]} when asked for again"
                f"{' alone' if names != ALL else ''}; it may depend on network, seed and data only."
            )
    other = _scores(backend, task, network, ALL, seed + 1)
    if same := [name for name in MEASURED if other[name] == together[name] and np.isfinite(other[name])]:
        raise AssertionError(f"{same[0]} is the same with another seed; weights must be drawn by it.")
    elsewhere = _scores(backend, task.final(), network, WITHOUT_DATA, seed)
    if changed := [name for name in elsewhere if elsewhere[name] != together[name]]:
        raise AssertionError(f"{changed[0]} is another one with other data, which it does not look at.")
    _check_paths(backend, task, seed)


def _check_paths(backend: Backend, task: Task, seed: int) -> None:
    nodes = (
        Node("image", ops.Input(task.shape)),
        Node("flat", ops.Flatten(), ("image",)),
        Node("hidden", ops.Dense(5, bias=False), ("flat",)),
        Node("norm", ops.LayerNorm(), ("hidden",)),
        Node("active", ops.Activation("tanh"), ("norm",)),
        Node("logits", ops.Classify(task.classes, bias=False), ("active",)),
    )
    network = Architecture(nodes)
    weights = initial(network, seed)
    first, last = (np.abs(weights[weight_name(node, "kernel")].astype(float)) for node in ("hidden", "logits"))
    expected = 2 * float((last @ first).sum())
    found = _scores(backend, task, network, ("synflow",), seed)["synflow"]
    if not isclose(found, expected, rel_tol=TOLERANCE):
        raise AssertionError(f"synflow of two linear layers is {found}; twice the sum of its paths is {expected}.")


def _scores(
    backend: Backend, task: Task, network: Architecture, names: tuple[str, ...], seed: int
) -> Mapping[str, float]:
    return backend.build(network, Untrained(names, EXAMPLES), task, seed).score()


def _ignore(step: int, loss: float, accuracy: float, rate: float) -> None:
    """Take no notice of a line of a learning curve."""
