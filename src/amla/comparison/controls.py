"""What any search must beat, run in every comparison by the same pipeline: chance in several forms, and a hand.

Lindauer & Hutter (2020) ask for random sampling and random search, Yang et al. (2020) for networks drawn from the same
space; the paper of NAC (Kamath et al. 2018) has random and worst-case pruning as its own controls.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from amla.comparison.comparison import Comparison, Contender
from amla.spec.architecture import Architecture
from amla.study import resolve
from amla.study.settings.searches import FixedSettings, NacSettings, RandomSettings
from amla.study.study import StudyError
from amla.study.unsearched import alike
from amla.tasks.task import Task

SAMPLING, RANDOM, HAND_MADE, MATCHED = "random-sampling", "random-search", "hand-made", "equal-size"
RANDOM_PRUNING, WORST_CASE = "random-pruning", "worst-case"
WITHOUT_END = 1_000_000  # networks: the limit ends it


def searching(comparison: Comparison) -> dict[str, Contender]:
    """Return the controls that search by themselves, by name, without those that are contenders already.

    Their networks train for as many steps as those of the first contender, with the same run-off.
    """
    if not comparison.controls:
        return {}
    first = next(iter(comparison.contenders.values()))
    steps = first.algorithm.steps
    found = {SAMPLING: Contender(RandomSettings(1, steps))}
    if RANDOM not in comparison.contenders:
        found[RANDOM] = Contender(RandomSettings(_tries(comparison, first), steps), first.run_off)
    if comparison.limit.is_empty:  # nothing else ends it
        raise StudyError("limit is empty; say what each contender may use up, such as limit: {steps: 2000}.")
    for name, contender in comparison.contenders.items():
        match contender.algorithm:
            case NacSettings(mode="fixed", worst=False) as nac if nac.statistic != "random":
                found[f"{name}-{RANDOM_PRUNING}"] = replace(contender, algorithm=replace(nac, statistic="random"))
                found[f"{name}-{WORST_CASE}"] = replace(contender, algorithm=replace(nac, worst=True))
    return {name: control for name, control in found.items() if name not in comparison.contenders}


def _tries(comparison: Comparison, first: Contender) -> int:
    """Return how many networks random search tries: as many as the limit pays for, or as a run-off leaves it."""
    if first.run_off is None:
        return comparison.limit.trials or WITHOUT_END
    match first.algorithm, first.terms:
        case NacSettings(iterations=iterations, candidates=candidates, windows=windows), None:
            return 1 + iterations * (candidates + windows - 1)
        case RandomSettings(trials=trials), None:
            return trials
        case algorithm, terms:
            tries = "tries on its terms" if terms else "tries"
            raise StudyError(
                f"random-search should have the run-off of the first contender, after as many networks; but how many "
                f"the algorithm {algorithm.kind!r} {tries} is not known. Put random-search among the contenders."
            )


def given(comparison: Comparison, file: str) -> Contender:
    """Return the control that trains the network in a file to the end, and searches nothing."""
    steps = next(iter(comparison.contenders.values())).algorithm.steps
    return Contender(FixedSettings((file,), 1 if steps is not None else None))


def matched(comparison: Comparison, task: str, data: Task, like: Architecture, seed: int) -> Architecture | None:
    """Return a random network with about as many parameters and MACs as another one; None if the space has none."""
    study = comparison.study(task, next(iter(comparison.contenders.values())), seed)
    return alike(resolve.space_of(study, data).space, like, np.random.default_rng((seed, 1)))


def are_controls(comparison: Comparison, names: Mapping[str, object]) -> frozenset[str]:
    """Return which of some names are those of controls."""
    return frozenset(name for name in names if name not in comparison.contenders)
