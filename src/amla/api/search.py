"""`amla.search`: from data to a tested network, as `amla search` does it; `amla.load`: a run that there is."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from amla.api import arrays
from amla.api.arrays import Given
from amla.api.listening import Lines, aloud, silence
from amla.api.result import SearchResult
from amla.study.amounts import constraints_of, latency_of
from amla.study.asked import ALGORITHMS, RUNS, Asked, asked
from amla.study.changes import altered
from amla.study.complete import complete, is_complete
from amla.study.constraints import reaches_of
from amla.study.moment import Moment
from amla.study.reading import read as read_data
from amla.study.resolve import task_of
from amla.study.study import Data, Study
from amla.tasks.dataset import Dataset
from amla.tasks.readers.source import Labels
from amla.tasks.task import Metric


def search(
    data: str | PathLike[str] | Given,
    *,
    budget: str | float | None = None,
    seed: int = 0,
    run: str | PathLike[str] | None = None,
    algorithm: str | Mapping[str, Any] = "nac",
    budget_clock: Literal["wall", "cpu"] = "wall",
    workers: int | Literal["auto"] | None = None,
    device: str | None = None,
    max_params: int | str | None = None,
    max_macs: int | str | None = None,
    max_memory: int | str | None = None,
    max_latency: float | str | None = None,
    latency_device: str | None = None,
    prefer: Literal["accurate", "small", "fast"] = "accurate",
    metric: Metric | None = None,
    labels: Labels = "auto",
    tune: int | None = None,
    stop_below: str | None = None,
    max_trials: int | None = None,
    data_dir: str | PathLike[str] | None = None,
    progress: bool | Callable[[str], None] = False,
    **settings: Any,
) -> SearchResult:
    """Search a network for `data`, train it to the end, test it once, and return what came out.

    `data` is what `amla search` takes, the name of a dataset or a path; or (images, labels); or a mapping of arrays
    named as in an .npz file. Images are (n, height, width) or (n, height, width, channels), from 0 to 255, or from 0
    to 1 as floating-point numbers. Arrays are written into the run folder.

    `budget` is a time, such as "10m", or in seconds. `run` is the run folder (default: runs/NAME); the same call goes
    on with a run that was cut off, and returns at once with a finished one. `algorithm` is a name, or a mapping of its
    settings, {"kind": "random", "trials": 20}. No network has more trained numbers than `max_params`, more
    multiply-accumulates an image than `max_macs`, nor more bytes of activations at once for one image than
    `max_memory`: numbers, or such as "200k", "30M" and "512KiB". None takes longer for an image than `max_latency`, in
    seconds or such as "5ms", measured here or by the agent at `latency_device`. `prefer` says which of the trained
    networks is taken: the most accurate, or of those that cannot be told from it the smallest or the fastest. The
    search looks for the highest `metric` on the validation part (default: accuracy, or r2 of numbers to be predicted).
    `labels` says whether they are "classes" or "numbers" to be predicted; "auto": as they look. In `tune` short
    trainings it is looked for how to train what was found. The search ends after `max_trials` networks, or once so much
    more time promises fewer points than `stop_below`, "0.1/10m". `progress` prints lines, or calls what is given with
    them. `settings` change any setting of the study: recipe={"batch": 128}, or **{"recipe.batch": 128}.
    Raises StudyError, DataError, SpaceError or SpecError for what cannot be run, and says what to do.
    """
    began = Moment.now()
    say = silence if progress is False else aloud if progress is True else progress
    where = Path(data_dir) if data_dir is not None else None
    if not isinstance(algorithm, str):
        settings = {"algorithm": algorithm, **settings}
        algorithm = algorithm["kind"] if algorithm.get("kind") in ALGORITHMS else "nac"
    given = Asked(
        source="",
        budget=f"{budget}s" if isinstance(budget, int | float) else budget,
        budget_clock=budget_clock,
        algorithm=algorithm,
        workers=None if workers is None else str(workers),
        device=device,
        constraints=constraints_of(max_params, max_macs, max_memory),
        seed=seed,
        latency=latency_of(max_latency, latency_device),
        prefer=prefer,
        metric=metric,
        labels=labels,
        tune=tune,
        stop_below=stop_below,
        max_trials=max_trials,
    )
    if isinstance(data, str | PathLike):
        given = replace(given, source=os.fspath(data))
        return _searched(given, Path(run) if run else None, None, settings, where, say, began)
    named = arrays.named(data, labels)
    folder = Path(run) if run else RUNS / f"arrays-{arrays.digest(named)}"
    path = arrays.write(folder, named)
    try:
        return _searched(replace(given, source=str(path)), folder, folder.resolve().name, settings, where, say, began)
    except BaseException:
        arrays.remove(folder)  # unless it has begun
        raise


def load(run: str | PathLike[str]) -> SearchResult:
    """Return the result of a finished run. Raises StudyError for what is none."""
    return SearchResult(Path(run))


def _searched(
    given: Asked,
    folder: Path | None,
    name: str | None,
    settings: dict[str, Any],
    data_dir: Path | None,
    say: Callable[[str], None],
    began: Moment,
) -> SearchResult:
    def change(study: Study) -> Study:
        return altered(study, settings)

    def read(data: Data) -> Dataset:
        return read_data(data, data_dir)

    def change_data(study: Study) -> Study:
        return altered(study, settings, "data")

    study, dataset = asked(given, change, change_data, read, name)
    place, task = folder or RUNS / study.name, task_of(study, dataset)
    if study.constraints and not is_complete(place):
        for reach in reaches_of(study, task):
            say(str(reach))

    def listening(study: Study) -> AbstractContextManager[Lines]:
        for notice in (*dataset.notices, *study.findings):
            say(notice)
        return nullcontext(Lines(say, study.metric))

    complete(study, task, place, listening, data_dir, notice=say, began=began)
    return SearchResult(place)
