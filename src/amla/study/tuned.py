"""Tuning how the network found is trained: what a study asks for, and what came of it."""

from importlib import import_module
from types import ModuleType
from typing import Protocol

from amla.algorithms.protocol import Algorithm
from amla.spec.architecture import Architecture
from amla.study.phases import TUNING_SEED
from amla.study.study import Study, StudyError
from amla.tasks.dials import Changes, dials
from amla.tasks.task import Task
from amla.trials.history import History


class Tunes(Algorithm, Protocol):
    """An algorithm that tries changes of a recipe."""

    def chosen(self, history: History) -> Changes:
        """Return the best of them."""


def tuners() -> tuple[ModuleType, ModuleType]:
    """Return the modules with Optuna's samplers and the tuning. Raises StudyError where Optuna is not installed."""
    try:
        return import_module("amla.algorithms.optuna"), import_module("amla.algorithms.tuning")
    except ModuleNotFoundError as error:
        raise StudyError(f"tuning needs {error.name!r}; install it with: pip install 'amla[optuna]'.") from None


def tuning_of(study: Study, task: Task, network: Architecture, steps: int) -> Tunes:
    """Return what tunes the final recipe of a study for a network. Raises StudyError where Optuna is not installed."""
    assert study.tuning is not None  # noqa: S101
    optuna, module = tuners()
    found, seed = dials(study.final_recipe, task.shape, task.are_numbers), study.seed + TUNING_SEED
    sampler = optuna.named(study.tuning.sampler, {})
    tuning: Tunes = module.Tuning(network, found, steps, study.tuning.trials, sampler, seed, study.metric)
    return tuning
