"""The PyTorch backend: picks the device, and builds learners."""

from weakref import finalize

import torch

from amla.backends.protocol import Learner, Member
from amla.backends.torch import memory
from amla.backends.torch.crew import Alone, Crew
from amla.backends.torch.learner import TorchLearner
from amla.backends.torch.oneshot.paths import PathLearner
from amla.backends.torch.oneshot.relax import RelaxLearner
from amla.backends.torch.untrained.learner import UntrainedLearner
from amla.spec.architecture import Architecture
from amla.tasks.task import Task
from amla.trials.trial import Fit, Method, Relax, SamplePaths, Untrained

DEVICES = ("cpu", "cuda", "mps")


class TorchBackend:
    """Trains with PyTorch on `device` ("cpu", "cuda", "mps"; None: the best there is). Raises ValueError for others.

    `threads` are those of the whole process from now on; None leaves them as they are. As a `member` of a crew it has
    the GPU of its number, where there are GPUs, and what it builds trains together with what the others build.
    """

    def __init__(self, device: str | None = None, threads: int | None = None, member: Member | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._member = member
        name = device or _best_device()
        self.device = _usable(name if member is None else _of_member(name, member))

    def build(self, architecture: Architecture, method: Method, task: Task, seed: int) -> Learner:
        """Return an untrained learner. Raises SpecError where an open architecture cannot be trained by its method."""
        learner: TorchLearner | RelaxLearner | PathLearner | UntrainedLearner
        match method:
            case Fit():
                crew = Alone() if self._member is None else Crew(self._member, architecture, self.device)
                learner = TorchLearner(architecture, task, seed, self.device, crew)
            case Relax() as relax:
                learner = RelaxLearner(architecture, relax, task, seed, self.device)
            case SamplePaths() as sample:
                learner = PathLearner(architecture, sample, task, seed, self.device)
            case Untrained() as untrained:
                learner = UntrainedLearner(architecture, untrained, task, seed, self.device)
        if self.device.type == "cpu":
            memory.keep_freed()
            finalize(learner, memory.give_back).atexit = False
        return learner


def _of_member(name: str, member: Member) -> str:
    """Return which device of those called `name` a member has. Raises ValueError unless there is one for each."""
    if name == "cpu":
        return name
    if name != "cuda":
        raise ValueError(f"{name!r} is one device, and there must be {member.of}; give 'cuda' or 'cpu'.")
    if torch.cuda.device_count() < member.of:
        raise ValueError(f"There must be {member.of} GPUs, but here are {torch.cuda.device_count()}.")
    return f"cuda:{member.number}"


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
