"""What the network of a run says of inputs that it has never seen."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from amla.export.source import Facts
from amla.spec.architecture import Architecture
from amla.study.exporting import needed
from amla.study.study import StudyError
from amla.trials.snapshot import Arrays

Predict = Callable[[NDArray[np.generic]], NDArray[np.float64]]


def predictor(architecture: Architecture, weights: Arrays, facts: Facts, device: str | None = None) -> Predict:
    """Return what maps inputs (n, *spatial, channels), as they are in files, to probabilities (n, classes).

    It scores as the final evaluation of the run did. Raises StudyError where PyTorch or the device is missing.
    """
    running = needed("amla.export.running", "torch")
    try:
        predict: Predict = running.Runner(architecture, weights, facts, device)
    except ValueError as error:
        raise StudyError(f"device: {error}") from None
    return predict


def labels_of(classes: tuple[str, ...]) -> NDArray[np.generic]:
    """Return the classes as the data had them, (classes,): numbers where all are called by numbers, else names."""
    if all(name.isascii() and name.isdecimal() and str(int(name)) == name for name in classes):
        return np.array([int(name) for name in classes], np.int64)
    return np.array(classes)
