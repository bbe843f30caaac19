"""Conducts the phases of a study: with how many workers each runs, and from wherever it was cut off."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property

from amla.algorithms.protocol import Algorithm
from amla.backends import processor
from amla.spec.architecture import Architecture
from amla.study import plan
from amla.study.arrangement import Arranged, arrange, at_once, record, recorded
from amla.study.executors import arranged_elsewhere, executor
from amla.study.gauged import Gauged
from amla.study.gauged import recorded as latencies_in
from amla.study.heard import Curves, Heard
from amla.study.mending import Mending
from amla.study.phases import ALONE, BASELINES, FINAL, REHEARSAL, SEARCH, TIMING, TUNING
from amla.study.resolve import algorithm_of, space_of
from amla.study.run import Executor, Limit, run
from amla.study.settings.places import Http, Inline, Local, Ray, Simulated
from amla.study.tempo import Tempo, tempo_of
from amla.study.timing import Arrangement
from amla.study.underway import Underway
from amla.trials.history import History
from amla.trials.progress import Report
from amla.trials.trial import TrialId


@dataclass(frozen=True)
class Conductor:
    """Runs phases of the study that is under way."""

    underway: Underway

    def run(self, phase: str, algorithm: Algorithm, limit: Limit, share: float | None = None) -> History:
        """Run an algorithm as a phase of the study, from wherever it was cut off, and return its history.

        With `share` its networks are trained on so large a share of the training part.
        """
        study = self.underway if share is None else self.underway.on(share)
        study.listener.begins(phase, study.store.history(phase))
        arrangement = self.arranged.final if phase in ALONE else self.arranged.search
        curves = Curves(phase, study.files, study.listener)
        heard = Heard(study.store, study.files, study.listener, algorithm)

        def mends(trial_id: TrialId, why: str) -> None:
            curves.mended.add(trial_id)
            study.listener.mends(phase, trial_id, why)

        with executor(study, phase, arrangement, curves) as running:
            if study.looks_up:  # there are no weights
                return run(phase, algorithm, running, heard, limit)
            mending = Mending(running, phase, study.files, lambda: heard.known, mends)
            history = run(phase, algorithm, self._gauged(phase, mending), heard, limit)
            if phase == FINAL and history.done and not (tested := history.done[-1].proposal).budget:
                mending.sound(tested.start)  # its weights are what the search was for
            return history

    @cached_property
    def arranged(self) -> Arranged:
        """How many trials train at once, with how many threads: as before if anything was trained, else as is best."""
        study = self.underway.study
        algorithm = algorithm_of(study, space_of(study, self.underway.task), plan.LEAST_STEPS)
        settings = study.executor
        if isinstance(settings, Simulated):
            return Arranged(Arrangement(settings.workers, 1), Arrangement(1, 1))
        if self.underway.looks_up and isinstance(settings, Inline | Local):  # there is nothing to time
            workers = settings.workers if isinstance(settings, Local) else 1
            most = processor.cores() if workers == "auto" else workers
            return Arranged(Arrangement(min(most, at_once(algorithm)), 1), Arrangement(1, 1))
        if isinstance(settings, Ray | Http):  # whose nodes may be others than before
            return arranged_elsewhere(settings, study, algorithm)
        begun = any(len(self.underway.store.history(phase)) for phase in (REHEARSAL, SEARCH))
        if begun and (known := recorded(self.underway.files)):
            return known
        opening = self.underway.began.ago(study.limit.clock)
        found = arrange(study, settings, algorithm, self.underway.batch, self._opened, self.underway.listener.times)
        found = replace(found, opening=opening)
        record(self.underway.files, found)
        return found

    def tempo(self, networks: Sequence[Architecture]) -> Tempo | None:
        """Return how long steps take in the final training's arrangement, by networks like those that will train there.

        None where that cannot be told beforehand: on other machines, and on several devices.
        """
        study = self.underway.study
        if not isinstance(study.executor, Inline | Local) or study.devices > 1:
            return None
        return tempo_of(networks, self.underway.batch, study.seed, self.arranged.final, self._opened)

    def _opened(self, arrangement: Arrangement, report: Report) -> AbstractContextManager[Executor]:
        return executor(self.underway, TIMING, arrangement, report)

    def _gauged(self, phase: str, running: Executor) -> Executor:
        """Return what measures networks before it has them trained, where the study says so.

        In a rehearsal nothing is found, and a final training that has begun has been let pass.
        """
        latency, meter, store = self.underway.study.latency, self.underway.meter, self.underway.store
        if latency is None or meter is None or phase == REHEARSAL:
            return running
        for past in (SEARCH, BASELINES, TUNING, FINAL):
            meter.known.update(latencies_in(store.history(past)))
        begun = phase == FINAL and len(store.history(FINAL))
        return Gauged(running, meter, None if begun else latency.at_most)
