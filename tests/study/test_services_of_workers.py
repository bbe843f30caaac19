"""What a study makes of worker services: how many trials run at once, and what these are told."""

from dataclasses import replace

import pytest

from amla.execution.work import WorkerError
from amla.storage.files import Files
from amla.study import worker_services
from amla.study.assignment import assignment, understood
from amla.study.phases import FINAL, PHASES, SEARCH, TUNING
from amla.study.resolve import algorithm_of
from amla.study.run import Limit
from amla.study.settings.places import Http
from amla.study.settings.searches import NacSettings, RandomSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of
from amla.study.study import Data, Final, Study, StudyError
from amla.study.timing import Arrangement
from amla.study.worker_services import InFiles, arranged_by
from amla.tasks.recipe import Recipe

HTTP = Http(("http://127.0.0.1:9",))
RANDOM = Study("made-up", Data("made-up"), algorithm=RandomSettings(8, 10), final=Final(10), executor=HTTP)


def arranged(study: Study, http: Http) -> tuple[Arrangement, Arrangement]:
    space = envelope_of(EnvelopeSettings(), (1, 8, 8), 10)
    found = arranged_by(http, study, algorithm_of(study, space, 10))
    return found.search, found.final


@pytest.mark.parametrize(
    ("study", "http", "workers"),
    [
        (RANDOM, HTTP, 4),
        (RANDOM, replace(HTTP, workers=2), 2),
        (RANDOM, replace(HTTP, workers=20), 8),  # that many are searched
        (replace(RANDOM, limit=Limit(trials=3)), HTTP, 3),
        (replace(RANDOM, algorithm=NacSettings(3, 10)), HTTP, 1),
    ],
)
def test_as_many_run_at_once_as_there_are_slots_and_something_to_do(monkeypatch, study, http, workers):
    monkeypatch.setattr(worker_services, "slots", lambda urls, seconds, headers: (4, []))
    assert arranged(study, http) == (Arrangement(workers, 1), Arrangement(1, 1))


def test_where_nobody_answers_it_is_said_unless_a_number_is_given():
    with pytest.raises(WorkerError, match=r"No worker service answers:\n  http://127.0.0.1:9 does not answer"):
        arranged(RANDOM, HTTP)
    assert arranged(RANDOM, replace(HTTP, workers=3, threads=2))[0] == Arrangement(3, 2)


@pytest.mark.parametrize(
    ("http", "rule"),
    [
        (Http(()), "executor.urls is empty"),
        (Http(("http://x", "x")), r"executor.urls\[1\]: 'x' is no URL of a service"),
        (replace(HTTP, workers=0), "executor.workers is 0"),
        (replace(HTTP, lease=0.5), "executor.lease is 0.5; it must be from 1 to 3600"),
        (replace(HTTP, patience=0.0), "executor.patience is 0.0"),
        (replace(HTTP, memory=0), "executor.memory is 0"),
    ],
)
def test_impossible_settings_are_refused(http, rule):
    with pytest.raises(StudyError, match=rule):
        replace(RANDOM, executor=http)


def test_an_assignment_is_understood_as_it_was_meant():
    study = replace(RANDOM, final=Final(10, Recipe(batch=9)), trial_seconds=60.0)
    said = understood(assignment(study, "search", "f" * 32))
    assert (said.data, said.recipe, said.fingerprint) == (study.data, study.recipe, "f" * 32)
    assert (said.trial_seconds, said.clock) == (60.0, "wall")
    batches = {phase: understood(assignment(study, phase, "f" * 32)).recipe.batch for phase in PHASES}
    assert batches == {phase: 9 if phase in (TUNING, FINAL) else study.recipe.batch for phase in PHASES}


def test_only_trials_of_the_search_are_limited_in_time():
    limited = {phase: assignment(replace(RANDOM, trial_seconds=60.0), phase, "f")["trial_seconds"] for phase in PHASES}
    assert limited == {phase: 60.0 if phase == SEARCH else None for phase in PHASES}


def test_a_run_has_one_name_for_ever_and_no_other_has_it(tmp_path):
    names = [worker_services._run(Files(tmp_path / folder)) for folder in ("a", "a", "b")]
    assert names[0] == names[1] != names[2]


def test_its_trace_is_the_runs_and_the_token_that_of_the_environment(monkeypatch):
    monkeypatch.delenv("TRACEPARENT", raising=False)
    monkeypatch.setenv("AMLA_TOKEN", "secret")
    found = [worker_services._headers("1" * 32) for _ in range(2)]
    assert {header["authorization"] for header in found} == {"Bearer secret"}
    assert {header["traceparent"].split("-")[1] for header in found} == {"1" * 32}


def test_snapshots_are_checked_when_they_are_kept(tmp_path):
    kept = InFiles(Files(tmp_path), "search")
    with pytest.raises(ValueError, match="no snapshot"):
        kept.write(0, b"none")
    with pytest.raises(FileNotFoundError):
        kept.read(0)
