"""A run folder that was written without training anything."""

from pathlib import Path

import numpy as np

from amla.algorithms.protocol import Algorithm
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.text import to_json
from amla.storage.files import Files
from amla.study.folder import BEST, prepare
from amla.study.log import writing
from amla.study.resolve import FINAL, SEARCH, algorithm_of, space_of, task_of
from amla.study.settings.searches import NacSettings
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.study import Data, Final, Study
from amla.tasks.dataset import Dataset, Examples
from amla.tasks.recipe import Recipe
from amla.tasks.task import Task
from amla.trials.progress import Progress
from amla.trials.trial import Cost, Measurement, Proposal

SPACE = EnvelopeSettings(width=6, cells=(1, 1), max_cells=(4, 4))
STUDY = Study("made-up", Data("made-up"), Recipe(16), SPACE, NacSettings(2, steps=10), Final(50), seed=3)
CLASSES = ("cat", "dog")


def made_up(fingerprint: str = "f" * 32) -> Dataset:
    labels = np.arange(200, dtype=np.int64) % 2
    inputs = np.zeros((200, 8, 8, 1), np.uint8)
    return Dataset("made-up", fingerprint, CLASSES, Examples(inputs, labels), None, None, ("a notice",))


def task_for(study: Study = STUDY, fingerprint: str = "f" * 32) -> Task:
    return task_of(study, made_up(fingerprint))


def algorithm() -> Algorithm:
    return algorithm_of(STUDY, space_of(STUDY, task_for()), 10)


def measured(network: Architecture, **metrics: float) -> Measurement:
    counted = costs(network)
    known = {
        "parameters": float(counted.parameters),
        "macs": float(counted.macs),
        "peak_memory": float(counted.peak_memory),
        "steps": 50.0,
    }
    return Measurement({**known, **metrics}, seconds=2.0, cost=Cost("abacus", 1e9))


def begun(folder: Path, trials: int = 1, study: Study = STUDY) -> Path:
    """Write a run of which this many trials of the search are done, each a little better than the one before."""
    prepare(folder, study, task_for(study))
    with writing(folder) as log:
        for number in range(trials):
            proposal = algorithm().ask(log.history(SEARCH))
            assert proposal is not None
            log.asked(SEARCH, proposal)
            statistics = {probe: dict.fromkeys(nodes, 1.0) for probe, nodes in proposal.probes.items()}
            told = measured(proposal.architecture, accuracy=0.5 + number / 10, loss=1.0)
            log.told(SEARCH, number, Measurement(told.metrics, statistics, told.seconds, told.cost))
            Files(folder).append_curve(f"{SEARCH}/{number}", Progress(number, 10, 10, 1.0, 0.5, 0.1, 2.0))
    return folder


def finished(folder: Path, right: tuple[int, int] = (15, 18)) -> Path:
    """Write a run that is over: of each class, this many of 20 test images were right."""
    begun(folder, 3)
    with writing(folder) as log:
        winner = algorithm().recommend(log.history(SEARCH))
        assert winner is not None
        log.asked(FINAL, Proposal(winner, 50, seed=3))
        log.told(FINAL, 0, measured(winner))
        log.asked(FINAL, Proposal(winner, 0, start=0, seed=3, keep=False))
        each = {f"right/{i}": float(n) for i, n in enumerate(right)} | {"examples/0": 20.0, "examples/1": 20.0}
        log.told(FINAL, 1, measured(winner, accuracy=sum(right) / 40, loss=0.5, examples=40.0, **each))
    Files(folder).write_text(BEST, to_json(winner))
    return folder
