"""The study that somebody asks for in a few words: data, a budget, an algorithm, workers, and changes of settings."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import which
from typing import Literal

from amla.backends import processor
from amla.spec.constraints import Constraints
from amla.study.durations import seconds
from amla.study.presets import CORE_FLOPS, GPU_FLOPS, preset
from amla.study.settings.latency import LatencySettings
from amla.study.settings.places import ExecutorSettings, Inline, Local, Torch
from amla.study.settings.searches import (
    AlgorithmSettings,
    AshaSettings,
    BayesSettings,
    EvolutionSettings,
    LocalSettings,
    NacSettings,
    Nsga2Settings,
    OptunaSettings,
    RandomSettings,
    ReinforceSettings,
    StopSettings,
    Terms,
    ZeroCostSettings,
)
from amla.study.settings.tuning import TuningSettings
from amla.study.study import Data, Final, Prefer, Study, StudyError
from amla.tasks.dataset import Dataset
from amla.tasks.readers.source import Labels
from amla.tasks.task import Metric

RUNS = Path("runs")
ALGORITHMS: dict[str, AlgorithmSettings] = {  # as they are called, besides NAC, whose settings fit the data
    "random": RandomSettings(),
    "evolution": EvolutionSettings(),
    "local": LocalSettings(),
    "asha": AshaSettings(),
    "hyperband": AshaSettings(brackets=3),
    "nsga2": Nsga2Settings(),
    "reinforce": ReinforceSettings(),
    "bayes": BayesSettings(),
    "optuna": OptunaSettings(),
    "zero_cost": ZeroCostSettings(),
}


@dataclass(frozen=True)
class Asked:
    """What somebody says of a search; what is not said fits the data.

    `budget` is a time such as "10m"; `stop_below` a gain in points that so much more time must promise, "0.1/10m";
    `workers` a number of processes, "auto", or None for what fits the algorithm; `max_trials` how many networks a
    search trains at most.
    """

    source: str
    budget: str | None = None
    budget_clock: Literal["wall", "cpu"] = "wall"
    algorithm: str = "nac"
    workers: str | None = None
    device: str | None = None
    constraints: Constraints = field(default_factory=Constraints)
    seed: int = 0
    metric: Metric | None = None
    labels: Labels = "auto"
    latency: LatencySettings | None = None
    prefer: Prefer = "accurate"
    baselines: bool = True
    stop_below: str | None = None
    tune: int | None = None
    max_trials: int | None = None


def asked(
    given: Asked,
    change: Callable[[Study], Study],
    change_data: Callable[[Study], Study],
    load: Callable[[Data], Dataset],
    name: str | None = None,
) -> tuple[Study, Dataset]:
    """Return the study that fits the data, changed by `change`, and the dataset, which `load` reads.

    `change_data` makes those changes that concern the data, and no others. The study is called `name`, or as its data
    are. Raises StudyError and DataError.
    """
    limit = None if given.budget is None else seconds(given.budget)
    if given.algorithm != "nac" and given.algorithm not in ALGORITHMS:
        raise StudyError(f"There is no algorithm {given.algorithm!r}; there are nac, {', '.join(ALGORITHMS)}.")
    plainest = Study(
        "data", Data(given.source, labels=given.labels), algorithm=NacSettings(steps=1), final=Final(steps=1)
    )
    data = change_data(plainest).data  # before the rest, which fits them: reading them may take long
    dataset = load(data)
    flops = GPU_FLOPS if _has_gpu(given.device) else CORE_FLOPS * processor.cores()
    study = preset(dataset, data, name=name, seconds=limit, seed=given.seed, flops=flops)
    study = replace(
        study,
        algorithm=_called(given.algorithm, study.algorithm),
        executor=executor_of(given.workers, given.algorithm),
        backend=Torch(device=given.device),
        limit=replace(study.limit, clock=given.budget_clock, trials=given.max_trials),
        constraints=given.constraints,
        latency=given.latency,
        prefer=given.prefer,
        tuning=None if given.tune is None else TuningSettings(given.tune),
        baselines=study.baselines if given.baselines else None,
        metric=given.metric or study.metric,
        final=study.final if given.prefer == "accurate" else replace(study.final, macs=None, stem_stride=None),
    )
    if given.stop_below is not None:
        study = replace(study, terms=replace(study.terms or Terms(), stop=stop_of(given.stop_below)))
    return change(study), dataset


def executor_of(workers: str | None, algorithm: str) -> ExecutorSettings:
    """Return where trials run; if nothing is said, in workers where several can be used at once. Raises StudyError."""
    if workers is None:
        return Local() if algorithm != "nac" and os.name == "posix" else Inline()
    if workers == "auto":
        return Local()
    if not workers.isdecimal():
        raise StudyError(f"--workers {workers!r} is no number of workers; write auto, 0, 1, 2 and so on.")
    return Local(int(workers)) if int(workers) else Inline()


def stop_of(written: str) -> StopSettings:
    """Return when to stop, from "0.1/10m": when 10 minutes promise less than 0.1 points. Raises StudyError."""
    points, _, time = written.partition("/")
    try:
        gain = float(points) / 100
    except ValueError:
        gain = -1.0
    if not 0 < gain <= 1 or not time:
        raise StudyError(f"--stop-below {written!r} is no gain in a time; write 0.1/10m for a tenth of a point in 10m.")
    return StopSettings(gain, seconds(time))


def _has_gpu(device: str | None) -> bool:
    """Return whether training will probably run on a GPU; asking PyTorch would take seconds."""
    return device.startswith("cuda") if device else which("nvidia-smi") is not None


def _called(name: str, of_preset: AlgorithmSettings) -> AlgorithmSettings:
    """Return the settings of an algorithm, with as many steps a network as NAC's would have."""
    return of_preset if name == "nac" else replace(ALGORITHMS[name], steps=of_preset.steps)
