"""A whole search on machines of made-up speed, on which nothing is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from amla.spec.costs import costs, training_flops
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.folder import BEST, WEIGHTS
from amla.study.plan import REHEARSAL_STEPS
from amla.study.resolve import FINAL, REHEARSAL, SEARCH, task_of
from amla.study.run import Limit
from amla.study.search import Search
from amla.study.study import Data, EnvelopeSettings, Final, NacSettings, RandomSettings, Study, StudyError
from amla.tasks.dataset import Dataset, Examples
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.progress import Progress, Report
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Failure, Measurement, Outcome, Trial

LIMIT = 600.0
SPACE = EnvelopeSettings(width=6, cells=(1, 1), max_cells=(4, 4))
TIMED = Study("made-up", Data("made-up"), Recipe(16), SPACE, NacSettings(3), limit=Limit(seconds=LIMIT))
COUNTED = Study("made-up", Data("made-up"), Recipe(16), SPACE, NacSettings(3, steps=10), Final(50))
OVERHEAD = 1.0  # seconds of a trial besides training
CRASH = Failure("crashed", "killed", seconds=1.0)

Fails = Callable[[str, Trial], bool]


def succeeds(phase: str, trial: Trial) -> bool:
    return False


@dataclass
class Machine:
    """Trains `flops` operations a second; some trials fail there. What a trial starts from must be there."""

    files: Files
    flops: Callable[[float], float] = lambda now: 1e8
    fails: Fails = succeeds
    now: float = 0.0
    at: list[tuple[str, int]] = field(default_factory=list)

    def evaluation_of(self, study: Study, phase: str, task: Task, files: Files) -> Callable[[Trial, Report], Outcome]:
        def evaluate(trial: Trial, report: Report) -> Outcome:
            self.at.append((phase, trial.id))
            return self.trained(phase, trial, report)

        return evaluate

    def trained(self, phase: str, trial: Trial, report: Report) -> Outcome:
        ask = trial.proposal
        before = 0 if ask.start is None else self.files.load(f"{phase}/{ask.start}").steps
        if self.fails(phase, trial):
            self.now += CRASH.seconds
            return CRASH
        began, macs = self.now, costs(ask.architecture).macs
        step = training_flops(macs, 16) / self.flops(self.now)
        for _ in range(ask.budget):
            self.now += training_flops(macs, 16) / self.flops(self.now)
        self.now += OVERHEAD if phase != FINAL else 0.1
        report(Progress(trial.id, max(ask.budget, 1), max(ask.budget, 1), 1.0, 0.5, 0.1, self.now - began))
        if ask.keep:
            weights = {"head.bias": np.full(2, trial.id, np.float32)}
            snapshot = Snapshot(ask.architecture, "fit", before + ask.budget, weights, {})
            self.files.save(f"{phase}/{trial.id}", snapshot)
        statistics = {
            probe: {node: 1 / (1 + place) for place, node in enumerate(nodes)} for probe, nodes in ask.probes.items()
        }
        metrics = {"accuracy": 0.5, "macs": float(macs), "step_seconds": step}
        return Measurement(metrics, statistics, self.now - began)


class Ears:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def expects(self, flops: Mapping[str, float]) -> None:
        assert all(number >= 0 for number in flops.values())
        self.heard.append(("expects", ",".join(flops)))

    def begins(self, phase: str, history: History) -> None:
        self.heard.append(("begins", phase))

    def asked(self, phase: str, trial: Trial) -> None:
        self.heard.append(("asked", phase))

    def progress(self, phase: str, progress: Progress) -> None:
        self.heard.append(("progress", phase))

    def told(self, phase: str, trial: Trial) -> None:
        self.heard.append(("told", phase))


class Place:
    """A run folder, in which a study is run on a machine."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.files, self.monkeypatch = folder, Files(folder), monkeypatch
        self.machine, self.ears = Machine(self.files), Ears()

    def run(self, study: Study, **machine: object) -> Machine:
        self.machine, self.ears = Machine(self.files, **machine), Ears()
        self.monkeypatch.setattr("amla.study.search.evaluation_of", self.machine.evaluation_of)
        task = task_of(study, made_up())
        with Records(self.folder / "events.sqlite") as store:
            Search(study, task, store, self.files, self.folder, self.ears).run()
        return self.machine

    def history(self, phase: str) -> History:
        with Records(self.folder / "events.sqlite", read_only=True) as store:
            return store.history(phase)

    def snapshots(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("snapshots/**/*") if path.is_file())


