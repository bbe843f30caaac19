"""What a search knows of a long history it goes on from: each ask reads the trials since, and not all of them anew."""

import numpy as np
import pytest
from small import network, places

pytest.importorskip("optuna")

from amla.algorithms.fixed import Fixed
from amla.algorithms.optuna import named
from amla.algorithms.protocol import Algorithm
from amla.algorithms.stopping import Stopping
from amla.algorithms.tuning import Tuning
from amla.algorithms.zero_cost import ZeroCost
from amla.spaces.envelope import envelope
from amla.tasks.dials import Dial
from amla.trials import record
from amla.trials.history import History
from amla.trials.packing import Packing
from amla.trials.trial import Measurement, Trial

SPACE = envelope((3, 6, 6), 3, width=6, cells=(1, 1), max_cells=(3, 2), branches=("1x1", "3x3", "3x3sep")).space
ONE = network(places(1), "a")
DIALS = {"optimiser.rate": Dial(0.1, 0.0125, 0.4, log=True)}
TRIALS = 40


@pytest.mark.parametrize(
    "algorithm",
    [
        Stopping(Fixed((ONE,), 5, tuple(range(2 * TRIALS))), gain=0.0, seconds=5.0),
        Tuning(ONE, DIALS, 5, 2 * TRIALS, named("random", {})),
        ZeroCost(SPACE, 5, ("macs",), candidates=TRIALS, trained=4),
    ],
    ids=lambda algorithm: type(algorithm).__name__,
)
def test_an_ask_reads_the_trials_since_the_last(algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(record, "NEWEST", 1)
    rng, history, read = np.random.default_rng(0), History(), list[bytes]()
    unpacked = Packing.unpacked

    def watched(packing: Packing, packed: bytes) -> Trial:
        read.append(packed)
        return unpacked(packing, packed)

    monkeypatch.setattr(Packing, "unpacked", watched)
    for _ in range(TRIALS):
        history = _longer(algorithm, history, rng)
    read.clear()
    for _ in range(4):
        history = _longer(algorithm, history, rng)
    assert len(read) < TRIALS / 2


def _longer(algorithm: Algorithm, history: History, rng: np.random.Generator) -> History:
    proposal = algorithm.ask(history)
    assert proposal is not None
    metrics = {"accuracy": rng.uniform(), "macs": rng.uniform()}
    return history.asked(proposal).told(len(history), Measurement(metrics, seconds=1.0))
