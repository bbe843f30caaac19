"""What all histories of one growth share: the trials that run, and those that are over, in the order they finished in.

The newest trials that are over stay as they are, as searches read them again and again; older ones are packed, and made
anew whenever they are read.
"""

from array import array
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from amla.trials.packing import Packing
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId

NEWEST = 4096  # trials that are not packed: some 15 MB
RUNS = -1  # the place of a trial that is not over


class Spent(NamedTuple):
    """What trials took: seconds, optimiser steps of those that are done, and floating-point operations counted."""

    seconds: float = 0.0
    steps: int = 0
    flops: float = 0.0

    def and_by(self, trial: Trial) -> "Spent":
        """Return this and what a finished trial took; of one that failed, only the seconds are known."""
        match trial.outcome:
            case Measurement(seconds=seconds, cost=cost):
                flops = cost.flops if cost else 0.0
                return Spent(self.seconds + seconds, self.steps + trial.proposal.budget, self.flops + flops)
            case Failure(seconds=seconds):
                return self._replace(seconds=self.seconds + seconds)
            case None:
                return self


@dataclass
class Record:
    """Only ever appended to. A trial that is over has a place: how many had finished before it.

    One thread appends while others read, each what its history has of it: nothing refers to what is not yet there.
    """

    running: dict[TrialId, Proposal] = field(default_factory=dict)  # of the longest history, in order
    over: list[Trial | bytes] = field(default_factory=list)  # by place
    places: "array[int]" = field(default_factory=lambda: array("q"))  # by trial; RUNS of one that runs
    done: "array[int]" = field(default_factory=lambda: array("q"))  # the places of those with a measurement
    failed: "array[int]" = field(default_factory=lambda: array("q"))  # and of the others
    seconds: "array[float]" = field(default_factory=lambda: array("d"))  # `Spent` up to each place
    steps: "array[int]" = field(default_factory=lambda: array("q"))
    flops: "array[float]" = field(default_factory=lambda: array("d"))
    packing: Packing = field(default_factory=Packing)
    replays: dict[Hashable, tuple[int, Any]] = field(default_factory=dict)  # a cache: see History.replayed

    def ask(self, proposal: Proposal) -> None:
        """Append a proposal."""
        network = self.packing.sharing(proposal.architecture)
        shared = proposal if network is proposal.architecture else replace(proposal, architecture=network)
        self.running[len(self.places)] = shared
        self.places.append(RUNS)

    def tell(self, trial_id: TrialId, outcome: Outcome) -> None:
        """Append the outcome of a trial that runs. It runs until the trial that is over can be found."""
        trial = Trial(trial_id, self.running[trial_id], outcome)
        spent, place = self.spent(len(self.over)).and_by(trial), len(self.over)
        self.seconds.append(spent.seconds)
        self.steps.append(spent.steps)
        self.flops.append(spent.flops)
        self.over.append(trial)
        (self.done if isinstance(outcome, Measurement) else self.failed).append(place)
        self.places[trial_id] = place
        del self.running[trial_id]
        if place >= NEWEST and isinstance(old := self.over[place - NEWEST], Trial):
            self.over[place - NEWEST] = self.packing.packed(old)

    def trial(self, place: int) -> Trial:
        """Return a trial that is over."""
        found = self.over[place]
        return found if isinstance(found, Trial) else self.packing.unpacked(found)

    def proposal(self, trial_id: TrialId) -> Proposal:
        """Return what a trial was to be, whether it runs or is over."""
        found = self.running.get(trial_id)
        return self.trial(self.places[trial_id]).proposal if found is None else found

    def spent(self, told: int) -> Spent:
        """Return what the first so many trials that are over took together."""
        return Spent(self.seconds[told - 1], self.steps[told - 1], self.flops[told - 1]) if told else Spent()

    def first(self, asked: int, told: int, done: int) -> "Record":
        """Return a record of its own of so many trials, of which so many are over and done."""
        places = array("q", (place if place < told else RUNS for place in self.places[:asked]))
        runs: Iterable[TrialId] = (trial_id for trial_id, place in enumerate(places) if place == RUNS)
        return Record(
            running={trial_id: self.proposal(trial_id) for trial_id in runs},
            over=self.over[:told],
            places=places,
            done=self.done[:done],
            failed=self.failed[: told - done],
            seconds=self.seconds[:told],
            steps=self.steps[:told],
            flops=self.flops[:told],
            packing=self.packing,
        )
