"""How many trials a second Optuna and Ray Tune keep account of: what overhead.py compares amla with."""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any


@dataclass(frozen=True)
class Pace:
    """How many trials, in how many seconds by the clock and of this process's CPU time."""

    trials: int
    wall: float
    cpu: float

    @property
    def wall_rate(self) -> float:
        return self.trials / self.wall

    @property
    def cpu_rate(self) -> float:
        return self.trials / self.cpu


Pacing = Callable[[Path, float], Pace]  # some seconds of trials, files in the folder


def optuna_study(storage: Callable[[Path], Any]) -> Pacing:
    """Return what runs a study of Optuna, which goes on each time it is called."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study: Any = None

    def pace(folder: Path, seconds: float) -> Pace:
        nonlocal study
        if study is None:
            study = optuna.create_study(storage=storage(folder), sampler=optuna.samplers.RandomSampler(0))
        before, wall, cpu = len(study.trials), perf_counter(), process_time()
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), timeout=seconds)
        wall, cpu = perf_counter() - wall, process_time() - cpu
        return Pace(len(study.trials) - before, wall, cpu)

    return pace


def in_memory(folder: Path) -> Any:
    from optuna.storages import InMemoryStorage

    return InMemoryStorage()


def in_sqlite(folder: Path) -> Any:
    from optuna.storages import RDBStorage

    return RDBStorage(f"sqlite:///{folder / 'optuna.sqlite'}")


def in_journal(folder: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(folder / "optuna.log")))


def ray_tune(reuse: bool) -> Pacing:
    """Return what runs Ray Tune on all cores: one or ten trials for each second given, after two of warm-up.

    By default it starts a process for each trial; with `reuse`, it uses processes again.
    """
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # its tables
    import ray
    from ray import tune

    ended: list[tuple[float, float]] = []  # by the clock, by CPU time

    class Clock(tune.Callback):  # type: ignore[misc]
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            ended.append((perf_counter(), process_time()))

    def pace(folder: Path, seconds: float) -> Pace:
        ended.clear()
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        count = int(seconds * (10 if reuse else 1))
        tune.Tuner(
            lambda config: {"x": config["x"]},
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=2 + count, reuse_actors=reuse),
            run_config=tune.RunConfig(storage_path=str(folder / "ray"), verbose=0, callbacks=[Clock()]),
        ).fit()
        first, last = ended[1], ended[-1]
        return Pace(count, last[0] - first[0], last[1] - first[1])

    return pace


def installed(library: str) -> bool:
    found = find_spec(library) is not None
    if not found:
        print(f"{library} is not installed, so its figures are null; pip install 'amla[bench]'.", file=sys.stderr)
    return found
