"""Runs bouts of a comparison on a table: in memory, thousands in a minute, of which only the records are kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf

import numpy as np

from amla.algorithms.finish import Finish
from amla.algorithms.fixed import Fixed
from amla.algorithms.protocol import Algorithm, reached
from amla.comparison.comparison import Comparison, Contender
from amla.comparison.incumbents import pooled
from amla.comparison.record import Known, Point, Record, about_of, benchmark, front_of, spent
from amla.evaluation.tables import Entry, Table
from amla.evaluation.tabular import DEVICE, Tabular
from amla.execution.simulated import SimulatedExecutor
from amla.spaces.whole import Whole
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.storage.memory import Memory
from amla.study.folder import provenance
from amla.study.phases import FINAL, SEARCH
from amla.study.prefer import front
from amla.study.resolve import algorithm_of, task_of
from amla.study.run import Limit, run
from amla.study.settings.places import Simulated
from amla.study.study import Study, StudyError
from amla.study.tables import dataset_of
from amla.study.unsearched import APART, plain_network
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.trial import Outcome, Proposal, TrialId

TOP = 0.1  # of a table, by what its networks test at: those whose noise matters to who looks for the best


@dataclass(frozen=True, eq=False)
class Bench:
    """One task of a comparison: its table, and what answers the trials of all bouts, which remembers what it has."""

    comparison: Comparison
    name: str
    table: Table

    def check(self, contenders: Mapping[str, Contender]) -> None:
        """Raise StudyError for what could only fail later, before anything is run."""
        final = self.comparison.tasks[self.name].final.steps
        if final != (longest := self.table.epochs[-1]):
            raise StudyError(
                f"tasks.{self.name}.final.steps is {final}; {self.table.name} knows the test after {longest}."
            )
        for name, contender in contenders.items():
            self._algorithm(self.comparison.study(self.name, contender, 0))
            if (steps := contender.algorithm.steps) not in self.table.epochs:
                known = " or ".join(map(str, self.table.epochs))
                raise StudyError(
                    f"{name}: algorithm.steps is {steps}; {self.table.name} knows trainings of {known} epochs."
                )

    def searched(self, contender: Contender, seed: int) -> Record:
        """Return the record of a contender with a seed. Raises StudyError where it found nothing in the table."""
        study = self.comparison.study(self.name, contender, seed)
        return self._record(self._algorithm(study), study, study.limit)

    def given(self, network: Architecture, seed: int) -> Record:
        """Return the record of a network that was not searched, and was looked up as the first contender's are."""
        study = self.comparison.study(self.name, next(iter(self.comparison.contenders.values())), seed)
        return self._record(Fixed((network,), study.algorithm.steps or 0, (seed,), keep=False), study, Limit())

    def hand_made(self) -> Architecture | None:
        """Return the network that people would build by hand, None if the space has none."""
        setting = self.comparison.tasks[self.name]
        return plain_network(setting.space, setting.constraints, self._task)

    def matched(self, like: Record) -> Architecture | None:
        """Return a random network of the table with as many parameters and MACs as another one, or nearly so."""
        keys, parameters, macs = self._sizes
        apart = np.maximum(np.abs(parameters / like.parameters - 1), np.abs(macs / like.macs - 1))
        close = np.flatnonzero(apart <= APART)
        rng = np.random.default_rng((like.seed, 1))
        order = [*rng.permutation(close).tolist(), *np.argsort(apart, kind="stable").tolist()]
        networks = (self._network(keys[place]) for place in order)
        return next((network for network in networks if self._digest(network) != like.network), None)

    def _record(self, algorithm: Algorithm, study: Study, limit: Limit) -> Record:
        workers = study.executor.workers if isinstance(study.executor, Simulated) else 1
        executor = SimulatedExecutor(self._searching, workers)
        followed = Followed(algorithm, lambda: executor.clock, self._tested)
        if limit.seconds is not None:  # each of the workers has them
            limit = replace(limit, seconds=limit.seconds * workers)
        searched = run(SEARCH, algorithm, executor, followed, limit)
        winner = algorithm.recommend(searched)
        if winner is None:
            raise StudyError(
                f"{self.name}, seed {study.seed}: none of {len(searched)} networks is in {self.table.name}."
            )
        training = Finish(Fixed((winner,), study.final.steps or 0, (study.seed,)))
        final = run(FINAL, training, SimulatedExecutor(self._testing), Memory(), Limit())
        metrics = final.done[-1].measurement.metrics
        return Record(
            task=self._benchmark,
            seed=study.seed,
            accuracy=metrics["accuracy"],
            examples=int(metrics["examples"]),
            validation=followed.best,
            network=self._digest(winner),
            parameters=int(metrics["parameters"]),
            macs=int(metrics["macs"]),
            search=spent(searched),
            final=spent(final),
            points=followed.points(),
            about=self._about,
            known=self.known,
            front=self._front(searched),
        )

    def _front(self, searched: History) -> tuple[tuple[float, ...], ...]:
        """Return the networks that a search would offer, chosen by what it saw, with what they test at."""
        if not (costs := self.comparison.costs):
            return ()
        chosen = front(searched, costs)
        seen = front_of(chosen, "accuracy", costs)
        tested = [self._tested(trial.proposal.architecture) for trial in chosen]
        return tuple((worth, *point[1:]) for worth, point in zip(tested, seen, strict=True) if worth is not None)

    @cached_property
    def known(self) -> Known:
        """What the table knows of all its networks."""
        entries = sorted(self.table.entries.values(), key=lambda entry: -entry.tested)
        longest = self.table.epochs[-1]
        top = [entry.searched[longest] for entry in entries[: max(1, round(TOP * len(entries)))]]
        measured = f"what a search sees after {longest} epochs"
        return Known(entries[0].tested, pooled(top), measured, self.table.held_out)

    def _algorithm(self, study: Study) -> Algorithm:
        return algorithm_of(study, Whole(self.table.space), study.algorithm.steps or 0)

    def _tested(self, network: Architecture) -> float | None:
        entry = self._searching.entry(network)
        return entry.tested if entry else None

    def _network(self, key: Sequence[str]) -> Architecture:
        return self.table.space.close({gene: (kept,) for gene, kept in zip(self.table.space.genes, key, strict=True)})

    def _digest(self, network: Architecture) -> str:
        if network not in self._digests:
            self._digests[network] = digest(network)
        return self._digests[network]

    # Caches, of what the table and the comparison determine.

    _digests: dict[Architecture, str] = field(default_factory=dict, init=False)

    @cached_property
    def _searching(self) -> Tabular:
        return Tabular(self.table)

    @cached_property
    def _testing(self) -> Tabular:
        return Tabular(self.table, final=True)

    @cached_property
    def _sizes(self) -> tuple[list[tuple[str, ...]], np.ndarray, np.ndarray]:
        entries: Sequence[Entry] = list(self.table.entries.values())
        sizes = np.array([(entry.parameters, entry.macs) for entry in entries], float)
        return list(self.table.entries), sizes[:, 0], sizes[:, 1]

    @cached_property
    def _task(self) -> Task:
        return task_of(self._any, dataset_of(self.table))

    @cached_property
    def _any(self) -> Study:
        return self.comparison.study(self.name, next(iter(self.comparison.contenders.values())), 0)

    @cached_property
    def _whole(self) -> Study:
        return replace(self._any, provenance=provenance(self._task))

    @cached_property
    def _benchmark(self) -> str:
        return benchmark(self._whole)

    @cached_property
    def _about(self) -> Mapping[str, str]:
        return about_of(self._whole.provenance) | {"device": DEVICE}


