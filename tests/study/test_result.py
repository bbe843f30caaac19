"""What a run has found, and what its report is made of."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import CLASSES, STUDY, algorithm, begun, finished, made_up, measured, task_for

from amla.reports.page import render
from amla.spec.costs import costs
from amla.study.folder import prepare, read
from amla.study.log import writing
from amla.study.report import report
from amla.study.resolve import FINAL, space_of
from amla.study.result import by_class, result, wilson, winner
from amla.study.study import from_yaml
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

NETWORK = space_of(STUDY, task_for()).space.close(space_of(STUDY, task_for()).initial())


class TestResult:
    def test_it_is_what_the_test_measured(self, tmp_path: Path):
        run = read(finished(tmp_path, right=(15, 18)))
        found = result(run)
        assert found is not None
        assert (found.tested.right, found.tested.examples, found.tested.accuracy) == (33, 40, 33 / 40)
        assert (found.tested.low, found.tested.high) == wilson(33, 40)
        counted = costs(found.architecture)
        assert (found.parameters, found.macs, found.peak_memory) == (
            counted.parameters,
            counted.macs,
            counted.peak_memory,
        )
        assert (found.steps, found.search_seconds, found.final_seconds) == (50, 6.0, 4.0)

    def test_it_is_of_the_network_that_was_best_by_validation(self, tmp_path: Path):
        run = read(finished(tmp_path))
        best = winner(run)
        assert best is not None
        assert best.id == 2
        found = result(run)
        assert found is not None
        assert found.architecture == best.proposal.architecture == algorithm().recommend(run.search)

    @pytest.mark.parametrize("trials", [0, 1, 3])
    def test_there_is_none_before_the_test(self, tmp_path: Path, trials: int):
        assert result(read(begun(tmp_path, trials))) is None

    @pytest.mark.parametrize("outcome", [None, Failure("crashed", "killed")])
    def test_there_is_none_while_the_test_runs_or_where_it_failed(self, tmp_path: Path, outcome: Failure | None):
        run = read(begun(tmp_path, 1))
        final = History().asked(Proposal(NETWORK, 50)).told(0, measured(NETWORK))
        assert result(replace(run, final=final)) is None
        final = final.asked(Proposal(NETWORK, 0, start=0))
        assert result(replace(run, final=final.told(1, outcome) if outcome else final)) is None

    def test_there_is_no_winner_before_a_network_was_trained(self, tmp_path: Path):
        assert winner(read(begun(tmp_path, 0))) is None


class TestByClass:
    def test_each_class_has_its_right_ones_and_all(self, tmp_path: Path):
        run = read(finished(tmp_path, right=(15, 18)))
        assert by_class(run.final.done[-1].measurement, CLASSES) == {"cat": (15, 20), "dog": (18, 20)}

    def test_a_class_without_test_images_is_left_out(self):
        measurement = Measurement({"right/0": 1.0, "examples/0": 2.0, "right/2": 0.0, "examples/2": 1.0})
        assert by_class(measurement, ("a", "b", "c")) == {"a": (1, 2), "c": (0, 1)}

    def test_a_measurement_without_classes_has_none(self):
        assert by_class(Measurement({"accuracy": 0.5}), CLASSES) == {}


class TestReport:
    def test_it_tells_all_of_a_run_that_is_over(self, tmp_path: Path):
        run = read(finished(tmp_path))
        shown = report(run, made_up())
        assert shown.verdict is not None
        assert (shown.verdict.accuracy, shown.verdict.images) == (33 / 40, 40)
        assert (shown.verdict.low, shown.verdict.high) == wilson(33, 40)
        assert (shown.name, shown.winner, shown.final_seconds) == ("made-up", 2, 4.0)
        assert shown.final == run.final[0].proposal.architecture
        assert shown.history == run.search
        assert set(shown.curves) == {"search/0", "search/1", "search/2"}
        assert shown.notices[0] == "a notice"
        assert shown.notices[1] == "20 of 20 validation examples (100.0 %) are training examples, too"
        assert shown.classes == {"cat": (15, 20), "dog": (18, 20)}
        assert (shown.environment["seed"], shown.environment["device"]) == ("3", "abacus")
        assert {"machine", "code", "python", "numpy"} <= shown.environment.keys()
        assert shown.template == space_of(STUDY, task_for()).space.template
        assert all(file.startswith(str(tmp_path)) for file in shown.files.values())
        assert shown.files

    def test_its_study_can_be_run_again(self, tmp_path: Path):
        run = read(finished(tmp_path))
        assert from_yaml(report(run, made_up()).study) == run.study

    @pytest.mark.parametrize("trials", [0, 1, 3])
    def test_of_one_that_is_not_over_it_claims_no_result(self, tmp_path: Path, trials: int):
        shown = report(read(begun(tmp_path, trials)), made_up())
        assert (shown.verdict, shown.final, shown.final_seconds) == (None, None, None)
        assert (dict(shown.classes), dict(shown.files)) == ({}, {})
        assert shown.winner == (trials - 1 if trials else None)

    def test_the_network_that_is_trained_to_the_end_is_shown_before_it_is_tested(self, tmp_path: Path):
        begun(tmp_path, 1)
        with writing(tmp_path) as log:
            log.asked(FINAL, Proposal(NETWORK, 50))
        shown = report(read(tmp_path), made_up())
        assert shown.final == NETWORK
        assert shown.verdict is None

    def test_at_any_time_it_is_a_page(self, tmp_path: Path):
        prepare(tmp_path / "new", STUDY, task_for())
        assert "made-up" in render(report(read(tmp_path / "new"), made_up()))
        assert "82" in render(report(read(finished(tmp_path / "done")), made_up()))
