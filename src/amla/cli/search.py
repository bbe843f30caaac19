"""`amla search` and `amla run`: load the data, tell what was found, run the study, show what came out."""

import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Literal

from rich.console import Console

from amla.backends import processor
from amla.cli.console import escape, opened, say
from amla.cli.durations import seconds
from amla.cli.limits import print_reaches
from amla.cli.live import LiveListener, PlainListener
from amla.cli.show import print_run
from amla.reports.numbers import count, plural
from amla.reports.page import render
from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study.changes import changed
from amla.study.constraints import reaches
from amla.study.following import followed
from amla.study.log import writing
from amla.study.plan import first
from amla.study.presets import CORE_FLOPS, GPU_FLOPS, preset
from amla.study.report import report
from amla.study.resolve import algorithm_of, check, space_of, task_of, why_ended
from amla.study.result import is_finished
from amla.study.run import Store
from amla.study.search import Search
from amla.study.settings import (
    AlgorithmSettings,
    AshaSettings,
    BayesSettings,
    EvolutionSettings,
    ExecutorSettings,
    FixedSettings,
    Inline,
    Local,
    LocalSettings,
    NacSettings,
    Nsga2Settings,
    OptunaSettings,
    RandomSettings,
    ReinforceSettings,
    RemoteSettings,
    TabularSettings,
    Torch,
)
from amla.study.study import Data, Study, StudyError, load
from amla.study.tables import dataset_of, table_of
from amla.study.tracking import require
from amla.tasks.dataset import Dataset
from amla.tasks.load import load as load_dataset
from amla.tasks.recipe import Augment
from amla.tasks.task import Task

RUNS = Path("runs")
ALGORITHMS: dict[str, AlgorithmSettings] = {  # as `--algorithm` calls them, besides NAC, whose settings fit the data
    "random": RandomSettings(),
    "evolution": EvolutionSettings(),
    "local": LocalSettings(),
    "asha": AshaSettings(),
    "hyperband": AshaSettings(brackets=3),
    "nsga2": Nsga2Settings(),
    "reinforce": ReinforceSettings(),
    "bayes": BayesSettings(),
    "optuna": OptunaSettings(),
}
NAMES = {
    "evolution": "regularised evolution",
    "local": "local search",
    "nsga2": "Pareto evolution (NSGA-II)",
    "reinforce": "REINFORCE",
    "bayes": "Bayesian optimisation",
    "optuna": "a sampler of Optuna",
}


def search_data(
    source: str,
    run: Path | None,
    budget: str | None,
    budget_clock: Literal["wall", "cpu"],
    algorithm: str,
    workers: str | None,
    device: str | None,
    limits: Constraints,
    seed: int,
    data_dir: Path | None,
    settings: list[str],
    plain: bool,
    store: str | None,
) -> None:
    """Search a network for a dataset with the settings that fit it, changed as the user says."""
    console = opened()
    given = None if budget is None else seconds(budget)
    dataset = loaded(console, Data(source), data_dir, plain)
    flops = GPU_FLOPS if _has_gpu(device) else CORE_FLOPS * processor.cores()
    study = preset(dataset, Data(source), seconds=given, seed=seed, flops=flops)
    study = replace(
        study,
        name=name_of(dataset.name),
        algorithm=_called(algorithm, study.algorithm),
        executor=executor_of(workers, algorithm),
        backend=Torch(device=device),
        limit=replace(study.limit, clock=budget_clock),
        constraints=limits,
    )
    study = changed(study, settings)
    if (study.data.source, study.data.size) != (source, None):
        dataset = loaded(console, study.data, data_dir, plain)
    _run(console, study, dataset, run or RUNS / study.name, data_dir, plain, store)


def run_file(
    path: Path, run: Path | None, data_dir: Path | None, settings: list[str], plain: bool, store: str | None
) -> None:
    """Run the study in a file."""
    console = opened()
    study = changed(load(path), settings)
    if isinstance(study.backend, TabularSettings):
        dataset = dataset_of(table_of(study, data_dir))
    else:
        dataset = loaded(console, study.data, data_dir, plain)
    _run(console, study, dataset, run or RUNS / study.name, data_dir, plain, store)


def _run(
    console: Console,
    study: Study,
    dataset: Dataset,
    folder: Path,
    data_dir: Path | None,
    plain: bool,
    store: str | None,
) -> None:
    task = task_of(study, dataset)
    finished = (folder / folders.STUDY).exists() and is_finished(folders.read(folder))
    if not finished:
        if not isinstance(study.algorithm, FixedSettings):
            print_reaches(console, reaches(study.space, task.shape, task.classes, study.constraints))
        check(study, task)  # a study that cannot be run leaves no folder behind
        for tracker in study.trackers:
            require(tracker)
    study = folders.prepare(folder, study, task, store)
    if not finished:
        with writing(folder) as log:  # a second process gets no further than here
            _announce(console, study, task, folder)
            _go_on(console, study, task, log, folder, data_dir, plain)
    run = folders.read(folder)
    print_run(console, run)
    if ended := why_ended(study, task, run.search):
        say(console, f"[yellow]the search ended early:[/yellow] {escape(ended)}")


