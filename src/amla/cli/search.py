"""`amla search` and `amla run`: load the data, tell what was found, run the study, show what came out."""

import re
from dataclasses import replace
from pathlib import Path
from shutil import which

from rich.console import Console

from amla.cli.durations import seconds
from amla.cli.live import LiveListener, PlainListener
from amla.cli.show import print_run
from amla.reports.numbers import count
from amla.reports.page import render
from amla.spec.costs import costs
from amla.storage.files import Files
from amla.study import folder as folders
from amla.study.presets import CORE_FLOPS, GPU_FLOPS, preset
from amla.study.report import report
from amla.study.resolve import space_of, task_of
from amla.study.search import Search
from amla.study.study import Data, Inline, Local, NacSettings, RandomSettings, Study, Torch, changed, load
from amla.tasks.dataset import Dataset
from amla.tasks.load import load as load_dataset
from amla.tasks.task import Task

RUNS = Path("runs")


def search_data(
    source: str,
    run: Path | None,
    budget: str | None,
    algorithm: str,
    workers: int,
    device: str | None,
    seed: int,
    data_dir: Path | None,
    settings: list[str],
    plain: bool,
) -> None:
    """Search a network for a dataset with the settings that fit it, changed as the user says."""
    console = Console(highlight=False)
    given = budget and seconds(budget)
    dataset = _loaded(console, Data(source), data_dir, plain)
    flops = GPU_FLOPS if _has_gpu(device) else CORE_FLOPS * folders.cores()
    study = preset(dataset, Data(source), seconds=given or None, seed=seed, flops=flops)
    study = replace(
        study,
        name=_name(dataset.name),
        algorithm=_random(study.algorithm) if algorithm == "random" else study.algorithm,
        executor=Local(workers) if workers else Inline(),
        backend=Torch(device=device),
    )
    study = changed(study, settings)
    if study.data.size is not None:
        dataset = _loaded(console, study.data, data_dir, plain)
    _run(console, study, dataset, run or RUNS / study.name, data_dir, plain)


def run_file(path: Path, run: Path | None, data_dir: Path | None, settings: list[str], plain: bool) -> None:
    """Run the study in a file."""
    console = Console(highlight=False)
    study = changed(load(path), settings)
    dataset = _loaded(console, study.data, data_dir, plain)
    _run(console, study, dataset, run or RUNS / study.name, data_dir, plain)


def _run(console: Console, study: Study, dataset: Dataset, folder: Path, data_dir: Path | None, plain: bool) -> None:
    task = task_of(study, dataset)
    space_of(study, task)  # a study that cannot be run leaves no folder behind
    study = folders.prepare(folder, study, task)
    _announce(console, study, task, folder)
    listener = PlainListener(console, study) if plain or not console.is_terminal else LiveListener(console, study)
    files = Files(folder)
    try:
        with folders.records(folder) as store, listener:
            Search(study, task, store, files, folder, listener, data_dir).run()
    finally:
        _write_report(folder, dataset, files)
    print_run(console, folders.read(folder))


def _write_report(folder: Path, dataset: Dataset, files: Files) -> None:
    files.write_text(folders.REPORT, render(report(folders.read(folder), dataset)))


def _loaded(console: Console, data: Data, data_dir: Path | None, plain: bool) -> Dataset:
    if plain or not console.is_terminal:
        return load_dataset(data.source, data_dir=data_dir, size=data.size)
    with console.status(f"reading {data.source}") as status:

        def progress(done: int, total: int) -> None:
            status.update(f"reading {data.source}: {done:,} of {total:,} images")

        return load_dataset(data.source, data_dir=data_dir, size=data.size, progress=progress)


def _announce(console: Console, study: Study, task: Task, folder: Path) -> None:
    """Tell what was found in the data, and what is going to be searched."""
    parts = task.parts
    channels, *spatial = task.shape
    sizes = "×".join(map(str, spatial))
    console.print(
        f"[bold]{study.name}[/bold]: {len(parts.train.labels):,} training, {len(parts.validation.labels):,} validation "
        f"and {len(parts.test.labels):,} test images of {channels} × {sizes}, {task.classes} classes"
    )
    for notice in task.dataset.notices:
        console.print(f"[yellow]note[/yellow] {notice}")
    space = space_of(study, task)
    first = costs(space.space.close(space.initial()))
    console.print(
        f"searching by {study.algorithm.kind} from {count(first.parameters)} parameters, {count(first.macs)} MACs an "
        f"image; run folder [bold]{folder}[/bold]"
    )


def _has_gpu(device: str | None) -> bool:
    """Return whether training will probably run on a GPU; asking PyTorch would take seconds."""
    return device.startswith("cuda") if device else which("nvidia-smi") is not None


def _random(settings: object) -> RandomSettings:
    steps = settings.steps if isinstance(settings, NacSettings) else None
    return RandomSettings(steps=steps)


def _name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "search"
