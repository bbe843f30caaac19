"""The law of scores finds backends that break it, and says how."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from made_up import make_task

from amla.backends.torch.backend import TorchBackend
from amla.spaces.nasbench201 import nasbench201
from amla.spec.architecture import Architecture
from amla.testing import check_untrained
from amla.trials.trial import Method, Table, Untrained

NETWORK = nasbench201((3, 8, 8), 4, width=4, cells=1).sample(np.random.default_rng(0))


@dataclass
class Faulty:
    """PyTorch, but for a fault."""

    fault: str = ""
    built: list[int] = field(default_factory=list)

    def build(self, architecture: Architecture, method: Method, task: Any, seed: int) -> Any:
        self.built.append(seed)
        seed = 0 if self.fault == "always the same weights" else seed
        learner = TorchBackend("cpu").build(architecture, method, task, seed)
        return Twisted(self, learner, method, task) if isinstance(method, Untrained) else learner


@dataclass
class Twisted:
    backend: Faulty
    learner: Any
    method: Untrained
    task: Any

    def score(self) -> Table:
        found = dict(self.learner.score())
        match self.backend.fault:
            case "remembers":
                found = {name: number + len(self.backend.built) for name, number in found.items()}
            case "scores together" if len(found) > 1:
                found["naswot"] = found.get("naswot", 0.0) + 1
            case "looks at the data" if "synflow" in found:
                found["synflow"] += float(self.task.fitting.inputs.sum())
            case "counts a layer once" if "synflow" in found:
                found["synflow"] /= 2
            case "forgets one":
                found.pop("zen", None)
        return found


def test_pytorch_keeps_the_law():
    check_untrained(Faulty(), make_task(), NETWORK)


FAULTS = {
    "remembers": "when asked for again",
    "scores together": "naswot .* when asked for again alone",
    "always the same weights": "the same with another seed",
    "looks at the data": "synflow is another one with other data",
    "counts a layer once": "twice the sum of its paths",
    "forgets one": "it gives",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_backend_that_breaks_the_law_is_found(fault: str):
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_untrained(Faulty(fault), make_task(), NETWORK)
