"""A whole search on machines of made-up speed, on which nothing is trained."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import ClassVar

import numpy as np
import pytest

from amla.reports.descent import guests
from amla.spec.costs import at_scale, costs, training_flops
from amla.spec.digest import digest
from amla.storage.files import Files
from amla.storage.records import Records
from amla.study.arrangement import FILE, Arranged, recorded
from amla.study.baselines import beside
from amla.study.folder import BEST, WEIGHTS, Run
from amla.study.forecast import Forecast, Foretold
from amla.study.moment import Moment
from amla.study.phases import BASELINES, FINAL, PHASES, REHEARSAL, SEARCH, TIMING, TUNING
from amla.study.plan import BASELINE_SHARE, LEAST_STEPS, REHEARSAL_STEPS, TUNING_SHARE, WIDE_STEPS
from amla.study.resolve import check, clock_of, task_of
from amla.study.run import Limit
from amla.study.search import Search
from amla.study.settings.baselines import BaselineSettings
from amla.study.settings.places import Local
from amla.study.settings.searches import NacSettings, RandomSettings, RunOffSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.settings.tuning import TuningSettings
from amla.study.study import Data, Final, Study, StudyError
from amla.study.timing import Arrangement, Timing
from amla.study.underway import Underway
from amla.tasks.dataset import Dataset, Examples
from amla.tasks.recipe import Recipe, Small
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.progress import Progress, Report
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Cost, Failure, Measurement, Outcome, Trial

LIMIT = 600.0
SEARCH_SHARE = Limit().search
OPERATIONS = 2e10
SPACE = EnvelopeSettings(width=6, cells=(1, 1), max_cells=(4, 4))
TIMED = Study("made-up", Data("made-up"), Recipe(16), SPACE, NacSettings(3), limit=Limit(seconds=LIMIT))
COUNTED = Study("made-up", Data("made-up"), Recipe(16), SPACE, NacSettings(3, steps=10), Final(50))
BESIDE = replace(TIMED, baselines=BaselineSettings(random=1))
WHOLE = replace(TIMED, limit=Limit(flops=OPERATIONS))
TUNED = replace(TIMED, tuning=TuningSettings(3))
WIDER = replace(TIMED, space=replace(SPACE, width=60, macs=200_000), final=Final(macs="auto"))
OVERHEAD = 1.0  # seconds of a trial besides training
CRASH = Failure("crashed", "killed", seconds=1.0)

Fails = Callable[[str, Trial], bool]


def succeeds(phase: str, trial: Trial) -> bool:
    return False


def always(phase: str, trial: Trial) -> float:
    return 0.5


@dataclass
class Machine:
    """Trains `flops` operations a second; some trials fail there. What a trial starts from must be there."""

    files: Files
    flops: Callable[[float], float] = lambda now: 1e8
    fails: Fails = succeeds
    reaches: Callable[[str, Trial], float] = always
    now: float = 0.0
    at: list[tuple[str, int]] = field(default_factory=list)

    def evaluation_of(
        self, study: Study, phase: str, task: Task, files: Files, threads: int, data_dir: Path | None
    ) -> Callable[[Trial, Report], Outcome]:
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
        metrics = {"accuracy": self.reaches(phase, trial), "examples": 20.0, "macs": float(macs), "step_seconds": step}
        cost = Cost("cpu", training_flops(macs, 16) * ask.budget)
        return Measurement(metrics, statistics, self.now - began, cost)


class Ears:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.forecasts: list[Forecast] = []

    def times(self, arrangements: Sequence[Arrangement]) -> None:
        self.heard.append(("times", ", ".join(f"{a.workers} x {a.threads}" for a in arrangements)))

    def arranged(self, found: Arranged) -> None:
        self.heard.append(("arranged", f"{found.search.workers} x {found.search.threads}"))

    def expects(self, foretold: Foretold) -> None:
        forecast = foretold()
        assert all(phase.flops >= 0 for phase in forecast.phases.values())
        self.heard.append(("expects", ",".join(forecast.phases)))
        self.forecasts.append(forecast)

    def begins(self, phase: str, history: History) -> None:
        self.heard.append(("begins", phase))

    def asked(self, phase: str, trial: Trial) -> None:
        self.heard.append(("asked", phase))

    def progress(self, phase: str, progress: Progress) -> None:
        self.heard.append(("progress", phase))

    def mends(self, phase: str, trial_id: int, why: str) -> None:
        self.heard.append(("mends", f"{phase} {trial_id}: {why}"))

    def told(self, phase: str, trial: Trial) -> None:
        self.heard.append(("told", phase))


class Place:
    """A run folder, in which a study is run on a machine."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.files, self.monkeypatch = folder, Files(folder), monkeypatch
        self.machine, self.ears, self.notices = Machine(self.files), Ears(), list[str]()

    def run(self, study: Study, **machine: object) -> Machine:
        self.machine, self.ears = Machine(self.files, **machine), Ears()
        self.monkeypatch.setattr("amla.study.executors.evaluation_of", self.machine.evaluation_of)
        task = task_of(study, made_up())
        with Records(self.folder / "events.sqlite") as store:
            told, now = self.notices.append, Moment.now()
            Search(Underway(study, task, store, self.files, self.folder, self.ears, now, notice=told)).run()
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
    monkeypatch.setattr("amla.backends.processor.cores", lambda: 1)
    return Place(tmp_path, monkeypatch)


