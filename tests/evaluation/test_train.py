"""The order of a trial, its checkpoints, and its failures as data; on a made-up backend that only counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

from amla.backends.energy import Counter, Energy, Reading
from amla.backends.protocol import Beat, Diverged, OutOfMemory
from amla.evaluation.train import Training
from amla.execution.work import is_of_the_machine
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.values import SpecError
from amla.tasks.dataset import Dataset, Examples, split
from amla.tasks.moments import of_channels
from amla.tasks.recipe import Recipe, Small
from amla.tasks.task import Task
from amla.trials.progress import Progress, silent
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Cost, Failure, Measurement, Method, Proposal, Trial


def network(width: int = 4) -> Architecture:
    return Architecture(
        (
            Node("x", ops.Input((1, 4, 4))),
            Node("c", ops.Conv(width, (3, 3)), ("x",)),
            Node("g", ops.GlobalPool(), ("c",)),
            Node("y", ops.Classify(2), ("g",)),
        )
    )


def task() -> Task:
    labels = np.arange(40, dtype=np.int64) % 2
    data = Dataset("d", "f", ("a", "b"), Examples(np.zeros((40, 4, 4, 1), np.uint8), labels), None, None)
    return Task(data, split(data), Recipe(batch=8))


@dataclass
class Clock:
    """Time that passes when a step is taken."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Counting:
    """A learner whose weights are the number of steps it has taken."""

    architecture: Architecture
    clock: Clock
    fault: Callable[[int], None]
    steps: int = 0
    log: list[str] = field(default_factory=list)

    def watch(self, probes: Mapping[str, tuple[str, ...]]) -> None:
        self.log.append("watch")

    def restore(self, snapshot: Snapshot) -> None:
        self.log.append("restore")
        if snapshot.architecture == self.architecture:
            self.steps = snapshot.steps

    def fit(self, steps: int, horizon: int, beat: Beat) -> None:
        for _ in range(steps):
            self.fault(self.steps)
            self.steps += 1
            self.clock.now += 1.0
            beat(self.steps, 1.0, 0.5, 0.1)
        self.log.append(f"fit {steps} of {horizon}")

    def statistics(self) -> Mapping[str, Mapping[str, float]]:
        return {"msss": {"c": 1.0}}

    def score(self) -> Mapping[str, float]:
        return {"accuracy": 0.5}

    def cost(self, steps: int) -> Cost:
        return Cost("cpu", float(steps))

    def snapshot(self) -> Snapshot:
        return Snapshot(self.architecture, "fit", self.steps, {"n": np.array(self.steps)}, {})


@dataclass
class CountingBackend:
    clock: Clock = field(default_factory=Clock)
    fault: Callable[[int], None] = lambda step: None
    built: list[Counting] = field(default_factory=list)

    def build(self, architecture: Architecture, method: Method, task: Task, seed: int) -> Counting:
        self.built.append(Counting(architecture, self.clock, self.fault))
        return self.built[-1]


class Memory(dict[str, Snapshot]):
    def save(self, key: str, snapshot: Snapshot) -> None:
        self[key] = snapshot

    def load(self, key: str) -> Snapshot:
        return self[key]

    def exists(self, key: str) -> bool:
        return key in self

    def drop(self, key: str) -> None:
        self.pop(key, None)


def nothing() -> Reading:
    return {}


def training(
    backend: CountingBackend, snapshots: Memory, reading: Callable[[], Reading] = nothing, **options: float
) -> Training:
    energy = partial(Energy, 0.5, reading, backend.clock)
    return Training("s", backend, task(), snapshots, clock=backend.clock, energy=energy, **options)  # type: ignore[arg-type]


def test_a_leg_is_built_watched_fitted_scored_and_saved() -> None:
    backend, snapshots, heard = CountingBackend(), Memory(), []
    outcome = training(backend, snapshots)(Trial(3, Proposal(network(), 7)), heard.append)
    assert isinstance(outcome, Measurement)
    assert outcome.metrics["accuracy"] == 0.5
    assert outcome.metrics["steps"] == 7
    assert outcome.metrics["parameters"] == 4 * 9 + 2 * 4 + 2
    assert outcome.cost == Cost("cpu", 7.0)
    assert outcome.seconds == 7.0
    assert list(snapshots) == ["s/3"]
    assert backend.built[0].log == ["watch", "fit 7 of 7"]
    assert heard[-1] == Progress(3, 7, 7, 1.0, 0.5, 0.1, 7.0)


