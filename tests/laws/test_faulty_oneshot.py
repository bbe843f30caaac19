"""The law of one-shot methods finds backends that break it, and says how."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from made_up import make_task
from open_networks import cells, ties

from amla.backends.torch.backend import TorchBackend
from amla.spec.architecture import Architecture
from amla.testing import check_one_shot
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Cost, Fit, Method, Relax, SamplePaths, Table

TEMPLATE = cells(count=2, nodes=2)


@dataclass(frozen=True)
class Faulty:
    """PyTorch, but for a fault."""

    fault: str = ""

    def build(self, architecture: Architecture, method: Method, task: Any, seed: int) -> "Twisted":
        if self.fault == "forgets ties" and isinstance(method, Relax):
            method = replace(method, tied={})
        if self.fault == "another path" and isinstance(method, SamplePaths):
            method = replace(method, paths=method.paths[::-1])
        return Twisted(self.fault, TorchBackend("cpu").build(architecture, method, task, seed), method)


class Twisted:
    def __init__(self, fault: str, learner: Any, method: Method) -> None:
        self._fault, self._learner, self._method = fault, learner, method

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def restore(self, snapshot: Snapshot) -> None:
        closed, inherits = isinstance(self._method, Fit), snapshot.architecture.is_open
        if self._fault == "disinherited" and closed:
            self._learner.steps = snapshot.steps
            return
        if self._fault == "forgets pick weights" and not closed:
            weights = {name: array for name, array in snapshot.weights.items() if not name.endswith(".pick")}
            snapshot = replace(snapshot, weights=weights)
        if self._fault == "forgets momentum" and not closed:
            snapshot = replace(snapshot, resume={})
        self._learner.restore(snapshot)
        if self._fault == "begins anew" and closed and inherits:
            self._learner.steps = 0

    def score(self) -> Table:
        found = self._learner.score()
        if self._fault == "scores another mixture" and isinstance(self._method, Relax):
            return {**found, "loss": found["loss"] * 1.01}
        return found

    def statistics(self) -> Mapping[str, Table]:
        found = self._learner.statistics()
        return {} if self._fault == "keeps quiet" and isinstance(self._method, SamplePaths) else found

    def cost(self, steps: int) -> Cost:
        free = self._fault == "for nothing" and isinstance(self._method, Relax)
        return Cost("none", 0.0) if free else self._learner.cost(steps)

    def snapshot(self) -> Snapshot:
        kept = self._learner.snapshot()
        if self._fault == "keeps pick weights" and isinstance(self._method, Relax):
            return replace(kept, weights={name: a for name, a in kept.weights.items() if not name.endswith(".pick")})
        return kept


def test_what_they_are_made_of_has_no_fault():
    check_one_shot(Faulty(), make_task(), TEMPLATE, tied=ties(TEMPLATE))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("forgets ties", "A mixture whose Picks have settled has a loss of"),
        ("another path", "Path 0 has a loss of"),
        ("disinherited", "A mixture whose Picks have settled has a loss of"),
        ("forgets pick weights", r"restored in between differs in weight '.*pick'"),
        ("forgets momentum", "A learner restored in between differs in"),
        ("begins anew", "should go on there, not 0"),
        ("scores another mixture", "A mixture whose Picks have settled has a loss of"),
        ("keeps quiet", "Path 0 has a loss of None"),
        ("for nothing", "A step of a mixture is counted as 0.0 operations"),
        ("keeps pick weights", "should have its pick weights"),
    ],
)
def test_faults_are_found(fault: str, message: str):
    with pytest.raises(AssertionError, match=message):
        check_one_shot(Faulty(fault), make_task(), TEMPLATE, tied=ties(TEMPLATE))
