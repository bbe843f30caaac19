"""Trackers show a run completely and once, however often and from wherever it is sent, and whatever dies meanwhile."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

pytest.importorskip("mlflow")
pytest.importorskip("tensorboard")

import shown
from made_up_runs import STUDY, begun, finished, measured, task_for

from amla.storage.files import Files
from amla.study import tracking
from amla.study.folder import BEST, REPORT, WEIGHTS, prepare, read
from amla.study.following import follow
from amla.study.log import writing
from amla.study.phases import BASELINES, FINAL, SEARCH, TUNING
from amla.study.settings.places import MlflowSettings, TensorBoardSettings
from amla.study.study import Study, StudyError, from_yaml, to_yaml
from amla.study.tracking import Sender, sending, tracker_of
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Proposal

approx = pytest.approx

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # MLflow's own
    pytest.mark.xdist_group("trackers"),  # they share the database that takes seconds to make
]


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of MLflow's without runs."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    shown.MlflowClient(tracking_uri=f"sqlite:///{path}").get_experiment_by_name("tests")
    return path


@pytest.fixture(params=["mlflow", "tensorboard"])
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "tensorboard":
        return shown.TensorBoard(tmp_path / "tensorboard")
    return new_mlflow(request, tmp_path)


@pytest.fixture
def mlflow(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return new_mlflow(request, tmp_path)


def new_mlflow(request: pytest.FixtureRequest, folder: Path) -> Any:
    shutil.copy(request.getfixturevalue("empty_mlflow"), folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = shown.MlflowClient(tracking_uri=uri)
    client.create_experiment("tests", artifact_location=(folder / "artifacts").as_uri())
    return shown.Mlflow(uri, folder)


def send(folder: Path, tracker: Any) -> None:
    """Send a run as a new process would."""
    with sending(folder) as key:
        sender = Sender(folder, key, tracker_of(tracker.settings))
        sender.send()
        sender.end()


def long_run(folder: Path) -> Path:
    """Write a run that is over, with curves of several lines and a leg that goes on from another."""
    finished(folder)
    for key in ("search/0", "search/1", "search/2", "final/0"):
        phase_files = Files(folder)
        phase_files.start_curve(key)
        for step in (10, 20, 30):
            phase_files.append_curve(key, Progress(int(key[-1]), step, 30, 2.0 - step / 100, step / 100, 0.1, step / 5))
    (folder / REPORT).write_text("<html>")
    (folder / "weights").mkdir()
    (folder / "weights" / "best.safetensors").write_bytes(b"weights")
    return folder


class TestShown:
    def test_settings_curves_metrics_statistics_and_networks_are_there(self, tracker: Any, tmp_path: Path):
        run = long_run(tmp_path / "run")
        send(run, tracker)
        (found,) = tracker.shown()
        assert {"name": "made-up", "recipe.batch": "16"}.items() <= found.settings.items()
        assert found.study["search/accuracy"] == [(0, approx(0.5)), (1, approx(0.6)), (2, approx(0.7))]
        assert found.study["test/accuracy"] == [(0, approx(33 / 40))]
        assert found.study["test/accuracy_low"][0][1] < 33 / 40 < found.study["test/accuracy_high"][0][1]
        assert found.trials.keys() == {"search/0", "search/1", "search/2", "final/0", "final/1"}
        assert found.trials["search/1"]["train/accuracy"] == [(step, approx(step / 100)) for step in (10, 20, 30)]
        assert found.trials["search/1"]["accuracy"] == [(10, approx(0.6))]
        assert found.networks == {
            f"{phase}/{trial.id}": trial.proposal.architecture
            for phase, history in ((SEARCH, read(run).search), (FINAL, read(run).final))
            for trial in history.trials
        }

    def test_statistics_are_there_by_probe_and_node(self, tracker: Any, tmp_path: Path):
        run = long_run(tmp_path / "run")
        send(run, tracker)
        (found,) = tracker.shown()
        of_trials = found.study if isinstance(tracker, shown.TensorBoard) else found.trials["search/0"]
        for probe, table in read(run).search[0].measurement.statistics.items():
            for node, reading in table.items():
                assert of_trials[f"statistics/{probe}/{node}"][0][1] == approx(reading)

    def test_steps_of_a_lineage_are_counted_on(self, tracker: Any, tmp_path: Path):
        send(long_run(tmp_path / "run"), tracker)
        (found,) = tracker.shown()
        assert found.trials["final/1"]["accuracy"] == [(50, approx(33 / 40))]

    def test_baselines_and_tuning_are_shown_beside_the_search(self, tracker: Any, tmp_path: Path):
        run = begun(tmp_path / "run", 1)
        first = read(run).search[0]
        with writing(run) as log:
            for phase in (BASELINES, TUNING):
                log.asked(phase, first.proposal)
                log.told(phase, 0, first.measurement)
        send(run, tracker)
        (found,) = tracker.shown()
        assert found.trials.keys() == {"search/0", "baselines/0", "tuning/0"}

    def test_the_test_by_another_metric_is_there_with_its_interval(self, tracker: Any, tmp_path: Path):
        run = begun(tmp_path / "run", 1, replace(STUDY, metric="balanced_accuracy"))
        network = read(run).search[0].proposal.architecture
        classes = {"right/0": 18.0, "examples/0": 20.0, "right/1": 2.0, "examples/1": 4.0}
        with writing(run) as log:
            log.asked(FINAL, Proposal(network, 0, keep=False))
            reached = {"accuracy": 20 / 24, "balanced_accuracy": 0.7, "examples": 24.0, **classes}
            log.told(FINAL, 0, measured(network, **reached))
        for name in (REPORT, BEST, WEIGHTS):
            Files(run).write_text(name, "")
        send(run, tracker)
        (found,) = tracker.shown()
        low, value, high = (found.study[f"test/balanced_accuracy{end}"][0][1] for end in ("_low", "", "_high"))
        assert value == approx(0.7)
        assert low < value < high

    def test_a_failed_trial_is_shown_as_one(self, tracker: Any, tmp_path: Path):
        run = begun(tmp_path / "run", 1)
        with writing(run) as log:
            log.asked(SEARCH, read(run).search[0].proposal)
            log.told(SEARCH, 1, Failure("diverged", "the loss was NaN", 3.0))
        send(run, tracker)
        (found,) = tracker.shown()
        assert found.study["search/failed"] == [(0, 0.0), (1, 1.0)]
        assert found.trials["search/1"]["seconds"] == [(10, 3.0)]

    def test_mlflow_has_the_files_and_says_how_runs_ended(self, mlflow: Any, tmp_path: Path):
        run = long_run(tmp_path / "run")
        send(run, mlflow)
        (parent,) = [found for found in mlflow.runs() if found.info.run_name == "made-up"]
        artifacts = {each.path for each in mlflow.client.list_artifacts(parent.info.run_id)}
        assert artifacts == {"study.yaml", "report.html", "best.arch.json", "weights"}
        weights = mlflow.client.download_artifacts(parent.info.run_id, "weights/best.safetensors", str(tmp_path))
        assert Path(weights).read_bytes() == b"weights"
        assert {found.info.status for found in mlflow.runs()} == {"FINISHED"}
        search = next(found for found in mlflow.runs() if found.data.tags.get("amla.trial") == "search/2")
        assert search.data.params == {"phase": "search", "trial": "2", "method": "fit", "budget": "10", "seed": "3"}

    def test_a_run_without_events_is_not_shown(self, tracker: Any, tmp_path: Path):
        prepare(tmp_path / "run", STUDY, task_for())
        send(tmp_path / "run", tracker)
        assert tracker.shown() == []


class TestOnce:
    def test_what_was_sent_is_not_sent_again(self, tracker: Any, tmp_path: Path):
        run = long_run(tmp_path / "run")
        send(run, tracker)
        once = tracker.shown()
        send(run, tracker)
        assert tracker.shown() == once

    def test_a_run_that_goes_on_is_one(self, tracker: Any, tmp_path: Path):
        run = begun(tmp_path / "run", 2)
        send(run, tracker)
        (part,) = tracker.shown()
        assert part.trials.keys() == {"search/0", "search/1"}
        shutil.rmtree(run / "curves")
        (tmp_path / "run" / "events.sqlite").unlink()  # the same run, further on
        long_run(run)
        send(run, tracker)
        (whole,) = tracker.shown()
        assert whole.study["search/accuracy"] == [(0, approx(0.5)), (1, approx(0.6)), (2, approx(0.7))]
        assert "test/accuracy" in whole.study

    def test_a_curve_that_goes_on_is_continued(self, tracker: Any, tmp_path: Path):
        run = begun(tmp_path / "run", 1)
        files = Files(run)
        with writing(run) as log:
            log.asked(SEARCH, read(run).search[0].proposal)
        line = Progress(1, 10, 30, 1.0, 0.5, 0.1, 1.0)
        files.append_curve("search/1", line)
        with sending(run) as key:
            sender = Sender(run, key, tracker_of(tracker.settings))
            sender.send()
            files.append_curve("search/1", replace(line, step=20))
            sender.send()
        files.start_curve("search/1", step=10)  # cut off, and resumed from a checkpoint at step 10
        for step in (20, 30):
            files.append_curve("search/1", replace(line, step=step, seconds=0.1))
        send(run, tracker)
        (found,) = tracker.shown()
        assert [step for step, _ in found.trials["search/1"]["train/loss"]] == [10, 20, 30]

    @pytest.mark.parametrize("after", [0, 3, 9, 17, 26])
    def test_a_tracker_killed_at_any_moment_misses_and_repeats_nothing(
        self, after: int, tracker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        run = long_run(tmp_path / "run")
        with tracker.dying(after, monkeypatch), pytest.raises(shown.Died):
            send(run, tracker)
        send(run, tracker)
        (found,) = tracker.shown()
        assert found.study["search/seconds"] == [(0, 2.0), (1, 2.0), (2, 2.0)]
        assert found.study["final/seconds"] == [(0, 2.0), (1, 2.0)]
        assert len(found.study["test/accuracy"]) == 1
        assert found.trials.keys() == {"search/0", "search/1", "search/2", "final/0", "final/1"}
        for name in ("search/0", "search/1", "search/2", "final/0"):
            assert [step for step, _ in found.trials[name]["train/loss"]] == [10, 20, 30]
            assert len(found.trials[name]["seconds"]) == 1

    def test_two_runs_of_one_study_are_two(self, tracker: Any, tmp_path: Path):
        for name in ("one", "other"):
            send(begun(tmp_path / name, 1), tracker)
        assert len(tracker.shown()) == 2

    def test_one_process_at_a_time_sends_a_run(self, tmp_path: Path):
        run = begun(tmp_path / "run")
        with sending(run) as key, pytest.raises(StudyError, match="by another process"), sending(run):
            pass
        with sending(run) as again:
            assert again == key

    def test_a_torn_key_is_made_anew(self, tmp_path: Path):
        run = begun(tmp_path / "run")
        (run / tracking.KEY).write_text('{"ke')
        with sending(run) as key:
            pass
        with sending(run) as again:
            assert again == key


class Deaf:
    """A tracker that fails so many times, and then takes all."""

    def __init__(self, times: int) -> None:
        self.left, self.heard = times, list[str]()

    def _hear(self, what: str) -> None:
        if self.left:
            self.left -= 1
            raise OSError("nobody listens\nat all")
        self.heard.append(what)

    def begins(self, run: Any) -> None:
        self._hear("begins")

    def asked(self, leg: Any) -> None:
        self._hear(f"asked {leg.key}")

    def progress(self, leg: Any, lines: Any) -> None:
        self._hear(f"progress {leg.key}")

    def told(self, leg: Any) -> None:
        self._hear(f"told {leg.key}")

    def ends(self, end: Any) -> None:
        self._hear(f"ends {end.finished}")


class TestFailing:
    @pytest.fixture
    def following(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Deaf, Event], list[str]]:
        run = begun(tmp_path / "run", 1)

        def follows(tracker: Deaf, over: Event) -> list[str]:
            monkeypatch.setattr("amla.study.following.tracker_of", lambda _: tracker)
            notices: list[str] = []
            follow(run, TensorBoardSettings(), "key", over, notices.append, retry=0.0)
            return notices

        return follows

    def test_one_that_fails_is_told_once_and_hears_all_later(self, following: Callable[[Deaf, Event], list[str]]):
        class Over(Event):
            """Over at the fourth look."""

            looks = 0

            def wait(self, timeout: float | None = None) -> bool:
                self.looks += 1
                return self.looks > 3

        tracker = Deaf(2)
        notices = following(tracker, Over())
        assert notices == ["tensorboard: nobody listens; the search goes on, and what is missing will be sent again"]
        assert tracker.heard == ["begins", "asked search/0", "progress search/0", "told search/0", "ends False"]

    def test_one_that_fails_in_the_end_can_be_told_later(self, following: Callable[[Deaf, Event], list[str]]):
        over = Event()
        over.set()
        (notice,) = following(Deaf(99), over)
        assert "not all was sent to tensorboard: nobody listens" in notice
        assert "amla track " in notice

    def test_a_damaged_curve_costs_its_picture_alone(self, tracker: Any, tmp_path: Path):
        run = begun(tmp_path / "run", 1)
        (run / "curves" / "search" / "0.jsonl").write_text("nonsense\n")
        send(run, tracker)
        (found,) = tracker.shown()
        assert found.trials["search/0"]["accuracy"] == [(10, approx(0.5))]


class TestSettings:
    def test_a_study_names_its_trackers(self):
        study = from_yaml(
            "{name: x, data: {source: digits}, limit: {seconds: 60}, trackers: [{kind: mlflow, uri: 'http://here'}, "
            "{kind: tensorboard, folder: tb}]}"
        )
        assert study.trackers == (MlflowSettings(uri="http://here"), TensorBoardSettings(folder="tb"))
        assert from_yaml(to_yaml(study)) == study

    @pytest.mark.parametrize("uri", ["postgresql://me:secret@host/mlflow", "postgresql://host/x?password=secret"])
    def test_a_password_in_a_uri_is_refused_and_not_repeated(self, uri: str):
        with pytest.raises(StudyError, match="MLFLOW_TRACKING_PASSWORD") as told:
            replace(STUDY, trackers=(MlflowSettings(uri=uri),))
        assert "secret" not in str(told.value)

    def test_where_a_run_is_shown_may_change_when_it_goes_on(self, tmp_path: Path):
        begun(tmp_path / "run", 1)
        shown_elsewhere: Study = replace(STUDY, trackers=(TensorBoardSettings(),))
        assert prepare(tmp_path / "run", shown_elsewhere, task_for()).trackers == (TensorBoardSettings(),)

    def test_a_library_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(tracking, "find_spec", lambda _: None)
        with pytest.raises(StudyError, match=r"needs 'mlflow'; install it with: pip install 'amla\[trackers\]'"):
            tracker_of(MlflowSettings())