def test_a_leg_starts_from_the_weights_of_another() -> None:
    backend, snapshots = CountingBackend(), Memory()
    run = training(backend, snapshots)
    run(Trial(0, Proposal(network(), 5, horizon=20)), silent)
    outcome = run(Trial(1, Proposal(network(), 6, start=0, horizon=20)), silent)
    assert isinstance(outcome, Measurement)
    assert outcome.metrics["steps"] == 11
    assert outcome.cost == Cost("cpu", 6.0)
    assert backend.built[1].log == ["restore", "watch", "fit 6 of 20"]


def test_the_energy_of_a_trial_is_its_share_of_what_the_machine_used_meanwhile() -> None:
    backend, readings = CountingBackend(), list[float]()

    def reading() -> Reading:
        readings.append(backend.clock.now)
        return {"cpu": (Counter(3.0 * backend.clock.now % 40.0, 40.0),)}

    run = training(backend, Memory(), reading)
    outcome = run(Trial(0, Proposal(network(), 50)), silent)
    assert isinstance(outcome, Measurement)
    assert outcome.cost == Cost("cpu", 50.0, 0.5 * 3.0 * 50)
    assert readings == [0, 10, 20, 30, 40, 50, 50]
    again = run(Trial(1, Proposal(network(), 5)), silent)
    assert isinstance(again, Measurement)
    assert again.cost == Cost("cpu", 5.0, 0.5 * 3.0 * 5)


def test_weights_that_nobody_will_start_from_are_not_kept() -> None:
    snapshots = Memory()
    training(CountingBackend(), snapshots)(Trial(0, Proposal(network(), 5, keep=False)), silent)
    assert not snapshots


def test_what_is_known_of_the_data_is_found_once_for_all_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    made, read = list[Task](), list[object]()
    monkeypatch.setattr("amla.tasks.dataset.of_channels", lambda *given: read.append(given) or of_channels(*given))

    class Normalising(CountingBackend):
        def build(self, architecture: Architecture, method: Method, task: Task, seed: int) -> Counting:
            made.append(task)
            assert task.moments == ((0.0,), (1.0,))
            return super().build(architecture, method, task, seed)

    run = training(Normalising(), Memory())
    for number, changes in enumerate([{}, {"optimiser.rate": 0.2}, {"optimiser.rate": 0.3}]):
        assert isinstance(run(Trial(number, Proposal(network(), 1, recipe=changes)), silent), Measurement)
    assert [each.recipe.optimiser.rate for each in made][1:] == [0.2, 0.3]
    assert len(read) == 1


def test_a_trial_that_was_cut_off_goes_on_from_its_checkpoint() -> None:
    def die(step: int) -> None:
        if step == 57:
            raise KeyboardInterrupt

    snapshots = Memory()
    trial = Trial(0, Proposal(network(), 80))
    with pytest.raises(KeyboardInterrupt):
        training(CountingBackend(fault=die), snapshots, checkpoint_seconds=20.0)(trial, silent)
    assert list(snapshots) == ["s/0-cut-off"]
    backend = CountingBackend()
    outcome = training(backend, snapshots, checkpoint_seconds=20.0)(trial, silent)
    assert isinstance(outcome, Measurement)
    assert outcome.metrics["steps"] == 80
    assert backend.built[0].log[:2] == ["watch", "restore"]
    assert backend.built[0].clock.now == 80 - 50
    assert list(snapshots) == ["s/0"]


def test_a_damaged_checkpoint_begins_the_leg_again() -> None:
    class Torn(Memory):
        def load(self, key: str) -> Snapshot:
            raise ValueError("torn")

    snapshots = Torn({"s/0-cut-off": Snapshot(network(), "fit", 5, {}, {})})
    outcome = training(CountingBackend(), snapshots)(Trial(0, Proposal(network(), 8)), silent)
    assert isinstance(outcome, Measurement)
    assert outcome.metrics["steps"] == 8


