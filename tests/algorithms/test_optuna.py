import logging
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("optuna")

import optuna

from amla.algorithms.optuna import Optuna, named
from amla.spaces.envelope import envelope
from amla.spaces.nasbench201 import nasbench201
from amla.trials.history import History
from amla.trials.trial import Measurement

CELLS = nasbench201((1, 8, 8), 3, width=2, cells=2)
SPACE = envelope((1, 8, 8), 3, width=8, cells=(1,), max_cells=(2,)).space
STARTUP = 5  # trials that are drawn at random, before a model is fitted


class Heard(logging.Handler):
    """What is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_optuna_says_nothing_of_picks_that_do_not_always_live(sampler: str):
    heard, history = Heard(), History()
    startup = {"n_startup_trials": STARTUP} if sampler != "random" else {}
    algorithm = Optuna(SPACE, 5, named(sampler, startup))
    logging.getLogger("optuna").addHandler(heard)
    try:
        for trial in range(2 * STARTUP):
            history = history.asked(algorithm.ask(history))
            history = history.told(trial, Measurement({"accuracy": 0.1 + trial / 100}))
    finally:
        logging.getLogger("optuna").removeHandler(heard)
    assert not heard.lines


class Asked(optuna.samplers.RandomSampler):
    """A random sampler that notes which parameters it is asked for, and which it knows of every trial."""

    def __init__(self, seed: int, names: list[str], known: list[set[str]]) -> None:
        super().__init__(seed)
        self.names, self.known = names, known

    def sample_independent(self, study, trial, param_name: str, param_distribution):
        self.names.append(param_name)
        return super().sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study, trial) -> None:
        self.known[:] = [set(told.params) for told in study.trials[:-1]]


def test_the_sampler_is_asked_for_genes_alone_and_what_is_suggested_is_trained():
    names, known, suggested, history = list[str](), list[set[str]](), list[Sequence[str]](), History()
    algorithm = Optuna(CELLS, 5, lambda seed: Asked(seed, names, known))
    for trial in range(4):
        names.clear()
        history = history.asked(algorithm.ask(history)).told(trial, Measurement({"accuracy": 0.5}))
        suggested.append(tuple(sorted(names)))
    assert set(suggested) == {tuple(sorted(CELLS.genes))}
    assert known == [set(CELLS.genes)] * 3
    rng = np.random.default_rng(0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    trial = study.ask()
    decisions = algorithm._decisions(trial, rng)
    assert {gene: trial.params[gene] for gene in CELLS.genes} == {gene: kept for gene, (kept,) in decisions.items()}
    assert CELLS.read(CELLS.close(decisions)) == decisions
