"""The law of backends finds those that break it, and says how."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from amla.spaces.envelope import envelope
from amla.spec.architecture import Architecture
from amla.spec.costs import buffers, shapes, weights
from amla.spec.ops import Size
from amla.testing import check_backend
from amla.trials.snapshot import Snapshot, weight_name
from amla.trials.trial import Cost, Method, Table

SPACE = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(3,), branches=("1x1", "3x3")).space
NETWORK = SPACE.sample(np.random.default_rng(0))


@dataclass(frozen=True)
class Adder:
    """A library that adds to every weight, at every step, a number that follows from seed and step; but for a fault."""

    fault: str = ""

    def build(self, architecture: Architecture, method: Method, task: object, seed: int) -> "Sum":
        return Sum(self.fault, architecture, seed)


class Sum:
    def __init__(self, fault: str, architecture: Architecture, seed: int) -> None:
        self._fault, self._architecture, self._seed = fault, architecture, seed
        rng = np.random.default_rng({"one seed": 0, "no seed": None}.get(fault, seed))
        self._weights = {name: rng.random(shape) for name, shape in _shapes(architecture, fault)}
        self._moment, self._seen, self.steps = np.zeros(1), 0.0, 0

    def restore(self, snapshot: Snapshot) -> None:
        same = snapshot.architecture == self._architecture
        if same or self._fault != "disinherited":
            self._weights = {name: array.copy() for name, array in snapshot.weights.items()}
        if same or self._fault != "begins anew":
            self.steps = snapshot.steps
        if same and self._fault != "forgets its state":
            self._moment, self._seen = snapshot.resume["moment"].copy(), float(snapshot.resume["seen"][0])

    def watch(self, probes: object) -> None:
        self._seen = 0.0

    def fit(self, steps: int, horizon: int, beat: object) -> None:
        for step in range(self.steps, self.steps + steps):
            drawn = np.random.default_rng((self._seed, step)).random()
            self._moment *= 0.9
            self._moment += drawn / horizon
            self._seen += drawn
            for array in self._weights.values():
                array += self._moment
        self.steps += 0 if self._fault == "does not count" else steps

    def statistics(self) -> dict[str, Table]:
        return {"msss": {"all": float(id(self)) if self._fault == "reads at random" else self._seen}}

    def score(self) -> Table:
        self._moment += 1.0 if self._fault == "learns from scoring" else 0.0
        return {"accuracy": float(id(self)) if self._fault == "scores at random" else 0.5}

    def cost(self, steps: int) -> Cost:
        return Cost("none", 0.0)

    def snapshot(self) -> Snapshot:
        lent, lent_state = self._fault == "lends its weights", self._fault == "lends its state"
        arrays = {name: array if lent else array.copy() for name, array in self._weights.items()}
        resume = {"moment": self._moment if lent_state else self._moment.copy(), "seen": np.array([self._seen])}
        return Snapshot(self._architecture, "fit", self.steps, arrays, resume)


def _shapes(architecture: Architecture, fault: str) -> Iterator[tuple[str, Size]]:
    found = shapes(architecture)
    for node in architecture:
        source = found[node.inputs[0]] if node.inputs else ()
        remembered = {} if fault == "has no buffers" else buffers(node.op, source)
        for role, shape in (weights(node.op, source) | remembered).items():
            yield weight_name(node.id, role), shape[::-1] if fault == "has another layout" else shape


def test_a_library_that_only_adds_is_none_of_them():
    check_backend(Adder(), None, NETWORK)


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("one seed", "Seeds 0 and 1 give the same weights"),
        ("no seed", "A learner with the same seed differs in weight"),
        ("has no buffers", r"Weight '.*mean' has shape None; it should be"),
        ("has another layout", r"Weight '.*kernel' has shape .*; it should be"),
        ("forgets its state", "A learner restored in between differs in weight"),
        ("does not count", "from step 0 says it is at 0"),
        ("learns from scoring", "A learner that was saved and scored in between differs in weight"),
        ("scores at random", r"score\(\) of a learner restored in between"),
        ("reads at random", r"statistics\(\) of a learner restored in between"),
        ("lends its weights", "in a snapshot changed when its learner went on"),
        ("lends its state", "'moment' in a snapshot changed when its learner went on"),
        ("disinherited", "did not inherit"),
        ("begins anew", "should go on there; it is at 0"),
    ],
)
def test_a_library_that_is_not_exact_is_found(fault: str, broken: str):
    with pytest.raises(AssertionError, match=broken):
        check_backend(Adder(fault), None, NETWORK)