@dataclass
class Followed:
    """A store in memory, which follows what the search would choose: a point whenever that, or the best, changes."""

    algorithm: Algorithm
    clock: Callable[[], float]
    tested: Callable[[Architecture], float | None]
    memory: Memory = field(default_factory=Memory)
    best: float = -inf
    chosen: Architecture | None = None
    found: list[Point] = field(default_factory=list)
    last: Point | None = None

    def history(self, study: str) -> History:
        """Return what has been appended to a study."""
        return self.memory.history(study)

    def asked(self, study: str, proposal: Proposal) -> None:
        """Append a proposal."""
        self.memory.asked(study, proposal)

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        """Append an outcome, and see what the search would choose now."""
        self.memory.told(study, trial_id, outcome)
        history = self.memory.history(study)
        before, self.best = self.best, max(self.best, reached(history[trial_id]))
        chosen = self.algorithm.recommend(history)
        tested = None if chosen is None else self.tested(chosen)
        used = history.spent
        self.last = Point(len(history.finished), used.steps, used.flops, self.clock(), self.best, tested)
        if self.best > before or (chosen is not self.chosen and chosen != self.chosen):
            self.found.append(self.last)
        self.chosen = chosen

    def points(self) -> tuple[Point, ...]:
        """Return the points there are, and the last; none from before anything was measured."""
        ends = [self.last] if self.last and self.found and self.found[-1] != self.last else []
        return tuple(point for point in (*self.found, *ends) if point.best > -inf)