def _go_on(
    console: Console, study: Study, task: Task, log: Store, folder: Path, data_dir: Path | None, plain: bool
) -> None:
    """Run a study from where it is; its report is written whatever happens."""
    Listener = PlainListener if plain or not console.is_terminal else LiveListener  # noqa: N806
    listener = Listener(console, study, len(task.parts.train.labels))

    def notice(line: str) -> None:
        say(console, f"[yellow]note[/yellow] {escape(line)}")

    with followed(folder, study.trackers, notice):
        try:
            with listener:
                Search(study, task, log, Files(folder), folder, listener, data_dir).run()
        except BaseException:
            with suppress(Exception):  # what happened first is what the user must hear of
                _write_report(folder, task.dataset)
            raise
        _write_report(folder, task.dataset)
    for said in folders.read(folder).damaged_curves():
        say(console, f"[yellow]note[/yellow] {escape(said)} The report was drawn without it.")


def _write_report(folder: Path, dataset: Dataset) -> None:
    Files(folder).write_text(folders.REPORT, render(report(folders.read(folder), dataset)))


def loaded(console: Console, data: Data, data_dir: Path | None, plain: bool) -> Dataset:
    """Return the dataset of a study, telling how far it is read unless `plain`."""
    if plain or not console.is_terminal:
        return load_dataset(data.source, data_dir=data_dir, size=data.size)
    with console.status(f"reading {escape(data.source)}") as status:

        def progress(done: int, total: int) -> None:
            status.update(f"reading {escape(data.source)}: {done:,} of {total:,} images")

        return load_dataset(data.source, data_dir=data_dir, size=data.size, progress=progress)


def _announce(console: Console, study: Study, task: Task, folder: Path) -> None:
    """Tell what was found in the data, and what is going to be searched."""
    parts = task.parts
    channels, *spatial = task.shape
    sizes = "×".join(map(str, spatial))
    say(
        console,
        f"[bold]{escape(study.name)}[/bold]: {len(parts.train.labels):,} training, "
        f"{len(parts.validation.labels):,} validation and {len(parts.test.labels):,} test images of "
        f"{channels} × {sizes}, {task.classes} classes",
    )
    for notice in task.dataset.notices:
        say(console, f"[yellow]note[/yellow] {escape(notice)}")
    say(console, _augmentation(study.recipe.augment))
    say(console, f"{_method(study, task)}; run folder [bold]{escape(str(folder))}[/bold]")


def _method(study: Study, task: Task) -> str:
    """Return how the network is searched, and where that begins."""
    match study.algorithm:
        case NacSettings(mode=mode):
            network = first(algorithm_of(study, space_of(study, task), steps=1))
            found = costs(network) if network else None
            size = f" from {count(found.parameters)} parameters, {count(found.macs)} MACs an image" if found else ""
            return f"searching by nac{' as in 2018' if mode == 'paper' else ''}{size}"
        case RandomSettings(trials=trials):
            return f"searching by random choice of {plural(trials, 'network')}"
        case RemoteSettings(url=url):
            return f"searching by the generator at {escape(url)}"
        case FixedSettings(architectures=files):
            return f"training {plural(len(files), 'given network')}"
        case AshaSettings(rungs=rungs, brackets=brackets) as asha:
            name = f"hyperband in {plural(brackets, 'bracket')}" if brackets > 1 else "successive halving (ASHA)"
            return f"searching by {name}, {plural(rungs, 'rung')}{_as_many(asha.trials, 'leg')}"
        case settings:
            return f"searching by {NAMES[settings.kind]}{_as_many(settings.trials, 'network')}"


def _as_many(trials: int | None, name: str) -> str:
    return "" if trials is None else f", {plural(trials, name)}"


def _augmentation(augment: Augment) -> str:
    """Return how training images are changed at random, and how to change that."""
    changes = [f"shifted by up to {augment.shift}"] if augment.shift else []
    changes += ["mirrored"] if augment.flip else []
    changes += [f"cut out {augment.cutout} wide"] if augment.cutout else []
    return (
        f"training images are {' and '.join(changes) or 'taken as they are'} "
        "(--set recipe.augment.flip=true or false, shift=N, cutout=N)"
    )


def _has_gpu(device: str | None) -> bool:
    """Return whether training will probably run on a GPU; asking PyTorch would take seconds."""
    return device.startswith("cuda") if device else which("nvidia-smi") is not None


def executor_of(workers: str | None, algorithm: str) -> ExecutorSettings:
    """Return where trials run; if nothing is said, in workers where several can be used at once. Raises StudyError."""
    if workers is None:
        return Local() if algorithm != "nac" and os.name == "posix" else Inline()
    if workers == "auto":
        return Local()
    if not workers.isdecimal():
        raise StudyError(f"--workers {workers!r} is no number of workers; write auto, 0, 1, 2 and so on.")
    return Local(int(workers)) if int(workers) else Inline()


def _called(name: str, of_preset: AlgorithmSettings) -> AlgorithmSettings:
    """Return the settings of an algorithm, with as many steps a network as NAC's would have."""
    return of_preset if name == "nac" else replace(ALGORITHMS[name], steps=of_preset.steps)


def name_of(name: str) -> str:
    """Return a name that a folder can have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "search"
