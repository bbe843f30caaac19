"""Answer a trial from a table, as if its network had been trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from amla.evaluation.tables import Entry, Table
from amla.evaluation.train import Snapshots, left_by
from amla.scores import COUNTED
from amla.spec.architecture import Architecture
from amla.spec.costs import costs, training_flops
from amla.spec.values import SpecError
from amla.trials.history import History
from amla.trials.progress import Report, silent
from amla.trials.snapshot import Snapshot
from amla.trials.trial import Cost, Failure, Fit, Measurement, Outcome, Proposal, Trial, TrialId, Untrained

METHOD = "tabular"  # of a snapshot that has no weights
DEVICE = "table"  # where trials run that do not run


@dataclass(frozen=True, eq=False)
class Tabular:
    """Evaluates the trials of one study by looking them up in a table.

    Steps are epochs. A search sees validation accuracies alone. With `final` nothing is scored after a training, and a
    proposal of budget 0 gives the test accuracy. What a table does not know is answered "infeasible": another network,
    another number of epochs, an open network.

    `seconds` and floating-point operations are those that the training took, or would have taken. A leg that starts
    from an earlier one is answered by the training that was as long as both, and costs the difference.
    """

    table: Table
    final: bool = False
    # Caches: the epochs of trials that later ones may start from, what is known of each network, and what was answered.
    _epochs: dict[TrialId, int] = field(default_factory=dict, init=False)
    _entries: dict[Architecture, Entry | None] = field(default_factory=dict, init=False)
    _answers: dict[tuple[int, ...], Measurement] = field(default_factory=dict, init=False)

    def knowing(self, history: History) -> "Tabular":
        """Return this, able to go on from the trials of a history."""
        for trial in history.trials:
            self._epochs[trial.id] = sum(leg.proposal.budget for leg in history.lineage(trial))
        return self

    def note(self, trial_id: TrialId, epochs: int) -> None:
        """Note how many epochs a trial had, with all legs before it, from which later ones may start."""
        self._epochs[trial_id] = epochs

    def __call__(self, trial: Trial, report: Report = silent) -> Outcome:
        """Return the trial's measurement, or why there is none."""
        ask = trial.proposal
        if isinstance(ask.method, Untrained) and not self.final:
            return self._untrained(ask, ask.method)
        if not isinstance(ask.method, Fit):
            return Failure("infeasible", f"{self.table.name} knows closed networks, which were trained by themselves.")
        before = self._epochs.get(ask.start, 0) if ask.start is not None else 0
        epochs = before + ask.budget
        if epochs not in self._lengths:
            lengths = " or ".join(map(str, self._lengths))
            return Failure(
                "infeasible",
                f"{self.table.name} knows trainings of {lengths} epochs, but this one would have {epochs}. "
                f"Let the steps of a trial be {lengths}.",
            )
        if (entry := self.entry(ask.architecture)) is None:
            return Failure("infeasible", f"{self.table.name} does not know this network; search its own space.")
        if ask.keep:
            self._epochs[trial.id] = epochs
        return self._answer(entry, ask, epochs)

    def entry(self, architecture: Architecture) -> Entry | None:
        """Return what is known of a network, its test accuracy too, None if it is not in the table."""
        if architecture not in self._entries:
            space = self.table.space
            try:
                kept: Mapping[str, tuple[str, ...]] = space.read(architecture)
                known = kept.keys() == set(space.genes) and space.close(kept) == architecture
            except SpecError:
                known = False
            key = tuple(kept[gene][0] for gene in space.genes) if known else ()
            self._entries[architecture] = self.table.entries.get(key)
        return self._entries[architecture]

    def _untrained(self, ask: Proposal, method: Untrained) -> Outcome:
        """Return what is counted of a network; no score of one was measured."""
        if measured := [name for name in method.scores if name not in COUNTED]:
            return Failure("infeasible", f"{self.table.name} knows {' and '.join(COUNTED)}, but not {measured[0]}.")
        if (entry := self.entry(ask.architecture)) is None:
            return Failure("infeasible", f"{self.table.name} does not know this network; search its own space.")
        return Measurement({name: float(getattr(entry, name)) for name in COUNTED}, cost=Cost(DEVICE, 0.0))

    @property
    def _lengths(self) -> tuple[int, ...]:
        return self.table.epochs[-1:] if self.final else self.table.epochs

    def _answer(self, entry: Entry, ask: Proposal, epochs: int) -> Measurement:
        """Return the measurement of a leg, made once for all that are alike."""
        seen = entry.searched[epochs]
        seed = ask.seed % len(seen)
        key = (id(entry), ask.budget, epochs, seed)
        if key not in self._answers:
            self._answers[key] = self._made(entry, ask, epochs, seen[seed])
        return self._answers[key]

    def _made(self, entry: Entry, ask: Proposal, epochs: int, seen: float) -> Measurement:
        metrics = {
            "parameters": float(entry.parameters),
            "macs": float(entry.macs),
            "steps": float(epochs),
            **{f"latency.{device}": milliseconds for device, milliseconds in entry.latency.items()},
        }
        examples = self.table.examples
        fitted = self.table.final_examples if self.final else examples["train"]
        if not self.final:
            metrics |= {"accuracy": seen, "examples": float(examples["validation"])}
        elif not ask.budget:
            metrics |= {"accuracy": entry.tested, "examples": float(examples["test"])}
            metrics |= {"peak_memory": float(costs(ask.architecture).peak_memory)}
        seconds = ask.budget * entry.epoch_seconds * fitted / examples["train"]
        flops = training_flops(entry.macs, ask.budget * fitted)
        return Measurement(metrics, {}, seconds, Cost(DEVICE, float(flops)))


@dataclass(frozen=True, eq=False)
class Passed:
    """Looks up the trials of a phase, where several processes do, and a leg may be answered by another than its start.

    What a trial leaves is a snapshot without weights, which says how many epochs it had in all.
    """

    table: Tabular
    phase: str
    snapshots: Snapshots

    def __call__(self, trial: Trial, report: Report = silent) -> Outcome:
        """Return the trial's measurement, or why there is none. Raises OSError where that of its start is damaged."""
        ask = trial.proposal
        before = 0 if ask.start is None else left_by(self.snapshots, self.phase, ask.start).steps
        if ask.start is not None:
            self.table.note(ask.start, before)
        outcome = self.table(trial, report)
        if ask.keep and isinstance(outcome, Measurement):
            key = f"{self.phase}/{trial.id}"
            self.snapshots.save(key, Snapshot(ask.architecture, METHOD, before + ask.budget, {}, {}))
        return outcome
