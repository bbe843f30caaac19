"""A tuner tries the recipe as it is, then others near the best; the best of them is chosen."""

import pytest
from small import network, places

pytest.importorskip("optuna")

from amla.algorithms.optuna import named
from amla.algorithms.tuning import Tuning
from amla.tasks.dials import Dial
from amla.testing.algorithms import check_algorithm
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome

SPACE = places(1)
ONE = network(SPACE, "a")
DIALS = {"optimiser.rate": Dial(0.1, 0.0125, 0.4, log=True), "augment.shift": Dial(1, 0, 5, whole=True)}


def tuning(trials: int = 12, sampler: str = "tpe", seed: int = 0) -> Tuning:
    return Tuning(ONE, DIALS, 5, trials, named(sampler, {}), seed)


def reached(recipe: dict[str, float]) -> float:
    """Return an accuracy that is best at a rate of 0.05 and no shift."""
    rate, shift = recipe.get("optimiser.rate", 0.1), recipe.get("augment.shift", 1.0)
    return 0.9 - abs(rate - 0.05) - 0.05 * shift


def lived(algorithm: Tuning, fails: tuple[int, ...] = ()) -> History:
    history = History()
    while proposal := algorithm.ask(history):
        accuracy = reached(dict(proposal.recipe))
        outcome: Outcome = Failure("diverged", "") if len(history) in fails else Measurement({"accuracy": accuracy})
        history = history.asked(proposal).told(len(history), outcome)
    return history


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_first_recipe_is_as_it_is_and_all_are_within_the_dials(sampler: str):
    history = lived(tuning(sampler=sampler))
    first, *others = [trial.proposal.recipe for trial in history.trials]
    assert first == {}
    assert len(others) == 11
    for recipe in others:
        assert recipe.keys() == DIALS.keys()
        assert all(DIALS[address].low <= number <= DIALS[address].high for address, number in recipe.items())
        assert recipe["augment.shift"] == int(recipe["augment.shift"])
    assert {trial.proposal.seed for trial in history.trials} == {0}


def test_the_best_is_chosen_and_nothing_before_there_is_one():
    algorithm = tuning()
    history = lived(algorithm, fails=(2, 5))
    best = max((trial for trial in history.done), key=lambda trial: trial.measurement.metrics["accuracy"])
    assert algorithm.chosen(history) == best.proposal.recipe
    assert reached(dict(algorithm.chosen(history))) > reached({})
    assert algorithm.chosen(History()) == {}
    assert algorithm.chosen(lived(algorithm, fails=tuple(range(12)))) == {}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_is_an_algorithm(sampler: str):
    check_algorithm(lambda: tuning(6, sampler), space=SPACE, trials=6, seeds=(0, 1), workers=(1, 3), failing=(0.0, 0.5))
