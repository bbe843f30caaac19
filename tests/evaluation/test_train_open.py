"""Trials of open architectures: counted with all that Picks may keep, refused where that cannot be, and resumed."""

from pathlib import Path

import pytest
from made_up import make_task
from open_networks import cells, ties

from amla.backends.torch.backend import TorchBackend
from amla.evaluation.train import Training
from amla.spaces.envelope import envelope
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.supernet import supernet
from amla.storage.files import Files
from amla.trials.progress import silent
from amla.trials.trial import Failure, Measurement, Method, Proposal, Relax, SamplePaths, Trial

CELLS, TIES = cells(), ties(cells())
SHARED_WIDTH = envelope((3, 8, 8), 4, width=4, cells=(1,), max_cells=(2,), branches=("1x1", "3x3")).space.template


def training(folder: Path) -> Training:
    return Training("search", TorchBackend("cpu"), make_task(), Files(folder))


def measured(training: Training, trial: Trial) -> Measurement:
    outcome = training(trial, silent)
    assert isinstance(outcome, Measurement), outcome
    return outcome


@pytest.mark.parametrize("method", [Relax(0.1, tied=TIES), SamplePaths(tied=TIES)])
def test_legs_of_open_architectures_go_on(method: Method, tmp_path: Path):
    evaluate, counted = training(tmp_path), costs(supernet(CELLS))
    first = measured(evaluate, Trial(0, Proposal(CELLS, 2, method, horizon=5)))
    second = measured(evaluate, Trial(1, Proposal(CELLS, 3, method, 0, horizon=5)))
    assert (first.metrics["parameters"], first.metrics["macs"]) == (counted.parameters, counted.macs)
    assert second.metrics["steps"] == 5
    whole = measured(evaluate, Trial(2, Proposal(CELLS, 5, method, horizon=5)))
    assert whole.statistics == second.statistics
    assert first.cost
    assert first.cost.flops > 0


@pytest.mark.parametrize(
    ("network", "method", "probes", "message"),
    [
        (SHARED_WIDTH, Relax(), {}, "shares a width"),
        (SHARED_WIDTH, SamplePaths(), {}, "shares a width"),
        (CELLS, Relax(), {"msss": ("stem",)}, "does not watch mixtures"),
        (CELLS, SamplePaths(({},)), {}, "No decision for"),
    ],
)
def test_what_cannot_be_trained_open_is_infeasible(
    network: Architecture, method: Method, probes: dict[str, tuple[str, ...]], message: str, tmp_path: Path
):
    outcome = training(tmp_path)(Trial(0, Proposal(network, 1, method, probes=probes)), silent)
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"
    assert message in outcome.message
