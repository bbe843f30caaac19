"""The PyTorch backend: picks the device, and builds learners."""

import torch

from amla.backends.torch.learner import TorchLearner
from amla.spec.architecture import Architecture
from amla.tasks.task import Task
from amla.trials.trial import Fit, Method


class TorchBackend:
    """Trains with PyTorch on `device` ("cuda", "mps", "cpu"; None: the best there is)."""

    def __init__(self, device: str | None = None) -> None:
        self.device = torch.device(device or _best_device())

    def build(self, architecture: Architecture, method: Method, task: Task, seed: int) -> TorchLearner:
        """Return an untrained learner. Raises NotImplementedError for a method that PyTorch learners lack."""
        match method:
            case Fit():
                return TorchLearner(architecture, task, seed, self.device)
            case _:
                raise NotImplementedError(f"The PyTorch backend cannot train by {method.kind!r} yet; use 'fit'.")


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