def test_a_damaged_start_is_no_fault_of_the_trial() -> None:
    class Torn(Memory):
        def load(self, key: str) -> Snapshot:
            raise ValueError("torn")

    with pytest.raises(OSError, match=r"weights that trial 0 left .*: 's/0'") as raised:
        training(CountingBackend(), Torn())(Trial(1, Proposal(network(), 8, start=0)), silent)
    assert is_of_the_machine(raised.value)


def test_the_environment_says_how_often_there_are_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMLA_CHECKPOINTS", raising=False)
    assert training(CountingBackend(), Memory()).checkpoint_seconds == 30
    monkeypatch.setenv("AMLA_CHECKPOINTS", "2.5")
    assert training(CountingBackend(), Memory()).checkpoint_seconds == 2.5
    for said in ("often", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("AMLA_CHECKPOINTS", said)
        with pytest.raises(SpecError, match=f"AMLA_CHECKPOINTS in the environment is '{said}'; it must be seconds"):
            training(CountingBackend(), Memory())


@pytest.mark.parametrize("steps", [5, 9])
def test_a_checkpoint_of_another_proposal_is_not_gone_on_from(steps: int) -> None:
    other = network() if steps == 9 else Architecture(network().nodes[:-1])
    backend, snapshots = CountingBackend(), Memory({"s/0-cut-off": Snapshot(other, "fit", steps, {}, {})})
    training(backend, snapshots)(Trial(0, Proposal(network(), 8)), silent)
    assert backend.built[0].log == ["watch", "fit 8 of 8"]


@pytest.mark.parametrize(
    ("error", "reason"), [(Diverged("the loss was nan"), "diverged"), (OutOfMemory("no memory"), "out_of_memory")]
)
def test_failures_of_training_are_data(error: Exception, reason: str) -> None:
    def fail(step: int) -> None:
        if step == 3:
            raise error

    outcome = training(CountingBackend(fault=fail), Memory())(Trial(0, Proposal(network(), 8)), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == reason
    assert str(error) in outcome.message
    assert outcome.seconds == 3.0


def test_a_trial_that_takes_too_long_is_stopped() -> None:
    outcome = training(CountingBackend(), Memory(), seconds=5.0)(Trial(0, Proposal(network(), 100)), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "timeout"
    assert outcome.message == "stopped after 5.0 s, the limit of a trial"


def test_an_absurd_width_is_refused_by_counted_cost_before_anything_is_built() -> None:
    backend = CountingBackend()
    outcome = training(backend, Memory())(Trial(0, Proposal(network(2**31 - 1), 5)), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"
    assert "needs about" in outcome.message
    assert "the limit is" in outcome.message
    assert not backend.built


def test_a_memory_limit_of_ones_own_is_held() -> None:
    run = training(CountingBackend(), Memory(), memory=1000)
    outcome = run(Trial(0, Proposal(network(), 5)), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"


def test_shapes_that_do_not_fit_are_infeasible() -> None:
    nodes = (
        Node("x", ops.Input((1, 4, 4))),
        Node("p", ops.Pool("max", (2, 2), (2, 2)), ("x",)),
        Node("m", ops.Merge("add"), ("x", "p")),
    )
    outcome = training(CountingBackend(), Memory())(Trial(0, Proposal(Architecture(nodes), 5)), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"
    assert "Node 'm'" in outcome.message


def test_a_network_of_one_size_cannot_be_shown_smaller_images() -> None:
    nodes = (
        Node("x", ops.Input((1, 4, 4))),
        Node("f", ops.Flatten(), ("x",)),
        Node("y", ops.Classify(2), ("f",)),
    )
    backend = CountingBackend()
    shrinking = task().with_recipe(Recipe(batch=8, small=Small(0.5, 0.5)))
    run = Training("s", backend, shrinking, Memory(), clock=backend.clock)
    outcome = run(Trial(0, Proposal(Architecture(nodes), 5)), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"
    assert "'y' reads inputs of one size only" in outcome.message
    assert not backend.built
