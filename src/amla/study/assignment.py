"""What a worker service is told of a study, and how its worker processes make an evaluator of that."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from amla.backends import processor
from amla.execution.work import Evaluate
from amla.spec.text import explain
from amla.spec.values import value
from amla.storage.files import Files
from amla.study.phases import FINAL, TUNING
from amla.study.reading import read_for
from amla.study.resolve import evaluation_of, task_of
from amla.study.run import Limit
from amla.study.settings.places import BackendSettings, Local, TabularSettings, Torch
from amla.study.settings.searches import RandomSettings
from amla.study.study import Data, Final, Study, StudyError
from amla.study.tables import looked_up
from amla.tasks.dataset import DataError, Dataset
from amla.tasks.recipe import Recipe
from amla.tasks.task import Metric


@value
class Assignment:
    """What is to be learned, and how: all of a study that a trial depends on.

    `fingerprint` is that of the data (None: whatever they are), `recipe` that of the phase. A trial of the search is
    answered `timeout` after `trial_seconds` by the `clock`. `metric` is by which the best of several paths is told.
    """

    data: Data
    recipe: Recipe = Recipe()
    backend: BackendSettings = Torch()
    fingerprint: str | None = None
    trial_seconds: float | None = None
    clock: Literal["wall", "cpu"] = "wall"
    metric: Metric = "accuracy"


@value
class _Told:
    """The config of a worker process."""

    assignment: Assignment
    phase: str
    source: str
    folder: str
    threads: int
    memory: int | None
    data_dir: str | None


_assignment, _told = TypeAdapter(Assignment), TypeAdapter(_Told)


def assignment(study: Study, phase: str, fingerprint: str) -> dict[str, Any]:
    """Return the assignment of a phase of a study, as plain values."""
    recipe = study.final_recipe if phase in (TUNING, FINAL) else study.recipe
    seconds = study.seconds_a_trial(phase)
    return _plain(Assignment(study.data, recipe, study.backend, fingerprint, seconds, study.limit.clock, study.metric))


def assigned(data: Data) -> dict[str, Any]:
    """Return the plainest assignment on some data, whatever their fingerprint, as plain values."""
    return _plain(Assignment(data))


def _plain(said: Assignment) -> dict[str, Any]:
    plain: dict[str, Any] = _assignment.dump_python(said, mode="json")
    return plain


def understood(plain: Mapping[str, Any]) -> Assignment:
    """Return the assignment that plain values describe. Raises StudyError."""
    try:
        return _assignment.validate_json(json.dumps(plain))
    except (ValidationError, RecursionError) as error:
        raise StudyError(explain(error) if isinstance(error, ValidationError) else "It is nested too deeply.") from None


def data_of(said: Assignment, source: str, data_dir: Path | None) -> Dataset:
    """Return the data of an assignment, which are at `source` here. Raises DataError unless they are the same."""
    dataset = read_for(said.backend, said.data, data_dir, source=source)
    if said.fingerprint not in (None, dataset.fingerprint):
        raise DataError(
            f"{said.data.source!r} has the fingerprint {dataset.fingerprint} here, but the study was begun with "
            f"{said.fingerprint}. Put the same files here; no trial is run on others."
        )
    return dataset


def work_config(
    said: Assignment, phase: str, source: str, folder: Path, threads: int, memory: int | None, data_dir: Path | None
) -> str:
    """Return what a worker process needs to know to evaluate the trials of an assignment, as JSON."""
    told = _Told(said, phase, source, str(folder), threads, memory, None if data_dir is None else str(data_dir))
    return _told.dump_json(told).decode()


def evaluation(config: str) -> Evaluate:
    """Return what evaluates trials, in a worker process, from what `work_config` said."""
    told = _told.validate_json(config)
    said, data_dir = told.assignment, Path(told.data_dir) if told.data_dir else None
    if isinstance(said.backend, TabularSettings):
        return looked_up(said.backend, told.source, told.phase, Files(told.folder), data_dir)
    study = Study(
        "assigned",
        said.data,
        said.recipe,
        algorithm=RandomSettings(steps=1),
        final=Final(steps=1),
        backend=said.backend,
        executor=Local(1, told.threads, told.memory),
        limit=Limit(clock=said.clock),
        trial_seconds=said.trial_seconds,
        metric=said.metric,
    )
    workers = max(1, processor.cores() // told.threads)  # as many as could share the cores so
    dataset = data_of(said, told.source, data_dir)
    return evaluation_of(study, told.phase, task_of(study, dataset), Files(told.folder), told.threads, workers)
