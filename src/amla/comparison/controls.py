"""What any search must beat, run in every comparison by the same pipeline: chance in several forms, and a hand.

Lindauer & Hutter (2020) ask for random sampling and random search, Yang et al. (2020) for networks drawn from the same
space; the paper of NAC (Kamath et al. 2018) has random and worst-case pruning as its own controls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from amla.comparison.comparison import Comparison, Contender, Setting
from amla.spaces.space import Space, SpaceError
from amla.spec.architecture import Architecture
from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.study import resolve
from amla.study.settings.searches import FixedSettings, NacSettings, RandomSettings
from amla.study.settings.spaces import EnvelopeSettings, NasBench201Settings, NasBenchMacroSettings
from amla.study.spaces import envelope_of, space_of
from amla.study.study import StudyError
from amla.tasks.task import Task

SAMPLING, RANDOM, HAND_MADE, MATCHED = "random-sampling", "random-search", "hand-made", "equal-size"
RANDOM_PRUNING, WORST_CASE = "random-pruning", "worst-case"
WITHOUT_END = 1_000_000  # networks: the limit ends it
DRAWS, APART = 400, 0.05  # of random networks, until one has as many parameters and MACs, to this share


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
    if comparison.limit == type(comparison.limit)():  # nothing else ends it
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
    match first.algorithm:
        case NacSettings(iterations=iterations, candidates=candidates, windows=windows):
            return 1 + iterations * (candidates + windows - 1)
        case RandomSettings(trials=trials):
            return trials
        case algorithm:
            raise StudyError(
                f"random-search should have the run-off of the first contender, after as many networks; but how many "
                f"the algorithm {algorithm.kind!r} tries is not known. Put random-search among the contenders."
            )


def given(comparison: Comparison, file: str) -> Contender:
    """Return the control that trains the network in a file to the end, and searches nothing."""
    steps = next(iter(comparison.contenders.values())).algorithm.steps
    return Contender(FixedSettings((file,), 1 if steps is not None else None))


def hand_made(setting: Setting, task: Task) -> Architecture | None:
    """Return the network that people would build by hand, None for a space that has none.

    In spaces of EnvelopeNets two plain 3x3 convolutions a stage, as wide as may be; in that of NAS-Bench-201 the cell
    of a ResNet (two 3x3 convolutions beside a skip); in that of NAS-Bench-Macro the 3x3 block throughout. None too
    where that is beyond the constraints.
    """
    found = _by_hand(setting, task)
    return found if found is None or setting.constraints.hold(found) else None


def _by_hand(setting: Setting, task: Task) -> Architecture | None:
    match setting.space:
        case EnvelopeSettings() as space:
            return _plain(space, task, setting.constraints)
        case NasBench201Settings():
            kept = ("3x3", "none", "3x3", "skip", "none", "skip")  # edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3
            return _of(_space(setting, task), kept)
        case NasBenchMacroSettings():
            found = _space(setting, task)
            return _of(found, ("mb3-3x3",) * len(found.genes))
        case _:
            return None


def _space(setting: Setting, task: Task) -> Space:
    return space_of(setting.space, task.shape, task.classes, setting.constraints).space


def _of(space: Space, kept: Sequence[str]) -> Architecture:
    """Return the network that keeps, of each gene, the input whose name ends so."""
    named = {gene: {name.rsplit("/", 1)[-1]: name for name in space.template[gene].inputs} for gene in space.genes}
    return space.close({gene: (named[gene][name],) for gene, name in zip(space.genes, kept, strict=True)})


def _plain(settings: EnvelopeSettings, task: Task, constraints: Constraints) -> Architecture | None:
    plain = next((name for name in settings.branches if name.partition("-")[0] == "3x3"), None)
    if plain is None:
        return None
    two = (2,) * len(settings.cells)
    narrow = replace(settings, cells=two, max_cells=two)
    space = envelope_of(narrow, task.shape, task.classes, constraints)
    only = {cell.branches: (f"{cell.branches}/{plain}",) for stage in space.stages for cell in stage.cells}
    return space.space.close({**space.initial(), **only})


def matched(comparison: Comparison, task: str, data: Task, like: Architecture, seed: int) -> Architecture | None:
    """Return a random network with about as many parameters and MACs as another one; None if the space has none."""
    study = comparison.study(task, next(iter(comparison.contenders.values())), seed)
    space, rng, wanted = resolve.space_of(study, data).space, np.random.default_rng((seed, 1)), costs(like)
    best: tuple[float, Architecture] | None = None
    for _ in range(DRAWS):
        try:
            network = space.sample(rng)
        except SpaceError:
            return None
        found = costs(network)
        apart = max(abs(found.parameters / wanted.parameters - 1), abs(found.macs / wanted.macs - 1))
        if network != like and (best is None or apart < best[0]):
            best = apart, network
        if best and best[0] <= APART:
            break
    return best[1] if best else None


def are_controls(comparison: Comparison, names: Mapping[str, object]) -> frozenset[str]:
    """Return which of some names are those of controls."""
    return frozenset(name for name in names if name not in comparison.contenders)
