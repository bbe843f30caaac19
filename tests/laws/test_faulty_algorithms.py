"""The law of algorithms finds those that break it, and says how."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from amla.algorithms.random import RandomSearch
from amla.spaces.envelope import envelope
from amla.spec.architecture import Architecture
from amla.testing import check_algorithm
from amla.trials.history import History
from amla.trials.trial import Proposal

SPACE = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(3,), branches=("1x1", "3x3")).space
OTHER = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(1,), branches=("5x5",)).space
NETWORK = SPACE.sample(np.random.default_rng(0))


def honest(algorithm: "Faulty", history: History) -> Proposal | None:
    return RandomSearch(SPACE, 5).ask(history)


@dataclass
class Faulty:
    """Random search, but for what is overridden."""

    answer: Callable[["Faulty", History], Proposal | None] = honest
    recommends: Callable[[History], Architecture | None] = lambda history: None
    memory: list[History] = field(default_factory=list)

    def ask(self, history: History) -> Proposal | None:
        self.memory.append(history)
        return self.answer(self, history)

    def recommend(self, history: History) -> Architecture | None:
        return self.recommends(history)


def asks(**changes: object) -> Callable[[Faulty, History], Proposal]:
    return lambda algorithm, history: replace(Proposal(NETWORK, 5), **changes)


def counts(algorithm: Faulty, history: History) -> Proposal:
    return Proposal(NETWORK, len(algorithm.memory))


def counts_after_failure(algorithm: Faulty, history: History) -> Proposal:
    return Proposal(NETWORK, len(algorithm.memory) if history.failed else 5)


def trusts(algorithm: Faulty, history: History) -> Proposal:
    return Proposal(NETWORK, sum(len(trial.measurement.metrics) for trial in history.finished))


def starts_from_the_last(algorithm: Faulty, history: History) -> Proposal:
    return Proposal(NETWORK, 5, start=len(history) - 1 if len(history) else None)


def starts_from_nothing_kept(algorithm: Faulty, history: History) -> Proposal:
    return Proposal(NETWORK, 5, start=history.done[0].id if history.done else None, keep=False)


def test_an_honest_algorithm_is_none_of_them():
    check_algorithm(Faulty, space=SPACE, trials=8)


@pytest.mark.parametrize(
    ("algorithm", "broken"),
    [
        (Faulty(lambda algorithm, history: None), "asks for nothing"),
        (Faulty(counts), "answers differently: another budget"),
        (Faulty(counts_after_failure), "answers differently: another budget"),
        (Faulty(asks(architecture=SPACE.template)), "a fit of an open architecture"),
        (Faulty(starts_from_the_last), r"start from trial \d, which has no measurement"),
        (Faulty(starts_from_nothing_kept), r"start from trial \d, which does not keep its weights"),
        (Faulty(asks(start=99)), "start from trial 99, but there are only 0"),
        (Faulty(recommends=lambda history: SPACE.template), "recommended architecture is open"),
        (Faulty(recommends=lambda history: OTHER.sample(np.random.default_rng(0))), "is not in the space"),
    ],
)
def test_a_faulty_algorithm_is_found(algorithm: Faulty, broken: str):
    with pytest.raises(AssertionError, match=broken):
        check_algorithm(lambda: replace(algorithm, memory=[]), space=SPACE, trials=12)


def test_an_algorithm_that_trusts_every_trial_trips():
    with pytest.raises(LookupError, match="has no measurement"):
        check_algorithm(lambda: Faulty(trusts), space=SPACE)


def test_an_algorithm_that_recommends_by_chance_is_found():
    generator = np.random.default_rng(0)
    with pytest.raises(AssertionError, match="recommends something else"):
        check_algorithm(lambda: Faulty(recommends=lambda history: SPACE.sample(generator)), space=SPACE, trials=5)
