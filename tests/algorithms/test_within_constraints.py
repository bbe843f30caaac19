"""No algorithm asks for a network beyond the constraints of its space, nor recommends one."""

from collections.abc import Callable

import numpy as np
import pytest

from amla.algorithms.bayes import Bayes
from amla.algorithms.evolution import Evolution
from amla.algorithms.halving import Halving
from amla.algorithms.local import LocalSearch
from amla.algorithms.nac import Nac
from amla.algorithms.nsga2 import Nsga2
from amla.algorithms.optuna import Optuna, named
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.reinforce import Reinforce
from amla.algorithms.zero_cost import ZeroCost
from amla.spaces.enas_macro import enas_macro
from amla.spaces.envelope import Envelope, envelope
from amla.spaces.space import Space, constrained
from amla.spec.constraints import Constraints
from amla.testing import Synthetic, check_algorithm
from amla.trials.history import History
from amla.trials.trial import Trial

FREE = enas_macro((2, 6, 6), 3, width=2, layers=5)
TRIALS = 60
ALGORITHMS: dict[str, Callable[[Space], Algorithm]] = {
    "random": lambda space: RandomSearch(space, 9),
    "evolution": lambda space: Evolution(space, 9),
    "local": lambda space: LocalSearch(space, 9),
    "local, best": lambda space: LocalSearch(space, 9, "best"),
    "asha": lambda space: Halving(space, 9),
    "nsga2": lambda space: Nsga2(space, 9, population=6),
    "reinforce": lambda space: Reinforce(space, 9, rate=0.5),
    "bayes": lambda space: Bayes(space, 9, begin=5, candidates=10),
    "optuna": lambda space: Optuna(space, 9, named("tpe", {"n_startup_trials": 5})),
    "zero_cost": lambda space: ZeroCost(space, 9, candidates=20, trained=3),
}


def limit(name: str) -> int:
    """Return what about one random network in a hundred has at most."""
    rng, all_of_them = np.random.default_rng(0), Constraints(1, 1, 1)
    return sorted(all_of_them.of(FREE.sample(rng))[name] for _ in range(300))[3]


SPACES = {name: constrained(FREE, Constraints(**{name: limit(name)})) for name in ("parameters", "macs", "memory")}


def check_asked(algorithm: Algorithm, limits: Constraints, trials: int = TRIALS) -> int:
    """Check all that an algorithm asks for and recommends; return how many trials there were."""
    history = History()
    while len(history) < trials and (proposal := algorithm.ask(history)):
        assert limits.hold(proposal.architecture)
        history = history.asked(proposal).told(len(history), Synthetic().evaluate(Trial(len(history), proposal)))
    recommended = algorithm.recommend(history)
    assert recommended is not None
    assert limits.hold(recommended)
    return len(history)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
@pytest.mark.parametrize("make", ALGORITHMS.values(), ids=ALGORITHMS.keys())
def test_nothing_beyond_is_asked_for(make: Callable[[Space], Algorithm], space: Space):
    assert check_asked(make(space), space.within) > 20


@pytest.mark.parametrize("make", ALGORITHMS.values(), ids=ALGORITHMS.keys())
def test_algorithms_keep_their_law_within_constraints(make: Callable[[Space], Algorithm]):
    space = SPACES["macs"]
    check_algorithm(lambda: make(space), space=space, trials=10, seeds=(0,), workers=(3,), failing=(0.2,))


def narrow(limits: Constraints) -> Envelope:
    return envelope(
        (3, 8, 8),
        3,
        width=16,
        cells=(1, 1),
        max_cells=(3, 3),
        branches=("1x1", "3x3", "3x3sep"),
        parameters=limits.parameters,
        macs=limits.macs,
        memory=limits.memory,
    )


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize(
    "limits",
    [
        Constraints(3000),
        Constraints(300),
        Constraints(macs=30_000),
        Constraints(memory=6000),
        Constraints(800, 40_000, 9000),
    ],
)
def test_nac_prunes_and_grows_within(limits: Constraints, alike: bool):
    space = narrow(limits)
    assert check_asked(Nac(space, 9, 5, alike=alike, candidates=2, growing_only=False), limits)
