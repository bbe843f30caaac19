import logging

import pytest

pytest.importorskip("optuna")

from amla.algorithms.optuna import Optuna, named
from amla.spaces.envelope import envelope
from amla.trials.history import History
from amla.trials.trial import Measurement

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
