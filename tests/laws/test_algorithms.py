"""Every algorithm is a function of the history, and no trial that runs or fails trips it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.algorithms.bayes import Bayes
from amla.algorithms.budgeted import Budgeted
from amla.algorithms.construct import Rules
from amla.algorithms.darts import Darts
from amla.algorithms.enas import Enas
from amla.algorithms.evolution import Evolution
from amla.algorithms.finish import Finish
from amla.algorithms.fixed import Fixed
from amla.algorithms.halving import Halving
from amla.algorithms.local import LocalSearch
from amla.algorithms.nac import Nac
from amla.algorithms.nsga2 import Nsga2
from amla.algorithms.optuna import Optuna, named
from amla.algorithms.paced import Paced
from amla.algorithms.paper import PaperNac, PaperRandom
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.reinforce import Reinforce
from amla.algorithms.runoff import RunOff
from amla.algorithms.screened import Distinct, Filtered
from amla.algorithms.shadow import Repeated, Warm, joined
from amla.algorithms.sharing import RandomSharing
from amla.algorithms.stopping import Stopping
from amla.algorithms.zero_cost import ZeroCost
from amla.reports.descent import cells
from amla.spaces.darts import darts
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import envelope
from amla.spaces.macro import Frame
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.spec.costs import shapes
from amla.spec.macro import Dialect
from amla.testing import Synthetic, check_algorithm
from amla.trials.history import History
from amla.trials.progress import Report
from amla.trials.trial import Measurement, Outcome, Trial, TrialId

ENVELOPE = envelope((3, 6, 6), 3, width=6, cells=(1, 1), max_cells=(3, 2), branches=("1x1", "3x3", "3x3sep"))
DROPPING = envelope((2, 12), 3, width=4, cells=(2,), max_cells=(4,), branches=("3", "5"), skips="concat", dropout=0.2)
SPACE = ENVELOPE.space
NETWORKS = tuple(SPACE.sample(np.random.default_rng(seed)) for seed in range(3))
TINY = envelope((3, 6, 6), 3, width=6, cells=(1,), max_cells=(1,), branches=("1x1", "3x3", "3x3sep")).space


def searched(algorithm: Algorithm, trials: int) -> History:
    """Return the history of a search with one worker."""
    history = History()
    while len(history) < trials and (proposal := algorithm.ask(history)):
        history = history.asked(proposal).told(len(history), Synthetic().evaluate(Trial(len(history), proposal)))
    return history


PAST = joined([searched(Halving(SPACE, steps=8, eta=2, seed=seed), 5) for seed in (5, 6)])

ALGORITHMS: dict[str, Callable[[], Algorithm]] = {
    "random": lambda: RandomSearch(SPACE, steps=5, trials=10, seed=1),
    "random without end": lambda: RandomSearch(SPACE, steps=5),
    "nac": lambda: Nac(ENVELOPE, steps=5, iterations=3),
    "nac, inheriting": lambda: Nac(ENVELOPE, steps=5, iterations=3, inherit=True),
    "nac, cells alike": lambda: Nac(
        ENVELOPE, 12, 2, share=0.5, growing_only=False, alike=True, windows=2, candidates=2
    ),
    "nac, in windows": lambda: Nac(ENVELOPE, steps=30, iterations=1, windows=9, stable=0.7, candidates=3),
    "nac, inheriting in windows": lambda: Nac(ENVELOPE, 14, 2, windows=7, stable=0.5, candidates=2, inherit=True),
    "fixed": lambda: Fixed(NETWORKS, steps=5, seeds=(0, 1)),
    "run-off": lambda: RunOff(RandomSearch(SPACE, steps=5, trials=4, seed=1), finalists=2, steps=20),
    "run-off after nac": lambda: RunOff(Nac(ENVELOPE, 12, 2, windows=2, candidates=2), finalists=3, steps=36),
    "paced": lambda: Paced(NETWORKS[0], seconds=8.0, speed=20.0),
    "evolution": lambda: Evolution(SPACE, steps=5, population=4, sample=2, seed=1),
    "local search": lambda: LocalSearch(SPACE, steps=5),
    "local search, best improvement": lambda: LocalSearch(SPACE, steps=5, improvement="best", seed=1),
    "reinforce": lambda: Reinforce(SPACE, steps=5, rate=0.5),
    "asha": lambda: Halving(SPACE, steps=9, eta=2, seed=1),
    "hyperband": lambda: Halving(SPACE, steps=9, eta=2, brackets=3),
    "multi-objective asha": lambda: Halving(SPACE, steps=9, eta=2, costs=("parameters", "macs")),
    "nsga2": lambda: Nsga2(SPACE, steps=5, costs=("parameters", "macs"), population=3),
    "bayes": lambda: Bayes(SPACE, steps=5, begin=3, candidates=6),
    "filtered": lambda: Filtered(Evolution(SPACE, 5, population=3), {"macs": 60_000}),
    "repeated": lambda: Repeated(Evolution(SPACE, 5, population=2), seeds=2),
    "repeated asha": lambda: Repeated(Halving(SPACE, steps=8, eta=2), seeds=2),
    "warm": lambda: Warm(Evolution(SPACE, 5, population=3), PAST),
    "warm asha": lambda: Warm(Halving(SPACE, steps=8, eta=2), PAST),
    "budgeted": lambda: Budgeted(RandomSearch(SPACE, 5), steps=23),
    "all of them": lambda: Budgeted(
        Repeated(Distinct(Filtered(Warm(Halving(SPACE, 8, eta=2), PAST), {"macs": 60_000})), 2), flops=1e8
    ),
    "darts": lambda: Darts(SPACE, steps=12, legs=4, order="second", skip=1.0),
    "darts, by perturbation": lambda: Darts(SPACE, steps=6, legs=2, rate=0.0, select="perturbation", seed=3),
    "enas": lambda: Enas(SPACE, steps=20, legs=6, paths=5, seed=2),
    "random sharing": lambda: RandomSharing(SPACE, steps=6, legs=3, paths=60),
    "zero-cost": lambda: ZeroCost(SPACE, steps=5, candidates=7, trained=3, seed=1),
    "zero-cost by one score, on all terms": lambda: Repeated(
        Distinct(Filtered(ZeroCost(SPACE, 5, ("synflow",), candidates=4, trained=2), {"macs": 60_000})), seeds=2
    ),
    "zero-cost, with a run-off": lambda: RunOff(ZeroCost(SPACE, 5, ("macs",), 4, 2), finalists=2, steps=20),
    "stopping": lambda: Stopping(Evolution(SPACE, 5, population=3), gain=0.01, seconds=2.0),
    "finish": lambda: Finish(Fixed(NETWORKS, steps=5)),
}
every = pytest.mark.parametrize("make", ALGORITHMS.values(), ids=ALGORITHMS.keys())


class Counted:
    """Synthetic, with the steps of the whole lineage among the metrics, and half a second a trial."""

    def __init__(self) -> None:
        self._landscape, self._steps = Synthetic(seconds=0.5), dict[TrialId | None, int]()

    def __call__(self, trial: Trial, report: Report) -> Outcome:
        outcome, ask = self._landscape.evaluate(trial, report), trial.proposal
        assert isinstance(outcome, Measurement)
        self._steps[trial.id] = ask.budget + (0 if ask.start is None else self._steps[ask.start])
        return replace(outcome, metrics={**outcome.metrics, "steps": float(self._steps[trial.id])})


@every
def test_is_an_algorithm(make: Callable[[], Algorithm]):
    assert isinstance(make(), Algorithm)


@every
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 8), failing=st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_algorithms(make: Callable[[], Algorithm], seed: int, workers: int, failing: float):
    check_algorithm(
        make, space=SPACE, trials=12, seeds=(seed,), workers=(workers,), failing=(failing,), evaluate=Counted()
    )


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 8), failing=st.sampled_from([0.0, 0.5]))
def test_distinct_where_most_networks_come_again(seed: int, workers: int, failing: float):
    for search in (RandomSearch(TINY, steps=5), Halving(TINY, steps=8, eta=2), LocalSearch(TINY, 5)):
        check_algorithm(
            lambda search=search: Distinct(replace(search)),
            space=TINY,
            trials=8,
            seeds=(seed,),
            workers=(workers,),
            failing=(failing,),
        )


CELLS = nasbench201((3, 8, 8), 3, width=2, cells=1)
LIMITED = replace(CELLS, accepts=lambda network: "stage0/cell0/0-3/3x3" not in network)
DARTS = darts((3, 8, 8), 3, width=2, cells=3, auxiliary=None)
MACRO = enas_macro((3, 8, 8), 3, width=2, layers=3)
ONE_SHOT: dict[str, tuple[Space, Callable[[], Algorithm]]] = {
    "cells": (CELLS, lambda: Darts(CELLS, 9, legs=3, select="perturbation", tuning=2)),
    "limited": (LIMITED, lambda: Darts(LIMITED, 9, legs=3, select="perturbation", tuning=2)),
    "darts": (DARTS, lambda: Darts(DARTS, 8, legs=4)),
    "darts, by perturbation": (DARTS, lambda: Darts(DARTS, 1, legs=1, rate=0.0, select="perturbation")),
    "enas": (MACRO, lambda: Enas(MACRO, 20, legs=5, paths=4)),
    "enas, limited": (LIMITED, lambda: Enas(LIMITED, 20, legs=5, paths=4)),
    "random": (MACRO, lambda: RandomSharing(MACRO, 20, legs=5, paths=60, examples=100)),
}


TIED: dict[str, Callable[[Space], Algorithm]] = {
    "reinforce": lambda space: Reinforce(space, steps=5, rate=0.5),
    "tpe": lambda space: Optuna(space, 5, named("tpe", {"n_startup_trials": 2})),
    "random": lambda space: Optuna(space, 5, named("random", {})),
}


@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("space", [nasbench201((3, 8, 8), 3, width=2, cells=2), DARTS], ids=["cells", "darts"])
@pytest.mark.parametrize("failing", [0.0, 0.5])
def test_algorithms_where_picks_are_tied(name: str, space: Space, failing: float):
    check_algorithm(lambda: TIED[name](space), space=space, trials=8, seeds=(0,), workers=(1, 3), failing=(failing,))


@pytest.mark.parametrize("name", ONE_SHOT)
@pytest.mark.parametrize("failing", [0.0, 0.3, 1.0])
def test_one_shot_algorithms(name: str, failing: float):
    space, make = ONE_SHOT[name]
    check_algorithm(make, space=space, trials=10, seeds=(0,), workers=(1, 3), failing=(failing,))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), failing=st.sampled_from([0.0, 0.3]))
def test_nac_with_dropout_and_concatenated_skips(seed: int, failing: float):
    check_algorithm(lambda: Nac(DROPPING, iterations=3), space=DROPPING.space, seeds=(seed,), failing=(failing,))


def of_2018(architecture: Architecture) -> bool:
    """Whether a network has two stages, of one to four cells and of one, and ends in three classes."""
    found = [cell for cell, branches in cells(architecture).items() if branches]
    depths = [sum(cell.startswith(stage) for cell in found) for stage in ("stage0/", "stage1/")]
    return 1 <= depths[0] <= 4 and depths[1] == 1 and shapes(architecture)[architecture.output.id] == (3,)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    failing=st.sampled_from([0.0, 0.3, 1.0]),
    dialect=st.sampled_from(["amla", "env"]),
    branches=st.integers(1, 3),
    limit=st.booleans(),
    worst=st.booleans(),
)
def test_nac_of_2018(seed: int, failing: float, dialect: Dialect, branches: int, limit: bool, worst: bool):
    """With one branch nothing can be pruned, and two limited layers divide by zero: such a search ends early."""
    cell = tuple((op, op) for op in ("1x1", "3x3", "3x3sep")[:branches])
    rules = Rules(
        cell, (1, 1), (3, 1), (True, False), (limit, False), 3, worst_case=worst, dialect=dialect, skip=bool(seed % 2)
    )
    frame = Frame((3, 6, 6), 3, 3)
    check_algorithm(
        lambda: PaperNac(frame, rules, iterations=4), space=of_2018, trials=12, seeds=(seed,), failing=(failing,)
    )


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), failing=st.sampled_from([0.0, 0.3, 1.0]))
def test_random_networks_of_2018(seed: int, failing: float):
    rules = Rules((("1x1", "1x1"), ("3x3", "3x3")), (1, 1), (3, 1), (True, False), (False, False), 16)
    check_algorithm(
        lambda: PaperRandom(Frame((3, 6, 6), 3, 16), rules, iterations=3),
        space=of_2018,
        seeds=(seed,),
        failing=(failing,),
    )


@pytest.mark.parametrize("name", ["random", "nac"])
def test_more_trials_find_more(name: str):
    algorithm, landscape, history = ALGORITHMS[name](), Synthetic(noise=0.0), History()
    found = []
    while proposal := algorithm.ask(history):
        history = history.asked(proposal).told(len(history), landscape.evaluate(Trial(len(history), proposal)))
        recommended = algorithm.recommend(history)
        assert recommended is not None
        found.append(landscape.accuracy(recommended))
    assert found == sorted(found)
    assert found[-1] > found[0]


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 8), failing=st.sampled_from([0.0, 0.5]))
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_samplers_of_optuna(sampler: str, seed: int, workers: int, failing: float):
    check_algorithm(
        lambda: Optuna(SPACE, 5, named(sampler, {"n_startup_trials": 2} if sampler == "tpe" else {})),
        space=SPACE,
        trials=8,
        seeds=(seed,),
        workers=(workers,),
        failing=(failing,),
    )
