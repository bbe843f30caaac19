"""Weights that are torn, altered or gone are trained again before a trial starts from them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.storage.errors import DamagedFile
from amla.storage.files import Files
from amla.study.mending import Mending
from amla.trials.history import History
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId

NODES = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
NETWORK = Architecture((*NODES, Node("logits", ops.Classify(2), ("head",))))
OTHER = Architecture((*NODES, Node("logits", ops.Classify(3), ("head",))))


@dataclass
class Machine:
    """An executor that leaves weights; each leg adds to those that it starts from."""

    files: Files
    workers: int = 1
    fails: frozenset[TrialId] = frozenset()
    ran: list[TrialId] = field(default_factory=list)
    taken: list[Trial] = field(default_factory=list)

    @property
    def idle(self) -> int:
        return self.workers - len(self.taken)

    def submit(self, trial: Trial) -> None:
        assert self.idle
        assert trial.id not in {other.id for other in self.taken}
        self.taken.append(trial)

    def wait(self) -> list[tuple[TrialId, Outcome]]:
        return [(trial.id, self.train(self.taken.pop(0))) for trial in self.taken[:1]]

    def train(self, trial: Trial) -> Outcome:
        self.ran.append(trial.id)
        if trial.id in self.fails:
            return Failure("crashed", "again.")
        ask, before = trial.proposal, 0
        if ask.start is not None:
            before = self.files.load(f"search/{ask.start}").steps
        steps = before + ask.budget
        if ask.keep:
            weights = {"logits.bias": np.full(2, steps, np.float32)}
            self.files.save(f"search/{trial.id}", Snapshot(ask.architecture, "fit", steps, weights, {}))
        return Measurement({"steps": float(steps)})


class Place:
    """A search of which three legs are done, each from the one before, and its weights are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files, self.history = folder, Files(folder), History()
        self.machine, self.mended = Machine(self.files), list[tuple[TrialId, str]]()
        for leg in range(3):
            self.history = self.history.asked(Proposal(NETWORK, 10, start=leg - 1 if leg else None))
            self.history = self.history.told(leg, self.machine.train(self.history[leg]))
        self.machine.ran.clear()

    def path(self, leg: TrialId) -> Path:
        return self.folder / f"snapshots/search/{leg}.safetensors"

    def is_whole(self, leg: TrialId) -> bool:
        """Return whether weights are as they were left: of equal snapshots not all bytes of the header are equal."""
        found = self.files.load(f"search/{leg}")
        return found.steps == 10 * (leg + 1) == found.weights["logits.bias"][0]

    def mending(self) -> Mending:
        return Mending(
            self.machine, "search", self.files, lambda: self.history, lambda *mended: self.mended.append(mended)
        )

    def goes_on(self, *starts: TrialId | None) -> list[TrialId]:
        """Run trials that start there, and return those that were answered."""
        mending, answered = self.mending(), list[TrialId]()
        for start in starts:
            self.history = self.history.asked(Proposal(NETWORK, 10, start=start))
            mending.submit(self.history.trials[-1])
        assert mending.idle == self.machine.workers - len(starts)
        while len(answered) < len(starts):
            answers = list(mending.wait())
            assert answers
            answered += [trial_id for trial_id, outcome in answers if isinstance(outcome, Measurement)]
        assert mending.idle == self.machine.workers
        return answered


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def of_another_trial(path: Path) -> None:
    path.write_bytes(path.with_name("0.safetensors").read_bytes())


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (torn, "is torn"),
        (altered, "was altered"),
        (Path.unlink, "is gone"),
        (of_another_trial, "has the weights of another trial"),
    ],
)
def test_what_cannot_be_started_from_is_trained_again_as_it_was(place: Place, damage: Callable[[Path], None], why: str):
    damage(place.path(2))
    assert place.goes_on(2) == [3]
    assert place.machine.ran == [2, 3]
    assert [leg for leg, _ in place.mended] == [2]
    assert why in place.mended[0][1]
    assert place.is_whole(2)


def test_what_is_sound_is_left_alone(place: Place):
    assert place.goes_on(2) == [3]
    assert (place.machine.ran, place.mended) == ([3], [])


def test_weights_of_another_network_are_not_started_from(place: Place):
    place.files.save("search/2", Snapshot(OTHER, "fit", 30, {}, {}))
    place.goes_on(2)
    assert place.machine.ran == [2, 3]


def test_a_whole_lineage_is_trained_again_where_it_is_needed_and_what_was_deleted_goes_again(place: Place):
    place.path(0).unlink()
    place.path(1).unlink()
    torn(place.path(2))
    assert place.goes_on(2) == [3]
    assert place.machine.ran == [0, 1, 2, 3]
    assert [leg for leg, _ in place.mended] == [2, 1, 0]
    assert place.is_whole(2)
    assert not place.path(0).exists()
    assert not place.path(1).exists()


def test_several_that_start_from_the_same_wait_for_it(place: Place):
    place.machine.workers = 4
    torn(place.path(1))
    assert sorted(place.goes_on(1, 2, 1, None)) == [3, 4, 5, 6]
    assert sorted(place.machine.ran) == [1, 3, 4, 5, 6]
    assert [leg for leg, _ in place.mended] == [1]


def test_a_leg_that_fails_this_time_is_said_and_nothing_is_answered(place: Place):
    torn(place.path(2))
    place.machine.fails = frozenset({2})
    with pytest.raises(DamagedFile, match=r"trial 2 of the search left cannot be used.*failed \(crashed\): again\."):
        place.goes_on(2)


@pytest.mark.parametrize("kept", [True, False])
def test_a_start_that_left_no_weights_is_the_trials_own_mistake(place: Place, kept: bool):
    place.history = place.history.asked(Proposal(NETWORK, 10, keep=kept))
    place.history = place.history.told(3, Failure("crashed", "") if kept else Measurement({}))
    mending = place.mending()
    mending.submit(Trial(4, Proposal(NETWORK, 10, start=3)))
    assert [trial.id for trial in place.machine.taken] == [4]


def test_weights_can_be_had_sound_without_a_trial(place: Place):
    place.mending().sound(2)
    assert place.machine.ran == []
    place.path(1).unlink()
    torn(place.path(2))
    place.mending().sound(2)
    assert place.machine.ran == [1, 2]
    assert place.is_whole(2)
    place.mending().sound(None)
