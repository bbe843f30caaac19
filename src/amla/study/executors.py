"""Where the trials of a study run: from what it says of its executor to what runs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from amla.algorithms.protocol import Algorithm
from amla.backends.protocol import Member
from amla.evaluation.tabular import Tabular
from amla.execution.crew import CrewExecutor
from amla.execution.inline import InlineExecutor
from amla.execution.local import LocalExecutor, cores
from amla.execution.simulated import SimulatedExecutor
from amla.execution.work import Work, WorkerError
from amla.study.arrangement import Arranged, at_once
from amla.study.phases import FINAL
from amla.study.resolve import evaluation_of, work_config
from amla.study.run import Executor
from amla.study.settings.places import ExecutorSettings, Http, Inline, Local, Ray, Simulated, TabularSettings
from amla.study.study import Study, StudyError
from amla.study.tables import table_of
from amla.study.timing import Arrangement
from amla.study.underway import Underway
from amla.study.worker_services import arranged_by, http_executor
from amla.trials.progress import Report


@contextmanager
def executor(underway: Underway, phase: str, arrangement: Arrangement, report: Report) -> Iterator[Executor]:
    """Yield what runs the trials of a phase, and end its workers."""
    study = underway.study
    if phase == FINAL and study.devices > 1:
        with _crew(underway, arrangement, report) as crew:
            yield crew
        return
    logs, seconds = underway.folder / "logs", _killing(study.seconds_a_trial(phase))
    match study.executor:
        case Inline():
            threads, data_dir = arrangement.threads, underway.data_dir
            evaluate = evaluation_of(study, phase, underway.task, underway.files, threads, data_dir=data_dir)
            yield InlineExecutor(evaluate, report)
        case Local(memory=memory):
            with LocalExecutor(
                _work(underway, phase, arrangement.workers),
                workers=arrangement.workers,
                threads=arrangement.threads,
                seconds=seconds,
                memory=memory,
                report=report,
                logs=logs,
            ) as running:
                yield running
        case Simulated():
            assert isinstance(study.backend, TabularSettings)  # noqa: S101
            past, found = underway.store.history(phase), table_of(study.backend, study.data.source, underway.data_dir)
            table = Tabular(found, final=phase == FINAL).knowing(past)
            yield SimulatedExecutor(table, arrangement.workers, report, past)
        case Ray() as ray:
            with _of_ray("ray").RayExecutor(
                _work(underway, phase, arrangement.workers),
                workers=arrangement.workers,
                cpus=ray.cpus,
                gpus=ray.gpus,
                memory=ray.memory,
                seconds=seconds,
                address=ray.address,
                report=report,
                logs=logs.absolute(),
            ) as running:
                yield running
        case Http() as http:
            with http_executor(underway, http, phase, arrangement.workers, seconds, report) as running:
                yield running


@contextmanager
def cluster(settings: ExecutorSettings) -> Iterator[None]:
    """Have the Ray of a study within, from its first phase to its last; nothing if it has none. Raises StudyError."""
    if not isinstance(settings, Ray):
        yield
        return
    cpus = settings.cpus if settings.workers == "auto" else settings.cpus * settings.workers
    with _of_ray("cluster").connected(settings.address, cpus):
        yield


def arranged_elsewhere(settings: Ray | Http, study: Study, algorithm: Algorithm) -> Arranged:
    """Return how many trials of a study train at once on other machines, which may be others than before.

    Raises WorkerError.
    """
    if isinstance(settings, Ray):
        return arranged_on(settings, study, algorithm)
    return arranged_by(settings, study, algorithm)


def arranged_on(ray: Ray, study: Study, algorithm: Algorithm) -> Arranged:
    """Return how many trials of a study train at once on its Ray: as many as it says, or as its nodes have room for.

    Nothing is timed: a worker has the cores that it was asked for. Raises WorkerError where there is room for none
    and there will be none.
    """
    room = _of_ray("cluster").room(ray.cpus, ray.gpus, ray.memory)
    if not room and (ray.workers == "auto" or ray.address is None):
        needs = f"{ray.cpus} CPUs, {ray.gpus:g} GPUs and {ray.memory or 0:,} bytes of memory"
        raise WorkerError(
            f"No node of Ray has {needs} for a worker. Ask for less, or where nodes are started when they are needed, "
            "give executor.workers as a number."
        )
    workers = room if ray.workers == "auto" else ray.workers
    workers = min(workers, at_once(algorithm), study.limit.trials or workers)
    return Arranged(Arrangement(workers, ray.cpus), Arrangement(1, ray.cpus))


def _crew(underway: Underway, arrangement: Arrangement, report: Report) -> CrewExecutor:
    """Return what trains the final network, on several devices of this machine; without more threads than cores."""
    size = underway.study.devices

    def work(number: int, meeting: Path) -> Work:
        return _work(underway, FINAL, size, Member(number, size, str(meeting.absolute())))

    return CrewExecutor(
        work,
        size=size,
        meetings=underway.folder / "crew",
        threads=max(1, min(arrangement.threads, cores() // size)),
        memory=getattr(underway.study.executor, "memory", None),
        report=report,
        logs=underway.folder / "logs",
    )


def _work(underway: Underway, phase: str, workers: int, member: Member | None = None) -> Work:
    shared = underway.files.shared
    config = work_config(underway.study, phase, underway.folder, underway.data_dir, workers, member, shared)
    return Work("amla.study.resolve:evaluation_in_worker", config)


def _killing(seconds: float | None) -> float | None:
    """Return after how long a worker is killed whose trial has not stopped by itself after `seconds`."""
    return None if seconds is None else 1.2 * seconds + 10


def _of_ray(module: str) -> Any:
    """Return a module that imports Ray. Raises StudyError if that is not installed."""
    try:
        return import_module(f"amla.execution.{module}")
    except ModuleNotFoundError as error:
        raise StudyError(
            f"The executor 'ray' needs {error.name!r}; install it with: pip install 'amla[ray]'."
        ) from None