def made_up() -> Dataset:
    labels = np.arange(200, dtype=np.int64) % 2
    inputs = np.zeros((200, 8, 8, 1), np.uint8)
    return Dataset("made-up", "0" * 32, ("a", "b"), Examples(inputs, labels), None, None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def halfway(first: float, second: float) -> Callable[[float], float]:
    return lambda now: first if now < LIMIT / 2 else second


class TestTime:
    @pytest.mark.parametrize("algorithm", [NacSettings(3), RandomSettings(6)])
    @pytest.mark.parametrize(
        ("flops", "most"),
        [
            (lambda now: 3e7, 1.05),
            (lambda now: 1e9, 1.05),
            (halfway(3e8, 1e8), 1.1),
            (halfway(1e8, 3e8), 1.05),
        ],
        ids=["slow", "fast", "three times slower halfway", "three times faster halfway"],
    )
    def test_a_limit_is_used_and_kept_about(self, place: Place, algorithm, flops, most: float):
        study = Study("made-up", Data("made-up"), Recipe(16), SPACE, algorithm, limit=Limit(seconds=LIMIT))
        machine = place.run(study, flops=flops)
        assert 0.9 * LIMIT <= machine.now <= most * LIMIT
        assert place.history(FINAL).seconds >= 0.5 * LIMIT

    def test_the_search_takes_its_share_at_most(self, place: Place):
        place.run(TIMED)
        assert place.history(REHEARSAL).seconds + place.history(SEARCH).seconds <= 0.36 * LIMIT
        assert len(place.history(SEARCH).done) == 4

    def test_the_final_training_is_never_skipped_however_late_it_is(self, place: Place):
        """The rehearsal and the shortest legs of the search alone take longer than the limit."""
        machine = place.run(TIMED, flops=lambda now: 1e6)
        assert machine.now > LIMIT
        assert place.history(FINAL).seconds >= 0.25 * LIMIT

    def test_a_study_in_steps_needs_no_rehearsal(self, place: Place):
        place.run(COUNTED)
        assert len(place.history(REHEARSAL)) == 0
        assert [trial.proposal.budget for trial in place.history(SEARCH).done] == [10] * 4
        assert [trial.proposal.budget for trial in place.history(FINAL).done] == [50, 0]

    def test_a_rehearsal_trains_the_first_network_and_keeps_nothing(self, place: Place):
        place.run(TIMED)
        (rehearsal,) = place.history(REHEARSAL).done
        assert (rehearsal.proposal.budget, rehearsal.proposal.keep) == (REHEARSAL_STEPS, False)
        assert rehearsal.proposal.architecture == place.history(SEARCH)[0].proposal.architecture


class TestFiles:
    @pytest.mark.parametrize("study", [TIMED, COUNTED], ids=["in seconds", "in steps"])
    def test_only_the_weights_of_the_last_leg_stay(self, place: Place, study: Study):
        place.run(study)
        *_, leg, test = place.history(FINAL).done
        assert test.proposal.start == leg.id
        assert len(place.snapshots()) == 1
        assert place.files.load(f"final/{leg.id}").steps == (leg.proposal.horizon or leg.proposal.budget)
        assert (place.folder / BEST).is_file()
        assert (place.folder / WEIGHTS).is_file()

    @pytest.mark.parametrize("failing", [(0,), (2,), (2, 3)])
    def test_a_leg_that_fails_leaves_the_weights_it_began_from(self, place: Place, failing: tuple[int, ...]):
        place.run(TIMED, fails=lambda phase, trial: phase == FINAL and trial.id in failing)
        history = place.history(FINAL)
        *legs, test = history.done
        assert [trial.id for trial in history.failed] == list(failing)
        assert (test.proposal.budget, test.proposal.start) == (0, legs[-1].id)
        assert len(place.snapshots()) == 1

    def test_a_final_training_that_never_succeeds_is_said_with_its_reasons(self, place: Place):
        with pytest.raises(StudyError, match=r"No network could be trained:\ntrial 0: killed\ntrial 1: killed$"):
            place.run(TIMED, fails=lambda phase, trial: phase == FINAL)

    @pytest.mark.parametrize("phase", [REHEARSAL, SEARCH])
    def test_so_is_a_phase_before_it(self, place: Place, phase: str):
        with pytest.raises(StudyError, match=r"No network could be trained:\ntrial 0: killed"):
            place.run(TIMED, fails=lambda which, trial: which == phase)


class TestAgain:
    @pytest.mark.parametrize("cut", [0, 1, 3, 5, 9, 14])
    def test_cut_off_at_any_trial_it_goes_on_where_it_was(self, place: Place, tmp_path: Path, cut: int):
        whole = Place(tmp_path / "whole", place.monkeypatch)
        whole.folder.mkdir()
        whole.run(TIMED)

        def fails(phase: str, trial: Trial) -> bool:
            if len(place.machine.at) > cut:
                raise KeyboardInterrupt
            return False

        with pytest.raises(KeyboardInterrupt):
            place.run(TIMED, fails=fails)
        first = place.machine.at[:-1]
        second = place.run(TIMED).at
        assert first + second == whole.machine.at
        for phase in (REHEARSAL, SEARCH, FINAL):
            networks = [trial.proposal.architecture for trial in place.history(phase).trials]
            assert networks == [trial.proposal.architecture for trial in whole.history(phase).trials]

    def test_a_finished_one_trains_nothing_more(self, place: Place):
        place.run(TIMED)
        assert place.run(TIMED).at == []


def test_a_listener_hears_of_every_phase_and_trial_in_order(place: Place):
    place.run(COUNTED)
    heard = [event for event in place.ears.heard if event[0] != "expects"]
    search = [("asked", SEARCH), ("progress", SEARCH), ("told", SEARCH)]
    final = [("asked", FINAL), ("progress", FINAL), ("told", FINAL)]
    assert heard == [("begins", SEARCH), *search * 4, ("begins", FINAL), *final * 2]
    assert place.ears.heard[0] == ("expects", "search,final")
