"""`amla search` and `amla run`: load the data, tell what was found, run the study, show what came out."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console

from amla.cli.console import escape, opened, say
from amla.cli.constraints import print_latency, print_reaches
from amla.cli.lines import most_trials
from amla.cli.live import LiveListener, PlainListener
from amla.cli.show import print_run
from amla.reports.names import example_words
from amla.reports.numbers import count, percent, plural
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.study.alone import alone
from amla.study.asked import RUNS, Asked, asked
from amla.study.calibration import calibrated
from amla.study.changes import changed
from amla.study.complete import Elsewhere, complete, is_complete
from amla.study.constraints import reaches_of
from amla.study.ended import why_ended
from amla.study.latency import meter_of
from amla.study.moment import Moment
from amla.study.plan import first
from amla.study.reading import read, read_for
from amla.study.resolve import algorithm_of, check, space_of, task_of
from amla.study.settings.places import TabularSettings
from amla.study.settings.searches import (
    AshaSettings,
    DartsSearchSettings,
    EnasSettings,
    FixedSettings,
    NacSettings,
    RandomSettings,
    RandomSharingSettings,
    RemoteSettings,
    ZeroCostSettings,
)
from amla.study.study import Data, Study, load
from amla.tasks.dataset import Dataset
from amla.tasks.recipe import Augment
from amla.tasks.task import Task

NAMES = {
    "evolution": "regularised evolution",
    "local": "local search",
    "nsga2": "Pareto evolution (NSGA-II)",
    "reinforce": "REINFORCE",
    "bayes": "Bayesian optimisation",
    "optuna": "a sampler of Optuna",
}


def search_data(
    given: Asked,
    run: Path | None,
    data_dir: Path | None,
    settings: list[str],
    plain: bool,
    elsewhere: Elsewhere,
    began: Moment,
) -> None:
    """Search a network for a dataset with the settings that fit it, changed as the user says."""
    console = opened()
    study, dataset = asked(
        given,
        lambda study: changed(study, settings),
        lambda study: changed(study, settings, "data"),
        lambda data: loaded(console, data, data_dir, plain),
    )
    _run(console, study, dataset, run or RUNS / study.name, data_dir, plain, elsewhere, began)


def run_file(
    path: Path,
    run: Path | None,
    network: Path | None,
    data_dir: Path | None,
    settings: list[str],
    plain: bool,
    elsewhere: Elsewhere,
    began: Moment,
) -> None:
    """Run the study in a file; with a network, train that one alone as the study would."""
    console = opened()
    study = load(path)
    study = changed(alone(study, network) if network else study, settings)
    if isinstance(study.backend, TabularSettings):
        dataset = read_for(study.backend, study.data, data_dir)
    else:
        dataset = loaded(console, study.data, data_dir, plain)
    _run(console, study, dataset, run or RUNS / study.name, data_dir, plain, elsewhere, began)


def _run(
    console: Console,
    study: Study,
    dataset: Dataset,
    folder: Path,
    data_dir: Path | None,
    plain: bool,
    elsewhere: Elsewhere,
    began: Moment,
) -> None:
    task = task_of(study, dataset)
    Listener = PlainListener if plain or not console.is_terminal else LiveListener  # noqa: N806

    def listening(study: Study) -> AbstractContextManager[PlainListener | LiveListener]:
        _announce(console, study, task, folder)
        return Listener(console, study, len(task.parts.train.labels))

    def notice(line: str) -> None:
        say(console, f"[yellow]note[/yellow] {escape(line)}")

    if not is_complete(folder):
        print_reaches(console, reaches_of(study, task))
    study = _calibrated(console, study, task, folder, notice)
    run = complete(study, task, folder, listening, data_dir, elsewhere, notice, began)
    print_run(console, run)
    if ended := why_ended(study, task, run.search):
        say(console, f"[yellow]the search ended early:[/yellow] {escape(ended)}")


def _calibrated(console: Console, study: Study, task: Task, folder: Path, notice: Callable[[str], None]) -> Study:
    """Return the study with what was learned of the latencies of its space, and show that."""
    if study.latency is None or study.latency.at_most is None or is_complete(folder):
        return study
    check(study, task)
    with console.status("measuring the latency of networks") as status:
        study = calibrated(study, task, folder, meter_of(study, notice), status.update)
    print_latency(console, study)
    return study


def loaded(console: Console, data: Data, data_dir: Path | None, plain: bool) -> Dataset:
    """Return the dataset of a study, telling how far it is read unless `plain`."""
    if plain or not console.is_terminal:
        return read(data, data_dir)
    with console.status(f"reading {escape(data.source)}") as status:

        def progress(done: int, total: int) -> None:
            status.update(f"reading {escape(data.source)}: {done:,} of {total:,} examples")

        return read(data, data_dir, progress=progress)


def _announce(console: Console, study: Study, task: Task, folder: Path) -> None:
    """Tell what was found in the data, and what is going to be searched."""
    parts = task.parts
    channels, *spatial = task.shape
    sizes, (_, examples) = "×".join(map(str, spatial)), example_words(task.shape)
    say(
        console,
        f"[bold]{escape(study.name)}[/bold]: {len(parts.train.labels):,} training{_fitted(task)}, "
        f"{len(parts.validation.labels):,} validation and {len(parts.test.labels):,} test {examples} of "
        f"{channels} × {sizes}, {_labels(task)}",
    )
    trains = not isinstance(study.backend, TabularSettings)
    for notice in (*task.dataset.notices, *study.findings):
        say(console, f"[yellow]note[/yellow] {escape(notice)}")
    if trains:
        say(console, _augmentation(study.recipe.augment, examples))
    say(console, f"{_method(study, task)}; run folder [bold]{escape(str(folder))}[/bold]")


def _fitted(task: Task) -> str:
    """Return how many of the training part the search fits, where these are not all."""
    return "" if task.some is None else f" ({len(task.some):,} of them in the search)"


def _labels(task: Task) -> str:
    """Return what is to be learned of each example."""
    if not task.are_numbers:
        return f"{task.classes} classes"
    return plural(task.classes, "number") + f" to be predicted ({', '.join(map(escape, task.dataset.classes))})"


def _first(study: Study, task: Task) -> Architecture | None:
    return first(algorithm_of(study, space_of(study, task), steps=1))


def _method(study: Study, task: Task) -> str:
    """Return how the network is searched, and where that begins."""
    match study.algorithm:
        case NacSettings(mode=mode):
            found, one = costs(network) if (network := _first(study, task)) else None, example_words(task.shape)[0]
            size = f" from {count(found.parameters)} parameters, {count(found.macs)} MACs {one}" if found else ""
            return f"searching by nac{' as in 2018' if mode == 'paper' else ''}{size}"
        case RandomSettings(trials=trials):
            return f"searching by random choice of {plural(most_trials(study, trials), 'network')}"
        case DartsSearchSettings() | EnasSettings() | RandomSharingSettings() as one_shot:
            size = count(costs(network).parameters) if (network := _first(study, task)) else "no"
            return f"searching by {one_shot.kind}, in one network with {size} parameters for all"
        case ZeroCostSettings(scores=scores, candidates=candidates, trained=trained):
            by = " and ".join(scores)
            return f"scoring {plural(candidates, 'untrained network')} by {by}, and training the best {trained}"
        case RemoteSettings(url=url):
            return f"searching by the generator at {escape(url)}"
        case FixedSettings(architectures=files):
            return f"training {plural(len(files), 'given network')}"
        case AshaSettings(rungs=rungs, brackets=brackets) as asha:
            name = f"hyperband in {plural(brackets, 'bracket')}" if brackets > 1 else "successive halving (ASHA)"
            return f"searching by {name}, {plural(rungs, 'rung')}{_as_many(study, asha.trials, 'leg')}"
        case settings:
            return f"searching by {NAMES[settings.kind]}{_as_many(study, settings.trials, 'network')}"


def _as_many(study: Study, trials: int | None, name: str) -> str:
    return "" if trials is None else f", {plural(most_trials(study, trials), name)}"


def _augmentation(augment: Augment, examples: str) -> str:
    """Return how training examples are changed at random, and how to change that."""
    changes = [f"cropped to {percent(augment.crop, 0)} or more"] if augment.crop else []
    changes += [f"shifted by up to {augment.shift}"] if augment.shift else []
    changes += ["mirrored"] if augment.flip else []
    changes += [f"cut out {augment.cutout} wide"] if augment.cutout else []
    return (
        f"training {examples} are {' and '.join(changes) or 'taken as they are'} "
        "(--set recipe.augment.flip=true or false, shift=N, crop=SHARE, cutout=N)"
    )
