"""The PyTorch backend: picks the device, and builds learners."""

from weakref import finalize

import torch

from amla.backends.protocol import Learner
from amla.backends.torch import memory
from amla.backends.torch.learner import TorchLearner
from amla.backends.torch.oneshot.paths import PathLearner
from amla.backends.torch.oneshot.relax import RelaxLearner
from amla.spec.architecture import Architecture
from amla.tasks.task import Task
from amla.trials.trial import Fit, Method, Relax, SamplePaths

DEVICES = ("cpu", "cuda", "mps")


class TorchBackend:
    """Trains with PyTorch on `device` ("cpu", "cuda", "mps"; None: the best there is). Raises ValueError for others.

    `threads` are those of the whole process from now on; None leaves them as they are.
    """

    def __init__(self, device: str | None = None, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.device = _usable(device) if device else torch.device(_best_device())

    def build(self, architecture: Architecture, method: Method, task: Task, seed: int) -> Learner:
        """Return an untrained learner. Raises SpecError where an open architecture cannot be trained by its method."""
        learner: TorchLearner | RelaxLearner | PathLearner
        match method:
            case Fit():
                learner = TorchLearner(architecture, task, seed, self.device)
            case Relax() as relax:
                learner = RelaxLearner(architecture, relax, task, seed, self.device)
            case SamplePaths() as sample:
                learner = PathLearner(architecture, sample, task, seed, self.device)
        if self.device.type == "cpu":
            memory.keep_freed()
            finalize(learner, memory.give_back).atexit = False
        return learner


def _usable(name: str) -> torch.device:
    """Return the device called `name`. Raises ValueError if this machine has none."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)  # PyTorch finds out only now
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"{name!r} is no device here: {str(error).splitlines()[0]}") from None
    if device.type not in DEVICES:
        raise ValueError(f"{name!r} is no device to train on; there are {', '.join(DEVICES)}.")
    return device


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
