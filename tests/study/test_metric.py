"""The metric of a study: what every search looks for the highest of, and what tells tasks apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from made_up_runs import CLASSES, STUDY, made_up, measured, task_for
from rich.console import Console

from amla.algorithms.protocol import best
from amla.cli import remote
from amla.cli.options import MetricName
from amla.comparison.record import benchmark
from amla.reports.page import render
from amla.services.endings import found_by
from amla.services.wire import Standing
from amla.spec.constraints import Constraints
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study import plan
from amla.study.asked import ALGORITHMS
from amla.study.assignment import assignment, understood
from amla.study.folder import read
from amla.study.log import writing
from amla.study.report import report
from amla.study.resolve import FINAL, SEARCH, algorithm_of
from amla.study.result import Scored, result, winner
from amla.study.settings.places import TensorBoardSettings
from amla.study.settings.searches import (
    AlgorithmSettings,
    AshaSettings,
    EnasSettings,
    NacSettings,
    RandomSharingSettings,
    RunOffSettings,
    Terms,
)
from amla.study.settings.spaces import EnvelopeSettings, NasBench201Settings
from amla.study.spaces import envelope_of, space_of
from amla.study.study import Study, StudyError, from_plain, from_yaml, to_yaml
from amla.tasks.task import Metric
from amla.testing import Synthetic
from amla.trials.history import History
from amla.trials.trial import Measurement, Outcome, Proposal, Trial

SPACE = envelope_of(EnvelopeSettings(width=8, cells=(1, 1), max_cells=(2, 2)), (1, 8, 8), 2)
CELLS = space_of(NasBench201Settings(), (1, 8, 8), 2, Constraints())  # whose Picks have no width
SEARCHES: dict[str, AlgorithmSettings] = {
    **{
        name: replace(settings, steps=9, **({"candidates": 6} if name == "zero_cost" else {"trials": 18}))
        for name, settings in ALGORITHMS.items()
    },
    "nac": NacSettings(3, steps=9),
    "asha": AshaSettings(rungs=2, eta=2, trials=20, steps=9),
    "enas": EnasSettings(legs=3, paths=4, steps=9),
    "random_sharing": RandomSharingSettings(legs=2, paths=6, steps=9),
}


def against(trial: Trial) -> Outcome:
    """Return what a trial comes to where macro F1 is the higher, the lower accuracy is."""
    found = Synthetic().evaluate(trial)
    if not isinstance(found, Measurement) or "accuracy" not in found.metrics:
        return found
    tables = dict(found.statistics)
    if paths := tables.get("accuracy"):
        tables["macro_f1"] = {place: 1 - number for place, number in paths.items()}
    return replace(found, metrics={**found.metrics, "macro_f1": 1 - found.metrics["accuracy"]}, statistics=tables)


def searched(study: Study) -> tuple[Any, History]:
    shares = isinstance(study.algorithm, EnasSettings | RandomSharingSettings)
    search, history = algorithm_of(study, CELLS if shares else SPACE, 9), History()
    while len(history) < 20 and (proposal := search.ask(history)):
        history = history.asked(proposal).told(len(history), against(Trial(len(history), proposal)))
    return search, history


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_recommends_by_the_metric_of_its_study(name: str):
    study = replace(STUDY, algorithm=SEARCHES[name], metric="macro_f1")
    search, history = searched(study)
    chosen = search.recommend(history)
    truth = Synthetic().accuracy
    match study.algorithm:
        case EnasSettings() | RandomSharingSettings():
            legs = history.trials[-1:] if isinstance(study.algorithm, EnasSettings) else history.trials
            paths = [path for leg in legs for path in getattr(leg.proposal.method, "paths", ())]
            assert truth(chosen) == min(truth(CELLS.space.close(path)) for path in paths)
        case _:
            by_f1, by_accuracy = best(history, "macro_f1"), best(history)
            assert by_f1 is not None
            assert chosen == by_f1.proposal.architecture
            assert by_f1 != by_accuracy


def test_a_run_off_goes_by_it_too():
    study = replace(STUDY, algorithm=SEARCHES["random"], run_off=RunOffSettings(2, 3), metric="macro_f1")
    search, history = searched(study)
    finals = [trial for trial in history.done if trial.proposal.budget == 27]
    assert len(finals) == 2
    assert (
        search.recommend(history) == max(finals, key=lambda t: t.measurement.metrics["macro_f1"]).proposal.architecture
    )


@pytest.mark.parametrize("name", ["nac", "evolution", "asha"])
def test_what_a_search_will_ask_for_is_foreseen_alike_by_any(name: str):
    study = replace(STUDY, algorithm=SEARCHES[name])
    by_accuracy, by_f1 = (
        plan.foreseen(algorithm_of(replace(study, metric=metric), SPACE, 9), 9) for metric in ("accuracy", "macro_f1")
    )
    assert by_accuracy == by_f1


def test_a_worker_service_is_told_of_it():
    study = replace(STUDY, metric="macro_f1")
    assert understood(assignment(study, SEARCH, "0")).metric == "macro_f1"


def test_a_generator_is_told_of_another_metric(monkeypatch: pytest.MonkeyPatch):
    plain = {"kind": "remote", "url": "http://127.0.0.1:1", "options": {"a": 1}, "steps": 9}
    study = from_plain({"name": "s", "data": {"source": "digits"}, "algorithm": plain, "final": {"steps": 5}})
    assert algorithm_of(study, SPACE, 9).options == {"a": 1}  # type: ignore[attr-defined]
    other = algorithm_of(replace(study, metric="macro_f1"), SPACE, 9)
    assert other.options == {"a": 1, "metric": "macro_f1"}  # type: ignore[attr-defined]


def test_it_is_written_down():
    study = replace(STUDY, metric="balanced_accuracy")
    assert from_yaml(to_yaml(study)) == study
    assert "metric: balanced_accuracy" in to_yaml(study)


def test_the_command_line_offers_all_there_are():
    assert get_args(MetricName)[0] == Metric | None


def test_another_metric_is_another_task():
    by_accuracy, by_f1 = (task_for(replace(STUDY, metric=metric)) for metric in ("accuracy", "macro_f1"))
    assert by_accuracy.digest != by_f1.digest
    assert benchmark(STUDY) != benchmark(replace(STUDY, metric="macro_f1"))


def test_how_data_are_read_and_who_is_shown_it_is_no_other_task():
    read_otherwise = replace(STUDY, data=replace(STUDY.data, stream="disk"), trackers=(TensorBoardSettings(),))
    assert benchmark(read_otherwise) == benchmark(STUDY)


def test_a_server_says_it_as_the_run_does(tmp_path: Path):
    Files(finished(tmp_path / "run", "balanced_accuracy")).write_text(folders.WEIGHTS, "")
    Files(tmp_path / "run").write_text(folders.REPORT, "")
    found, run = found_by(tmp_path / "run"), result(read(tmp_path / "run"))
    assert found is not None
    assert run is not None
    assert found.scored == run.scored
    assert found.accuracy == 20 / 24
    console = Console(width=120, record=True)
    remote._print(console, Standing("key", "s", "done", 0.0, "1" * 32, found=found))
    assert "test balanced accuracy 70.00" in (said := console.export_text())
    assert "test accuracy 83.33" in said


def test_tables_know_accuracy_alone():
    plain = {
        "name": "s",
        "data": {"source": "cifar10"},
        "metric": "macro_f1",
        "space": {"kind": "nasbench201"},
        "backend": {"kind": "tabular", "table": "nasbench201"},
        "executor": {"kind": "simulated"},
        "algorithm": {"kind": "random", "trials": 3, "steps": 12},
        "final": {"steps": 200},
    }
    with pytest.raises(StudyError, match="metric is macro_f1, but tables know accuracy alone"):
        from_plain(plain)
    with pytest.raises(StudyError, match=r"data.share is 0\.5, but tables know networks that were trained on all"):
        from_plain(plain | {"metric": "accuracy", "data": {"source": "cifar10", "share": 0.5}})


def test_what_there_is_not_is_refused():
    with pytest.raises(StudyError, match="metric"):
        from_plain({"name": "s", "data": {"source": "digits"}, "metric": "auc", "final": {"steps": 5}})


def finished(folder: Path, metric: Metric, seeds: int = 1) -> Path:
    """Write a run of three networks, the first of which has the highest accuracy, and the last of all else."""
    study = replace(STUDY, metric=metric, terms=Terms(seeds=seeds))
    folders.prepare(folder, study, task_for(study))
    networks = [SPACE.space.close(SPACE.initial()) for _ in range(3)]
    with writing(folder) as log:
        for number, network in enumerate(networks):
            log.asked(SEARCH, Proposal(network, 10, seed=number))
            reached = {"accuracy": 0.9 - number / 10, "balanced_accuracy": 0.5 + number / 10, "macro_f1": number / 10}
            log.told(SEARCH, number, measured(network, loss=1.0, **reached))
        log.asked(FINAL, Proposal(networks[-1], 50))
        log.told(FINAL, 0, measured(networks[-1]))
        log.asked(FINAL, Proposal(networks[-1], 0, start=0, keep=False))
        classes = {"right/0": 18.0, "examples/0": 20.0, "right/1": 2.0, "examples/1": 4.0}
        tested = {"accuracy": 20 / 24, "balanced_accuracy": 0.7, "macro_f1": 0.6, "loss": 0.5, "examples": 24.0}
        log.told(FINAL, 1, measured(networks[-1], **tested, **classes))
    Files(folder).write_text(folders.BEST, "")
    return folder


@pytest.mark.parametrize(("metric", "chosen"), [("accuracy", 0), ("balanced_accuracy", 2), ("macro_f1", 2)])
def test_the_winner_is_the_best_by_it(tmp_path: Path, metric: Metric, chosen: int):
    found = winner(read(finished(tmp_path / "run", metric)))
    assert found is not None
    assert found.id == chosen


def test_the_result_has_it_with_an_interval_where_there_is_one(tmp_path: Path):
    by_accuracy, balanced, f1 = (
        result(read(finished(tmp_path / metric, metric))) for metric in ("accuracy", "balanced_accuracy", "macro_f1")
    )
    assert by_accuracy is not None
    assert by_accuracy.scored is None
    assert f1 is not None
    assert f1.scored == Scored("macro_f1", 0.6)
    assert balanced is not None
    assert balanced.scored is not None
    assert balanced.scored.value == 0.7
    low, high = balanced.scored.interval or (1, 0)
    assert 0.4 < low < 0.6 < 0.8 < high < 0.95


def test_the_report_names_it_wherever_it_stands(tmp_path: Path):
    page = render(report(read(finished(tmp_path / "run", "balanced_accuracy")), made_up()))
    for words in (
        "It was chosen by balanced accuracy, in which it reaches 70.0",
        "<dt>Test balanced accuracy</dt>",
        ">Balanced accuracy</th>",
        "Validation balanced accuracy and parameters",
    ):
        assert words in page
    assert "balanced_accuracy and" not in page
    assert all(name in page for name in CLASSES)
