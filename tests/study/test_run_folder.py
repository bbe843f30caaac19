"""Run folders: which study may be run in which folder, and what can be read back at any time."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import STUDY, begun, finished, made_up, task_for

from amla.backends.processor import cores
from amla.spec.text import to_json
from amla.study.folder import BEST, REPORT, WEIGHTS, prepare, provenance, read
from amla.study.log import EVENTS, writing
from amla.study.resolve import REHEARSAL, SEARCH
from amla.study.result import is_finished
from amla.study.settings.searches import FixedSettings, NacSettings
from amla.study.study import Final, StudyError, load, to_yaml


class TestPrepare:
    def test_the_study_is_written_with_where_it_comes_from(self, tmp_path: Path):
        study = prepare(tmp_path / "runs" / "new", STUDY, task_for())
        assert load(tmp_path / "runs" / "new" / "study.yaml") == study
        assert replace(study, provenance=None) == STUDY
        found = (
            "20 of 20 validation examples (100.0 %) are training examples, too",
            "40 of 40 test examples (100.0 %) are training examples, too",
        )
        assert study.provenance == replace(provenance(task_for()), findings=found)
        assert study.provenance.data == "f" * 32
        assert study.provenance.versions.keys() == {
            *("python", "numpy", "torch", "pydantic", "sqlalchemy", "safetensors")
        }
        assert study.provenance.machine.endswith(f"{cores()} cores")

    def test_the_same_study_goes_on(self, tmp_path: Path):
        before = load(begun(tmp_path) / "study.yaml")
        assert prepare(tmp_path, STUDY, task_for()) == before

    def test_a_study_with_its_provenance_goes_on_too(self, tmp_path: Path):
        written = load(begun(tmp_path) / "study.yaml")
        assert prepare(tmp_path, written, task_for()) == written

    def test_another_study_is_refused_and_the_differences_are_named(self, tmp_path: Path):
        text = (begun(tmp_path) / "study.yaml").read_bytes()
        other = replace(STUDY, seed=4, final=Final(60))
        with pytest.raises(StudyError) as raised:
            prepare(tmp_path, other, task_for(other))
        said, *differences = str(raised.value).splitlines()
        assert said.startswith(f"'{tmp_path}' holds another study.")
        assert f"go on as it was begun: amla run {tmp_path}/study.yaml --run {tmp_path}." in said
        assert differences == ["  final.steps: 50 there, 60 here", "  seed: 3 there, 4 here"]
        assert (tmp_path / "study.yaml").read_bytes() == text

    @pytest.mark.parametrize("is_tried", [True, False], ids=["trained", "not yet"])
    def test_given_networks_may_lie_elsewhere_if_they_are_the_same(self, tmp_path: Path, is_tried: bool):
        (network, other), run = (
            (trial.proposal for trial in read(begun(tmp_path / "other", 2)).search),
            tmp_path / "run",
        )
        one, moved = (tmp_path / name for name in ("one.arch.json", "moved.arch.json"))
        one.write_text(to_json(network.architecture))
        given = replace(STUDY, algorithm=FixedSettings((str(one),), 10))
        prepare(run, given, task_for())
        with writing(run) as log:
            log.asked(SEARCH if is_tried else REHEARSAL, network)
        moved.write_bytes(one.read_bytes())
        if is_tried:
            one.unlink()
        elsewhere = replace(STUDY, algorithm=FixedSettings((str(moved),), 10))
        assert prepare(run, elsewhere, task_for()).algorithm == elsewhere.algorithm
        moved.write_text(to_json(other.architecture))
        with pytest.raises(StudyError, match=r"algorithm\.architectures: .*one\.arch\.json.* there, .*moved"):
            prepare(run, elsewhere, task_for())

    def test_settings_that_only_one_of_both_has_are_differences(self, tmp_path: Path):
        begun(tmp_path)
        other = replace(STUDY, algorithm=NacSettings(2, steps=10), executor=replace(STUDY.executor), limit=STUDY.limit)
        assert prepare(tmp_path, other, task_for(other))
        with pytest.raises(StudyError, match=r"data\.size: None there, \[8, 8\] here"):
            prepare(tmp_path, replace(STUDY, data=replace(STUDY.data, size=(8, 8))), task_for())

    def test_data_that_have_changed_since_it_was_begun_are_refused(self, tmp_path: Path):
        begun(tmp_path)
        with pytest.raises(StudyError, match=f"(?s)The data 'made-up' have changed.*{'f' * 32}, and is {'e' * 32}"):
            prepare(tmp_path, STUDY, task_for(fingerprint="e" * 32))

    def test_a_study_is_refused_anywhere_for_other_data_than_it_was_written_for(self, tmp_path: Path):
        written = prepare(tmp_path / "one", STUDY, task_for())
        with pytest.raises(StudyError, match=f"with the fingerprint {'f' * 32}, but 'made-up' now has {'e' * 32}"):
            prepare(tmp_path / "other", written, task_for(fingerprint="e" * 32))
        assert not (tmp_path / "other").exists()

    def test_a_study_that_was_begun_but_never_trained_may_be_replaced(self, tmp_path: Path):
        prepare(tmp_path, STUDY, task_for())
        with writing(tmp_path):
            pass
        assert prepare(tmp_path, replace(STUDY, seed=4), task_for()).seed == 4
        assert load(tmp_path / "study.yaml").seed == 4

    @pytest.mark.parametrize("phase", [REHEARSAL, SEARCH])
    def test_one_of_which_a_trial_has_begun_may_not(self, tmp_path: Path, phase: str):
        prepare(tmp_path, STUDY, task_for())
        with writing(tmp_path) as log:
            log.asked(phase, read(begun(tmp_path / "other")).search[0].proposal)
        with pytest.raises(StudyError, match="another study"):
            prepare(tmp_path, replace(STUDY, seed=4), task_for())

    def test_a_users_own_file_is_never_replaced_by_another_study(self, tmp_path: Path):
        (tmp_path / "study.yaml").write_text(to_yaml(STUDY), encoding="utf-8")
        with pytest.raises(StudyError, match="another study"):
            prepare(tmp_path, replace(STUDY, seed=4), task_for())
        assert load(tmp_path / "study.yaml") == STUDY

    def test_records_whose_study_is_missing_are_no_ones(self, tmp_path: Path):
        (begun(tmp_path) / "study.yaml").unlink()
        with pytest.raises(StudyError, match=r"holds the records of a study, but no study\.yaml"):
            prepare(tmp_path, STUDY, task_for())


class TestRead:
    @pytest.mark.parametrize("name", ["nowhere", ".", "file"])
    def test_what_is_no_run_is_said(self, tmp_path: Path, name: str):
        (tmp_path / "file").write_text("nothing")
        with pytest.raises(StudyError, match=rf"{name}' is no run: it has no study\.yaml" if name != "." else "no run"):
            read(tmp_path / name)

    def test_one_that_has_just_been_prepared_is_empty(self, tmp_path: Path):
        prepare(tmp_path, STUDY, task_for())
        run = read(tmp_path)
        assert (len(run.rehearsal), len(run.search), len(run.final)) == (0, 0, 0)
        assert run.curves() == {}

    def test_what_was_written_is_read_while_more_is_written(self, tmp_path: Path):
        begun(tmp_path, 2)
        with writing(tmp_path) as log:
            run = read(tmp_path)
            assert run.search == log.history(SEARCH)
        assert len(run.search.done) == 2
        assert len(run.final) == 0

    def test_curves_go_by_phase_and_trial_and_those_that_are_missing_are_left_out(self, tmp_path: Path):
        run = read(finished(tmp_path))
        assert set(run.curves()) == {"search/0", "search/1", "search/2"}
        assert [line.trial for line in run.curves()["search/1"]] == [1]

    def test_a_damaged_curve_is_named_and_left_out(self, tmp_path: Path):
        assert read(finished(tmp_path)).damaged_curves() == []
        (tmp_path / "curves/search/1.jsonl").write_text("nonsense\n")
        run = read(tmp_path)
        assert set(run.curves()) == {"search/0", "search/2"}
        (said,) = run.damaged_curves()
        assert "curves/search/1.jsonl' is no learning curve" in said

    def test_a_damaged_study_is_named(self, tmp_path: Path):
        (tmp_path / "study.yaml").write_text("seed: many")
        with pytest.raises(StudyError, match=r"study\.yaml' is no study that can be run"):
            read(tmp_path)

    def test_reading_writes_nothing(self, tmp_path: Path):
        before = {path: path.read_bytes() for path in finished(tmp_path).rglob("*") if path.is_file()}
        read(tmp_path).curves()
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("missing", [None, BEST, WEIGHTS, REPORT, EVENTS])
def test_a_run_is_finished_once_it_has_its_result_and_all_files(tmp_path: Path, missing: str | None):
    finished(tmp_path)
    for name in (WEIGHTS, REPORT):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("whatever")
    if missing:
        (tmp_path / missing).unlink()
    assert is_finished(read(tmp_path)) == (missing is None)


def test_where_data_lie_is_no_part_of_their_provenance():
    assert provenance(task_for()) == provenance(task_for())
    assert made_up().fingerprint in str(provenance(task_for()))