def halfway(first: float, second: float) -> Callable[[float], float]:
    return lambda now: first if now < LIMIT / 2 else second


class TestOperations:
    """A limit of operations alone is that of the whole run, to one step of training."""

    @pytest.mark.parametrize(
        "study",
        [
            WHOLE,
            replace(WHOLE, algorithm=RandomSettings(6)),
            replace(WHOLE, algorithm=NacSettings(3, steps=20)),
            replace(WHOLE, algorithm=RandomSettings(1000, steps=20)),
            replace(WHOLE, baselines=BaselineSettings(), tuning=TuningSettings(3)),
            replace(WHOLE, space=replace(SPACE, width=60, macs=200_000), final=Final(macs="auto")),
            replace(WHOLE, final=Final(recipe=Recipe(16, small=Small(0.5, 0.4)))),
        ],
        ids=["steps unknown", "random", "steps given", "without end", "with all phases", "wider", "smaller first"],
    )
    def test_all_of_it_is_used_and_no_more(self, place: Place, study: Study):
        place.run(study)
        used = sum(place.history(phase).flops for phase in PHASES)
        network, final = place.history(FINAL).done[0].proposal.architecture, place.history(FINAL).flops
        a_step = training_flops(costs(network).macs, 16)
        if study.final.recipe:  # which the machine knows nothing of, and counts as if images were large from the start
            small = costs(at_scale(network, 0.5)).macs
            assert final * (0.4 * small / costs(network).macs + 0.6) == pytest.approx(
                OPERATIONS - (used - final), abs=a_step
            )
        else:
            assert OPERATIONS - a_step < used <= OPERATIONS
        assert len(place.history(REHEARSAL)) == 0

    @pytest.mark.parametrize("share", [0.25, 0.5])
    def test_the_search_has_its_share_and_a_trial_more_at_most(self, place: Place, share: float):
        study = replace(WHOLE, algorithm=RandomSettings(1000, steps=20), limit=Limit(flops=OPERATIONS, search=share))
        place.run(study)
        last = place.history(SEARCH).done[-1].measurement.cost
        assert last is not None
        assert place.history(SEARCH).flops - last.flops < share * OPERATIONS <= place.history(SEARCH).flops

    def test_a_leg_is_as_long_as_the_share_of_the_search_pays_for(self, place: Place):
        place.run(WHOLE)
        assert len(place.history(SEARCH).done) == 4
        assert 0.5 * SEARCH_SHARE * OPERATIONS <= place.history(SEARCH).flops <= SEARCH_SHARE * OPERATIONS

    def test_a_final_network_with_another_stem_trains(self, place: Place):
        final = Final(steps=20, macs=400_000, stem_stride=1)
        place.run(replace(COUNTED, space=replace(SPACE, stem_stride=2, macs=100_000), final=final))
        assert place.history(FINAL).done

    def test_a_limit_that_pays_for_nothing_still_trains_something_to_the_end(self, place: Place):
        place.run(replace(WHOLE, limit=Limit(flops=1.0)))
        assert place.history(FINAL).done[0].proposal.budget == LEAST_STEPS

    def test_tuning_and_baselines_have_their_share_at_most(self, place: Place):
        study = replace(WHOLE, baselines=BaselineSettings(), tuning=TuningSettings(8))
        place.run(study)
        assert 0 < place.history(TUNING).flops <= TUNING_SHARE * OPERATIONS
        assert 0 < place.history(BASELINES).flops <= BASELINE_SHARE * OPERATIONS
        assert place.history(FINAL).flops >= 0.4 * OPERATIONS
        assert place.notices == []

    def test_a_search_that_leaves_nothing_is_told(self, place: Place):
        place.run(replace(WHOLE, limit=Limit(flops=1.0)))
        assert place.notices == ["the limit of operations left next to nothing for the final training"]

    def test_with_a_number_of_final_steps_it_is_the_limit_of_the_search(self, place: Place):
        place.run(replace(WHOLE, algorithm=RandomSettings(1000, steps=20), final=Final(50)))
        assert place.history(SEARCH).flops >= OPERATIONS
        assert place.history(FINAL).done[0].proposal.budget == 50


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

    def test_what_passed_before_it_was_under_way_is_noted_once_and_taken_from_the_final_training(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(Moment, "ago", lambda began, clock: LIMIT / 4)
        machine = place.run(TIMED)
        found = recorded(place.files)
        assert found is not None
        assert found.opening == LIMIT / 4
        assert 0.65 * LIMIT <= machine.now <= 0.75 * LIMIT
        monkeypatch.setattr(Moment, "ago", lambda began, clock: 0.0)
        place.run(TIMED)  # which is over, and goes by what was noted
        assert recorded(place.files) == found

    @pytest.mark.parametrize("limit", [Limit(seconds=LIMIT, steps=1), Limit(trials=1, seconds=LIMIT)])
    def test_limits_besides_that_of_time_hold_too(self, place: Place, limit: Limit):
        place.run(replace(TIMED, limit=limit))
        assert len(place.history(SEARCH).done) == 1

    @pytest.mark.parametrize("algorithm", [NacSettings(2, candidates=2), RandomSettings(4)])
    def test_a_run_off_is_part_of_the_share_of_the_search(self, place: Place, algorithm):
        machine = place.run(replace(TIMED, algorithm=algorithm, run_off=RunOffSettings(2, 3)))
        assert place.history(REHEARSAL).seconds + place.history(SEARCH).seconds <= 0.36 * LIMIT
        *searched, first, second = place.history(SEARCH).done
        (steps,) = {trial.proposal.budget for trial in searched}
        assert len(searched) >= 4
        assert first.proposal.budget == second.proposal.budget == 3 * steps
        assert 0.9 * LIMIT <= machine.now <= 1.05 * LIMIT

    def test_a_plain_network_stands_for_the_run_off_and_is_part_of_its_time(self, place: Place):
        settings = RunOffSettings(2, 3, plain=True)
        machine = place.run(replace(TIMED, algorithm=RandomSettings(4), run_off=settings))
        searched = place.history(SEARCH)
        (guest,) = guests(searched)
        assert guest == searched.done[-1].id
        assert [trial.proposal.budget for trial in searched.trials[-3:]] == [searched[guest].proposal.budget] * 3
        assert place.history(REHEARSAL).seconds + searched.seconds <= 0.36 * LIMIT
        assert 0.9 * LIMIT <= machine.now <= 1.05 * LIMIT

    def test_a_limit_that_pays_for_nothing_is_told_and_has_no_baselines(self, place: Place):
        place.run(replace(BESIDE, limit=Limit(seconds=LIMIT / 40)))
        assert len(place.history(BASELINES)) == 0
        few, none = place.notices
        assert "steps of each network in the search, which tell little of how good it is" in few
        assert none.startswith("the budget does not pay for baselines")

    @pytest.mark.parametrize("algorithm", [NacSettings(3), RandomSettings(4)])
    def test_baselines_are_part_of_the_limit(self, place: Place, algorithm):
        machine = place.run(replace(TIMED, algorithm=algorithm, baselines=BaselineSettings()))
        assert 0.9 * LIMIT <= machine.now <= 1.05 * LIMIT
        assert len(place.history(BASELINES).done) > 2
        assert place.history(BASELINES).seconds <= (BASELINE_SHARE + 0.02) * LIMIT

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


class TestForetold:
    STUDY = replace(COUNTED, final=Final(600), baselines=BaselineSettings(random=1))

    @pytest.mark.parametrize(
        ("algorithm", "most"), [(NacSettings(3, steps=10), 5.0), (RandomSettings(6, steps=10), 1.4)]
    )
    def test_a_study_in_steps_takes_at_most_the_time_that_was_foretold(self, place: Place, algorithm, most: float):
        """About that where the costly networks are the best; those of NAC here are not the costliest there might be."""
        place.run(
            replace(self.STUDY, algorithm=algorithm),
            flops=lambda now: 1e7,
            reaches=lambda phase, trial: costs(trial.proposal.architecture).macs / 1e9,
        )
        foretold = place.ears.forecasts[0].seconds
        assert foretold is not None
        taken = sum(place.history(phase).seconds for phase in PHASES)
        assert 0.95 * taken <= foretold <= most * taken

    def test_what_is_timed_for_that_leaves_nothing_and_changes_nothing(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        machine = place.run(self.STUDY)
        assert machine.at[0] == (TIMING, 0)
        assert not [name for name in place.snapshots() if name.startswith(TIMING)]
        monkeypatch.setattr("amla.study.ahead.is_worth_it", lambda flops, steps: False)
        other = Place(tmp_path / "other", monkeypatch)
        other.folder.mkdir()
        assert TIMING not in {phase for phase, _ in other.run(self.STUDY).at}
        assert other.ears.forecasts[0].seconds is None
        for phase in PHASES:
            mine, theirs = place.history(phase), other.history(phase)
            assert [trial.proposal for trial in mine.trials] == [trial.proposal for trial in theirs.trials]

    def test_nothing_is_timed_for_a_short_one_nor_under_a_limit(self, place: Place):
        assert TIMING not in {phase for phase, _ in place.run(COUNTED).at}

    def test_a_limit_of_seconds_needs_no_timing(self, place: Place):
        assert TIMING not in {phase for phase, _ in place.run(TIMED).at}
        assert place.ears.forecasts[0].seconds is None  # which the limit tells


class TestBaselines:
    STUDY = replace(COUNTED, baselines=BaselineSettings(random=1))

    def test_what_was_found_trains_first_and_all_train_alike(self, place: Place):
        place.run(self.STUDY)
        found = place.history(FINAL)[0].proposal.architecture
        proposals = [trial.proposal for trial in place.history(BASELINES).done]
        assert proposals[0].architecture == found
        assert {(ask.budget, ask.seed, ask.keep) for ask in proposals} == {(10, self.STUDY.seed + 2, False)}
        assert len({digest(ask.architecture) for ask in proposals}) == len(proposals)

    def test_they_are_known_by_the_names_of_their_files(self, place: Place):
        place.run(self.STUDY)
        run = Run(place.folder, self.STUDY, History(), History(), baselines=place.history(BASELINES))
        compared = beside(run)
        assert compared is not None
        assert {rival.name for rival in compared.baselines} == {
            path.name.removesuffix(".arch.json") for path in (place.folder / "baselines").iterdir()
        }
        assert {"plain-1-a-stage", "plain-2-a-stage", "random-1"} >= {rival.name for rival in compared.baselines}
        assert compared.found.reached == 0.5

    def test_how_long_they_trained_is_told_by_examples_once_the_final_training_is_over(self, place: Place):
        study = replace(self.STUDY, final=Final(40, replace(self.STUDY.recipe, batch=2 * self.STUDY.recipe.batch)))
        place.run(study)
        run = Run(place.folder, study, History(), place.history(FINAL), baselines=place.history(BASELINES))
        shares = [compared.share for each in (run, replace(run, final=History())) if (compared := beside(each))]
        assert shares == [10 / (40 * 2), None]

    def test_those_of_earlier_versions_are_called_as_their_files_were(self, place: Place):
        place.run(self.STUDY)
        baselines = place.folder / "baselines"
        (baselines / "plain-1-a-stage.arch.json").rename(baselines / "by-hand.arch.json")
        run = Run(place.folder, self.STUDY, History(), History(), baselines=place.history(BASELINES))
        compared = beside(run)
        assert compared is not None
        assert "by-hand" in {each.name for each in compared.baselines}

    def test_one_that_fails_is_left_out_and_without_what_was_found_nothing_is_said(self, place: Place):
        place.run(self.STUDY, fails=lambda phase, trial: phase == BASELINES and trial.id == 1)
        run = Run(place.folder, self.STUDY, History(), History(), baselines=place.history(BASELINES))
        compared = beside(run)
        assert compared is not None
        assert len(compared.baselines) == len(run.baselines) - 2
        assert beside(replace(run, baselines=History())) is None

    def test_where_what_was_found_fails_nothing_is_said(self, place: Place):
        place.run(self.STUDY, fails=lambda phase, trial: phase == BASELINES and trial.id == 0)
        assert beside(Run(place.folder, self.STUDY, History(), History(), baselines=place.history(BASELINES))) is None


@pytest.mark.skipif(find_spec("optuna") is None, reason="Optuna is not installed")
class TestTuning:
    STUDY = replace(COUNTED, tuning=TuningSettings(4))

    def test_the_network_found_trains_with_several_recipes_and_in_the_end_with_the_best(self, place: Place):
        place.run(self.STUDY, reaches=lambda phase, trial: 0.5 + 0.1 * (phase == TUNING and trial.id == 2))
        tried = place.history(TUNING).done
        assert [trial.proposal.architecture for trial in tried] == [place.history(FINAL)[0].proposal.architecture] * 4
        assert [bool(trial.proposal.recipe) for trial in tried] == [False, True, True, True]
        assert {trial.proposal.budget for trial in tried} == {10}
        assert {trial.proposal.seed for trial in tried} == {self.STUDY.seed + 3}
        for trial in place.history(FINAL).trials:
            assert trial.proposal.recipe == tried[2].proposal.recipe

    def test_as_good_as_it_is_it_stays_as_it_is(self, place: Place):
        place.run(self.STUDY)
        assert [trial.proposal.recipe for trial in place.history(FINAL).trials] == [{}, {}]

    def test_it_is_part_of_the_limit(self, place: Place):
        machine = place.run(replace(TIMED, tuning=TuningSettings(5)))
        assert 0.9 * LIMIT <= machine.now <= 1.05 * LIMIT
        assert 0 < place.history(TUNING).seconds <= (TUNING_SHARE + 0.02) * LIMIT


def test_tuning_without_optuna_is_refused_before_the_search(monkeypatch: pytest.MonkeyPatch):
    study = replace(COUNTED, tuning=TuningSettings(4))
    monkeypatch.delitem(sys.modules, "amla.algorithms.optuna", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(StudyError, match=r"tuning needs 'optuna'; install it with: pip install 'amla\[optuna\]'"):
        check(study, task_of(study, made_up()))


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

    def test_weights_of_a_search_go_when_nothing_can_start_from_them_any_more(self, place: Place):
        kept, save = [], place.files.save

        def counted(self: Files, key: str, snapshot: Snapshot) -> None:
            save(key, snapshot)
            kept.append((key, len(place.snapshots())))

        place.monkeypatch.setattr(Files, "save", counted)
        place.run(replace(COUNTED, algorithm=NacSettings(3, steps=10, inherit=True)))
        # another trial may start from any of them, until the search is over
        assert kept == [("search/0", 1), ("search/1", 2), ("search/2", 3), ("search/3", 4), ("final/0", 1)]
        assert len(place.snapshots()) == 1
        assert [trial.proposal.start for trial in place.history(SEARCH).done] == [None, 0, 1, 2]

    def test_the_best_network_is_written_when_it_is_another_one(self, place: Place):
        written, write = [], place.files.write_text

        def noted(self: Files, key: str, text: str) -> None:
            written.append(text) if key == BEST else None
            write(key, text)

        place.monkeypatch.setattr(Files, "write_text", noted)
        place.run(COUNTED)  # every network is as good as the first
        assert len(place.history(SEARCH).done) > 2
        assert len(written) == 2
        assert len(set(written)) == 1

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

    def test_where_no_metric_is_a_number_that_is_said(self, place: Place):
        with pytest.raises(StudyError, match="of none the metric is a number"):
            place.run(COUNTED, reaches=lambda phase, trial: float("nan"))

    @pytest.mark.parametrize("phase", [REHEARSAL, SEARCH])
    def test_so_is_a_phase_before_it(self, place: Place, phase: str):
        with pytest.raises(StudyError, match=r"No network could be trained:\ntrial 0: killed"):
            place.run(TIMED, fails=lambda which, trial: which == phase)


class TestWider:
    def test_a_second_rehearsal_says_how_wide_the_final_network_is(self, place: Place):
        place.run(WIDER)
        first, guess = (trial.proposal for trial in place.history(REHEARSAL).done)
        assert (first.budget, guess.budget) == (REHEARSAL_STEPS, WIDE_STEPS)
        found = costs(place.history(SEARCH)[0].proposal.architecture).macs
        final = costs(place.history(FINAL)[0].proposal.architecture).macs
        assert found < costs(guess.architecture).macs
        assert found < final

    def test_if_that_fails_the_first_one_has_to_do(self, place: Place):
        place.run(WIDER, fails=lambda phase, trial: phase == REHEARSAL and trial.id == 1)
        assert len(place.history(REHEARSAL).failed) == 1
        assert place.history(FINAL).done[-1].proposal.budget == 0


class TestAgain:
    @pytest.mark.parametrize("cut", [0, 1, 3, 5, 6, 9, 14])
    @pytest.mark.parametrize("study", [TIMED, WIDER, BESIDE, TUNED], ids=["timed", "wider", "with baselines", "tuned"])
    def test_cut_off_at_any_trial_it_goes_on_where_it_was(self, place: Place, tmp_path: Path, study: Study, cut: int):
        whole = Place(tmp_path / "whole", place.monkeypatch)
        whole.folder.mkdir()
        whole.run(study)

        def fails(phase: str, trial: Trial) -> bool:
            if len(place.machine.at) > cut:
                raise KeyboardInterrupt
            return False

        with pytest.raises(KeyboardInterrupt):
            place.run(study, fails=fails)
        first = place.machine.at[:-1]
        second = place.run(study).at
        assert first + second == whole.machine.at
        for phase in PHASES:
            networks = [trial.proposal.architecture for trial in place.history(phase).trials]
            assert networks == [trial.proposal.architecture for trial in whole.history(phase).trials]

    def test_a_finished_one_trains_nothing_more(self, place: Place):
        place.run(TIMED)
        assert place.run(TIMED).at == []


def test_a_listener_hears_of_every_phase_and_trial_in_order(place: Place):
    place.run(COUNTED)
    heard = [event for event in place.ears.heard if event[0] not in ("arranged", "expects")]
    search = [("asked", SEARCH), ("progress", SEARCH), ("told", SEARCH)]
    final = [("asked", FINAL), ("progress", FINAL), ("told", FINAL)]
    assert heard == [("begins", SEARCH), *search * 4, ("begins", FINAL), *final * 2]
    assert place.ears.heard[:2] == [("arranged", "1 x 1"), ("expects", "search,baselines,tuning,final")]


@dataclass
class Crowd:
    """Runs trials of a machine at once, each in its own time; they share what all together train in a second."""

    machine: Machine
    phase: str
    arrangement: Arrangement
    report: Report
    running: list[tuple[float, Trial, Outcome]] = field(default_factory=list)  # and when they end

    @property
    def idle(self) -> int:
        return self.arrangement.workers - len(self.running)

    def submit(self, trial: Trial) -> None:
        now = self.machine.now
        outcome = self.machine.trained(self.phase, trial, self.report)
        self.running.append((self.machine.now, trial, outcome))
        self.machine.now = now

    def wait(self) -> list[tuple[int, Outcome]]:
        self.running.sort(key=lambda run: run[0])
        self.machine.now, trial, outcome = self.running.pop(0)
        return [(trial.id, outcome)]


class TestArrangement:
    RATES: ClassVar = {(1, 2): 1.3, (2, 1): 1.6, (1, 1): 1.0}  # of a machine whose cores share their memory's bandwidth

    @pytest.fixture
    def crowded(self, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
        """A place on two cores, whose workers slow each other down."""
        monkeypatch.setattr("amla.backends.processor.cores", lambda: 2)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setenv("AMLA_CACHE", str(tmp_path / "cache"))

        @contextmanager
        def executor(underway: Underway, phase: str, arrangement: Arrangement, report: Report) -> Iterator[Crowd]:
            rate = self.RATES[arrangement.workers, arrangement.threads] / arrangement.workers
            place.machine.flops = lambda now: 1e8 * rate
            yield Crowd(place.machine, phase, arrangement, report)

        def timed(arrangements: Sequence[Arrangement], *_: object) -> tuple[tuple[Timing, ...], float]:
            place.machine.now += 5.0
            return tuple(Timing(a, 10 * self.RATES[a.workers, a.threads]) for a in arrangements), 5.0

        monkeypatch.setattr("amla.study.conductor.executor", executor)
        monkeypatch.setattr("amla.study.arrangement.timed", timed)
        return place

    @pytest.mark.parametrize("executor", [Local(), Local(2), Local(2, 1)], ids=["auto", "2", "2 x 1"])
    @pytest.mark.parametrize("trials", [4, 5, 8])
    def test_the_legs_of_a_search_in_parallel_fit_its_share_of_the_time(
        self, crowded: Place, executor: Local, trials: int
    ):
        study = replace(TIMED, algorithm=RandomSettings(trials), executor=executor)
        machine = crowded.run(study)
        assert trials == 4 or ("arranged", "2 x 1") in crowded.ears.heard  # of four, one is as long as the others
        assert len(crowded.history(SEARCH).done) == trials
        final = crowded.history(FINAL).seconds
        assert SEARCH_SHARE - 0.05 <= (machine.now - final) / LIMIT <= SEARCH_SHARE + 0.02
        assert 0.95 * LIMIT <= machine.now <= LIMIT

    def test_a_sequential_search_trains_one_network_with_the_threads_that_are_best(self, crowded: Place):
        crowded.run(replace(TIMED, executor=Local()))
        assert crowded.ears.heard[:2] == [("times", "1 x 2, 1 x 1"), ("arranged", "1 x 2")]

    def test_what_was_begun_goes_on_as_it_was_arranged(self, crowded: Place, monkeypatch: pytest.MonkeyPatch):
        study = replace(COUNTED, algorithm=RandomSettings(8, 10), executor=Local())
        crowded.run(study)
        arranged = crowded.files.read_text(FILE)
        monkeypatch.setattr("amla.backends.processor.cores", lambda: 1)
        crowded.run(study)
        assert crowded.files.read_text(FILE) == arranged
        assert crowded.ears.heard[0] == ("arranged", "2 x 1")


class TestClock:
    @pytest.mark.parametrize(("workers", "share"), [(1, 4), (2, 2), (4, 1), (9, 1)])
    def test_cpu_seconds_are_shared_by_the_cores_a_worker_has(
        self, monkeypatch: pytest.MonkeyPatch, workers: int, share: float
    ):
        monkeypatch.setattr("amla.backends.processor.cores", lambda: 4)
        monkeypatch.setattr("amla.study.resolve.process_time", lambda: 12.0)
        study = replace(TIMED, limit=replace(TIMED.limit, clock="cpu"))
        assert clock_of(study, workers)() == 12.0 / share

    def test_the_wall_clock_is_the_usual_one(self):
        assert clock_of(TIMED, 2) is monotonic
