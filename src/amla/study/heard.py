"""What is done when a search writes something down: a listener hears of it, and files follow."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from amla.algorithms.protocol import Algorithm
from amla.spec.architecture import Architecture
from amla.spec.text import to_json
from amla.storage.files import Files
from amla.study.arrangement import Arranged
from amla.study.folder import BEST
from amla.study.forecast import Foretold
from amla.study.resolve import FINAL, SEARCH
from amla.study.run import Store
from amla.study.study import Study
from amla.study.timing import Arrangement
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Measurement, Outcome, Proposal, Trial, TrialId

LOOKING = 20  # times as long as asking for a recommendation took, until it is asked for again


class Listener(Protocol):
    """Who is told how a search goes."""

    def times(self, arrangements: Sequence[Arrangement]) -> None:
        """Hear that a training step is going to be timed in these arrangements, which takes a while."""

    def arranged(self, found: Arranged) -> None:
        """Hear in which arrangements the study trains, before it does."""

    def expects(self, foretold: Foretold) -> None:
        """Hear what phases will take, first all, later some of them. To be foretold it may take a while."""

    def begins(self, phase: str, history: History) -> None:
        """Hear that a phase begins, or goes on from `history`."""

    def asked(self, phase: str, trial: Trial) -> None:
        """Hear that a trial begins."""

    def progress(self, phase: str, progress: Progress) -> None:
        """Hear how far a trial is."""

    def mends(self, phase: str, trial_id: TrialId, why: str) -> None:
        """Hear that a trial of the record is trained again, as the weights that it left cannot be used."""

    def told(self, phase: str, trial: Trial) -> None:
        """Hear that a trial is over."""


class Silence:
    """Hears all there is to hear of a run, and says nothing."""

    def times(self, arrangements: Sequence[Arrangement]) -> None:
        """Hear what is going to be timed."""

    def arranged(self, found: Arranged) -> None:
        """Hear in which arrangements the study trains."""

    def expects(self, foretold: Foretold) -> None:
        """Hear what the phases will take."""

    def begins(self, phase: str, history: History) -> None:
        """Hear that a phase begins."""

    def asked(self, phase: str, trial: Trial) -> None:
        """Hear that a trial begins."""

    def progress(self, phase: str, progress: Progress) -> None:
        """Hear how far a trial is."""

    def told(self, phase: str, trial: Trial) -> None:
        """Hear that a trial is over."""

    def mends(self, phase: str, trial_id: TrialId, why: str) -> None:
        """Hear that a trial is trained again."""


def silently(study: Study) -> AbstractContextManager[Listener]:
    """Return who hears of a study, and says nothing."""
    return nullcontext(Silence())


@dataclass
class Curves:
    """Writes what the trials of a phase report into their curves, and tells the listener.

    Those in `mended` are of the record, and have their curves.
    """

    phase: str
    files: Files
    listener: Listener
    mended: set[TrialId] = field(default_factory=set)
    last: dict[TrialId, int] = field(default_factory=dict)  # step, of those that have begun

    def __call__(self, progress: Progress) -> None:
        """Take a line of a trial's curve in."""
        if progress.trial in self.mended:
            return
        key = f"{self.phase}/{progress.trial}"
        if progress.step <= self.last.get(progress.trial, progress.step):
            # It begins, or begins again as its worker was lost: lines after the checkpoint it goes on from are over.
            self.files.start_curve(key, step=progress.step - 1)
        self.last[progress.trial] = progress.step
        self.files.append_curve(key, progress)
        self.listener.progress(self.phase, progress)


@dataclass
class Heard:
    """A store, which tells the listener what is written, and acts on it.

    The best network's file follows what the algorithm recommends. In the final training, which is one lineage, the
    weights of a leg go once the next leg is done; in a search any later trial may start from them.
    """

    store: Store
    files: Files
    listener: Listener
    algorithm: Algorithm
    known: History = field(default_factory=History)
    best: Architecture | None = None
    next_look: float = 0.0  # by the clock: an algorithm may look through all trials to recommend one

    def history(self, study: str) -> History:
        """Return what has been written of a phase, and tell of the trials that were cut off."""
        self.known = self.store.history(study)
        for trial in self.known.running:
            self.listener.asked(study, trial)
        return self.known

    def asked(self, study: str, proposal: Proposal) -> None:
        """Write a proposal down."""
        self.store.asked(study, proposal)
        self.known = self.known.asked(proposal)
        self.listener.asked(study, self.known.trials[-1])

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        """Write an outcome down."""
        self.store.told(study, trial_id, outcome)
        self.known = self.known.told(trial_id, outcome)
        trial = self.known[trial_id]
        self.listener.told(study, trial)
        if study == SEARCH and monotonic() >= self.next_look:
            self._look()
        start = trial.proposal.start
        if study == FINAL and isinstance(outcome, Measurement) and trial.proposal.budget and start is not None:
            self.files.drop(f"{study}/{start}")

    def _look(self) -> None:
        """Write what the algorithm recommends, if it is another network than before."""
        began = monotonic()
        best = self.algorithm.recommend(self.known)
        self.next_look = monotonic() + LOOKING * (monotonic() - began)
        if best and best != self.best:
            self.files.write_text(BEST, to_json(best, indent=1) + "\n")
            self.best = best
