"""From the settings of a study to what runs: every name is looked up here, once."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic, process_time

from amla.backends import processor
from amla.backends.energy import Energy
from amla.backends.protocol import Backend, Member
from amla.evaluation.readers import ReadOnly
from amla.evaluation.train import Snapshots, Training
from amla.execution.work import Evaluate
from amla.probes import ProbeError, probe
from amla.storage.files import Files
from amla.study import spaces
from amla.study.algorithm import algorithm_of as algorithm_of
from amla.study.constraints import check_met
from amla.study.phases import FINAL as FINAL
from amla.study.phases import REHEARSAL as REHEARSAL
from amla.study.phases import SEARCH as SEARCH
from amla.study.phases import TIMING as TIMING
from amla.study.phases import TUNING
from amla.study.reading import read_for
from amla.study.settings.places import Http, Inline, Ray, TabularSettings, Torch
from amla.study.settings.searches import FixedSettings, NacSettings
from amla.study.spaces import Found
from amla.study.study import Study, StudyError, from_plain, to_plain
from amla.study.tables import looked_up
from amla.study.tuned import tuners
from amla.tasks.carved import parts
from amla.tasks.dataset import Dataset
from amla.tasks.subset import subset
from amla.tasks.task import OF_NUMBERS, Task
from amla.trials.progress import Report
from amla.trials.trial import Outcome, Trial

BACKENDS = {"torch": "amla.backends.torch.backend:TorchBackend"}


def task_of(study: Study, dataset: Dataset) -> Task:
    """Return the task of a study: its data, split, metric, and the recipe of the search. Raises StudyError."""
    data = study.data
    divided = parts(dataset, validation=data.validation, test=data.test, seed=data.split_seed)
    some = None if data.share == 1 else subset(divided.train, data.share, data.split_seed)
    task = Task(dataset, divided, study.recipe, study.metric, some=some)
    _check_kind(study, task)
    return task


def _check_kind(study: Study, task: Task) -> None:
    """Raise StudyError where settings are of classes, but numbers are to be predicted, or the other way round."""
    if task.are_numbers != (study.metric == OF_NUMBERS):
        what = "numbers to be predicted" if task.are_numbers else "classes"
        usual = OF_NUMBERS if task.are_numbers else "accuracy"
        raise StudyError(
            f"metric is {study.metric}, but the labels of {study.data.source!r} are {what}; say metric {usual}, or, if "
            "they are not what they look like, --labels, which is data.labels."
        )
    for place, recipe in (("recipe", study.recipe), ("final.recipe", study.final.recipe)):
        if task.are_numbers and recipe and (recipe.label_smoothing or recipe.class_weights != "none"):
            name = "label_smoothing" if recipe.label_smoothing else "class_weights"
            raise StudyError(
                f"{place}.{name} is {getattr(recipe, name)}, which is about classes, but numbers are to be predicted; "
                "leave it out."
            )


def space_of(study: Study, task: Task) -> Found:
    """Return the space of a study. Raises SpaceError, SpecError."""
    return spaces.space_of(study.space, task.shape, task.classes, study.constraints)


def check(study: Study, task: Task) -> None:
    """Raise StudyError, SpaceError or SpecError for what could only fail later: before anything is written.

    The device is looked for only where one is named or PyTorch is needed at once: asking takes seconds. On Ray
    and over HTTP, it is that of other machines.
    """
    space = space_of(study, task)
    if study.constraints and not isinstance(study.algorithm, FixedSettings):
        check_met(space)
    algorithm_of(study, space, steps=1)
    if study.tuning is not None:
        tuners()
    crops = (study.recipe.augment.crop, study.final_recipe.augment.crop)
    if len(task.shape) != 3 and any(crops):
        raise StudyError("augment.crop is given, but the data are series, of which no part is enlarged; leave it out.")
    if isinstance(study.algorithm, NacSettings):
        for setting in ("statistic", "skip_statistic"):
            try:
                if (name := getattr(study.algorithm, setting)) is not None:
                    probe(name)
            except ProbeError as error:
                raise StudyError(f"algorithm.{setting}: {error}") from None
    if isinstance(study.backend, TabularSettings):
        return
    if isinstance(study.executor, Inline) or (study.backend.device and not isinstance(study.executor, Ray | Http)):
        backend_of(study)
    if (devices := study.devices) > 1:
        examples, batch = len(task.parts.train.labels) + len(task.parts.validation.labels), study.final_recipe.batch
        if batch > examples and examples % devices:
            raise StudyError(
                f"The final training has {examples} examples, which are one batch; the {devices} devices of "
                f"backend.devices have equal shares of it. Make the batch smaller than that, a multiple of {devices}."
            )
        backend_of(study, member=Member(devices - 1, devices, ""))


def backend_of(study: Study, threads: int | None = None, member: Member | None = None) -> Backend:
    """Return the backend of a study, which computes with so many threads (None: as it likes), maybe as a crew's member.

    Raises StudyError if its library is not installed, or its device not there.
    """
    if not isinstance(study.backend, Torch):
        raise StudyError(f"backend.kind is {study.backend.kind}, which trains nothing.")
    kind = study.backend.kind
    module, name = BACKENDS[kind].split(":")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise StudyError(
            f"The backend {kind!r} needs {error.name!r}; install it with: pip install 'amla[{kind}]'."
        ) from None
    try:
        backend: Backend = found(study.backend.device, threads, member)
    except ValueError as error:
        raise StudyError(f"backend.device: {error}") from None
    return backend


def evaluation_of(
    study: Study,
    phase: str,
    task: Task,
    files: Files,
    threads: int | None = None,
    workers: int = 1,
    member: Member | None = None,
    data_dir: Path | None = None,
) -> Evaluate:
    """Return what evaluates the trials of a phase, in this process with so many threads (None: as it has them).

    It is one of so many `workers` that share the cores.

    In the final phase a proposal with a budget trains on all that is not test, and one without is scored on the test
    part: `amla.algorithms.finish` makes one such proposal. A `member` of a crew meets the others of each trial anew, at
    a file in the folder that its meeting is; the first one writes snapshots. Where a table answers the trials, it lies
    in `data_dir`.
    """
    if isinstance(study.backend, TabularSettings):
        return looked_up(study.backend, study.data.source, phase, files, data_dir)
    memory = getattr(study.executor, "memory", None)
    snapshots: Snapshots = ReadOnly(files) if member is not None and member.number else files
    backend, clock, seconds = backend_of(study, threads, member), clock_of(study, workers), study.seconds_a_trial(phase)
    energy = energy_of(study, workers, member)
    training = Training(phase, backend, task, snapshots, memory, seconds, clock=clock, energy=energy)
    if phase == TIMING:  # leaves nothing behind: neither a score nor a checkpoint
        return replace(training, task=replace(task, score_on=None), checkpoint_seconds=1e9)
    final_task = task.whole().with_recipe(study.final_recipe)
    if phase == TUNING:
        return replace(training, task=final_task)
    if phase != FINAL:
        return training
    fitting = replace(training, task=final_task.final())
    testing = replace(training, task=final_task.test())

    def evaluate(trial: Trial, report: Report) -> Outcome:
        if not trial.proposal.budget:
            return testing(trial, report)
        if member is None:
            return fitting(trial, report)
        meeting = replace(member, meeting=str(Path(member.meeting) / str(trial.id)))
        return replace(fitting, backend=backend_of(study, threads, meeting))(trial, report)

    return evaluate


def clock_of(study: Study, workers: int) -> Callable[[], float]:
    """Return the clock that a study's seconds go by, in one of so many worker processes.

    CPU seconds are divided by the cores that the worker has for itself, if the machine has nothing else to do; on Ray,
    by those that it was given.
    """
    if study.limit.clock == "wall":
        return monotonic
    share = float(study.executor.cpus) if isinstance(study.executor, Ray) else max(1.0, processor.cores() / workers)
    return lambda: process_time() / share


def energy_of(study: Study, workers: int, member: Member | None) -> Callable[[], Energy]:
    """Return what begins to count the energy of a trial, in one of so many worker processes.

    Counters are of the whole machine: each worker has an equal share of what it uses, on Ray that of the cores it was
    given. A crew trains one network, whose energy is all there is.
    """
    if member is not None:
        return Energy
    ray = study.executor if isinstance(study.executor, Ray) else None
    return partial(Energy, min(1.0, ray.cpus / processor.cores()) if ray else 1 / workers)


def work_config(
    study: Study,
    phase: str,
    folder: Path,
    data_dir: Path | None,
    workers: int,
    member: Member | None = None,
    shared: str | None = None,
) -> str:
    """Return what each of so many worker processes needs to know to evaluate the trials of a phase, as JSON.

    `member` says which of a crew it is, None for none. Snapshots are in the `folder` or at the address `shared`.
    """
    where = {"folder": str(folder.absolute()), "shared": shared, "data_dir": data_dir and str(data_dir)}
    return json.dumps(
        {"study": to_plain(study), "phase": phase, "workers": workers, "member": member and asdict(member), **where}
    )


def evaluation_in_worker(config: str) -> Evaluate:
    """Return what evaluates trials, in a worker process, from what `work_config` said."""
    said = json.loads(config)
    study = from_plain(said["study"])
    data_dir = Path(said["data_dir"]) if said["data_dir"] else None
    dataset = read_for(study.backend, study.data, data_dir)
    member = Member(**said["member"]) if said["member"] else None
    files, workers = Files(said["folder"], said["shared"]), said["workers"]
    return evaluation_of(study, said["phase"], task_of(study, dataset), files, None, workers, member, data_dir)
