"""A run's network trained again, as its record says: the same legs, from the same seed or from others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from amla.spec.values import value
from amla.storage.files import Files
from amla.study.arrangement import recorded
from amla.study.folder import Run, provenance
from amla.study.resolve import FINAL, evaluation_of
from amla.study.result import Scored, Tested, result, scored_of, tested_of
from amla.study.settings.places import TabularSettings, Torch
from amla.study.study import Study, StudyError
from amla.tasks.task import OF_NUMBERS, Task
from amla.trials.progress import Report
from amla.trials.snapshot import Arrays
from amla.trials.trial import Failure, Proposal, Trial


@value
class Again:
    """One training again: its seed, its test, and the largest difference of a weight from the recorded one.

    `apart` is None for another seed than the recorded one, whose weights have nothing to do with it. `tested` is an
    accuracy, or R2 of numbers.
    """

    seed: int
    tested: Tested | Scored
    seconds: float
    apart: float | None = None


@value
class Replay:
    """What training again showed, beside what is recorded; `differing` says what is not as it was."""

    tested: Tested | Scored
    trainings: tuple[Again, ...]
    differing: tuple[str, ...] = ()

    @property
    def accuracy(self) -> float:
        """The mean test accuracy of the trainings; R2, of numbers."""
        return fmean(worth(again.tested) for again in self.trainings)

    @property
    def reproduced(self) -> bool:
        """Whether that lies within the recorded interval, the noise of a test part of its size."""
        low, high = between(self.tested)
        return low <= self.accuracy <= high


def worth(tested: Tested | Scored) -> float:
    """Return the accuracy of a test, or R2."""
    return tested.accuracy if isinstance(tested, Tested) else tested.value


def between(tested: Tested | Scored) -> tuple[float, float]:
    """Return its 95 % interval; where none is known, that of its value alone."""
    if isinstance(tested, Tested):
        return tested.low, tested.high
    return tested.interval or (tested.value, tested.value)


def replay(
    run: Run, task: Task, others: int, report: Report, begins: Callable[[int], None] = lambda seed: None
) -> Replay:
    """Train the network of a run again with the recorded seed, and with so many `others`, the next ones.

    Every leg of the final training is repeated as it was asked for, in this process, with the recorded number of
    threads; nothing is written into the run. `begins` is told of each seed. Raises StudyError for a run that is not
    finished, was not trained, or whose training fails now.
    """
    found = result(run)
    if found is None or isinstance(run.study.backend, TabularSettings):
        raise StudyError(f"'{run.folder}' has no trained network yet, so there is nothing to compare with.")
    legs = [trial.proposal for trial in reversed(run.final.lineage(run.final.done[-1]))]
    first = legs[0].seed
    known, _ = Files(run.folder).load_weights("best")
    trainings = []
    for seed in range(first, first + others + 1):
        begins(seed)
        trainings.append(_again(run, task, [replace(leg, seed=seed) for leg in legs], report, known, seed == first))
    tested = found.tested or found.scored
    if tested is None:
        raise StudyError(f"'{run.folder}' has no test to compare with.")
    return Replay(tested, tuple(trainings), _differing(run.study, task))


def _again(run: Run, task: Task, proposals: Sequence[Proposal], report: Report, known: Arrays, is_same: bool) -> Again:
    """Train one network through all its legs, the weights of one leg at a time on the disk, and test it."""
    study = run.study
    if isinstance(study.backend, Torch):  # several devices train the same network as one
        study = replace(study, backend=replace(study.backend, devices=1))
    arranged = recorded(Files(run.folder))
    with TemporaryDirectory(prefix="amla-replay-") as folder:
        files = Files(Path(folder))
        evaluate = evaluation_of(study, FINAL, task, files, arranged.final.threads if arranged else None)
        seconds, tested = 0.0, None
        for number, proposal in enumerate(proposals):
            asked = replace(proposal, start=number - 1 if number else None)
            outcome = evaluate(Trial(number, asked), report)
            if isinstance(outcome, Failure):
                raise StudyError(f"The training failed ({outcome.reason}): {outcome.message}")
            seconds += outcome.seconds
            if number > 1:
                files.drop(f"{FINAL}/{number - 2}")
            if not proposal.budget:
                tested = tested_of(outcome.metrics) or scored_of(OF_NUMBERS, outcome.metrics)
        weights = files.load(f"{FINAL}/{len(proposals) - 2}").weights
    if tested is None:
        raise StudyError(
            f"The last of the legs of '{run.folder}' tests nothing; is its record whole? amla doctor says."
        )
    return Again(proposals[0].seed, tested, seconds, _apart(weights, known) if is_same else None)


def _apart(weights: Arrays, known: Arrays) -> float:
    """Return the largest difference of a number; infinite where the weights are not even called the same."""
    if weights.keys() != known.keys():
        return float("inf")
    return max(
        (
            float(np.abs(np.asarray(weights[name], np.float64) - np.asarray(known[name])).max(initial=0))
            for name in known
        ),
        default=0.0,
    )


def _differing(study: Study, task: Task) -> tuple[str, ...]:
    """Return in which versions and on which machine the run was recorded, where it is not as now."""
    if study.provenance is None:
        return ()
    then, now = study.provenance, provenance(task)
    pairs = [("machine", then.machine, now.machine), ("code", then.code, now.code)]
    pairs += [(name, version, now.versions.get(name, "not there")) for name, version in then.versions.items()]
    return tuple(f"{name}: {before} then, {after} now" for name, before, after in pairs if before != after)
