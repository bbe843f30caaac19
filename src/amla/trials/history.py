"""The history of a study: every trial asked for, in order, and the order in which they finished.

A History is a value; `asked` and `told` return a longer one. All histories of one growth share one record, and each
knows how much of it is its own, so that appending costs O(1) however long the history is. Appending the same twice to
one history gives the same; appending something else copies the record once: both results are right. Networks that are
equal are kept once, and so are the nodes that networks have in common.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar, cast, overload

import numpy as np
from numpy.random import Generator

from amla.spec.architecture import Architecture, Node
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId


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


S = TypeVar("S")


@dataclass
class _Record:
    """What histories share: only ever appended to."""

    proposals: list[Proposal] = field(default_factory=list)
    told: list[Trial] = field(default_factory=list)  # in the order in which they finished
    done: list[Trial] = field(default_factory=list)
    failed: list[Trial] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)  # by the first n told together, at place n - 1
    place: dict[TrialId, int] = field(default_factory=dict)  # of a trial in `told`
    running: dict[TrialId, None] = field(default_factory=dict)  # of the longest history, in order
    replays: dict[Hashable, tuple[int, Any]] = field(default_factory=dict)  # a cache: see History.replayed
    networks: dict[Architecture, Architecture] = field(default_factory=dict)  # those there are, each by itself
    nodes: dict[Node, Node] = field(default_factory=dict)  # of which they are made

    def sharing(self, proposal: Proposal) -> Proposal:
        """Return the same proposal, whose network is made of what there is already."""
        network = self.networks.get(proposal.architecture)
        if network is None:
            network = proposal.architecture.sharing(self.nodes)
            self.networks[network] = network
        return proposal if network is proposal.architecture else replace(proposal, architecture=network)


class History:
    """Every trial of a study so far. Sequence-like over trials in the order in which they were asked for."""

    def __init__(self) -> None:
        self._record = _Record()
        self._asked = self._told = self._done = 0
        self._branched: int | None = None  # after so many trials

    def asked(self, proposal: Proposal) -> "History":
        """Return this history with one more trial, which runs. Raises ValueError for a start that is no trial of it."""
        if proposal.start is not None and not 0 <= proposal.start < self._asked:
            raise ValueError(f"A proposal starts from trial {proposal.start}, but there are {self._asked} trials.")
        if self._asked < len(self._record.proposals) and self._record.proposals[self._asked] == proposal:
            return self._longer(asked=1)
        longer = self._grown()
        longer._record.proposals.append(longer._record.sharing(proposal))
        longer._record.running[self._asked] = None
        longer._asked += 1
        return longer

    def told(self, trial_id: TrialId, outcome: Outcome) -> "History":
        """Return this history with the outcome of a running trial. Raises ValueError for any other trial."""
        if not 0 <= trial_id < self._asked:
            raise ValueError(f"Trial {trial_id} was never asked for; there are {self._asked}.")
        if not self[trial_id].is_running:
            raise ValueError(f"Trial {trial_id} has already been told.")
        if self._told < len(self._record.told):
            next_one = self._record.told[self._told]
            if next_one.id == trial_id and next_one.outcome == outcome:
                return self._longer(told=1, done=isinstance(outcome, Measurement))
        longer = self._grown()
        record = longer._record
        trial = Trial(trial_id, record.proposals[trial_id], outcome)
        record.place[trial_id] = len(record.told)
        record.told.append(trial)
        record.spent.append(self.spent.and_by(trial))
        del record.running[trial_id]
        longer._told += 1
        if isinstance(outcome, Measurement):
            record.done.append(trial)
            longer._done += 1
        else:
            record.failed.append(trial)
        return longer

    def __len__(self) -> int:
        return self._asked

    def __getitem__(self, trial_id: TrialId) -> Trial:
        if not 0 <= trial_id < self._asked:
            raise IndexError(f"There is no trial {trial_id}; there are {self._asked}.")
        place = self._record.place.get(trial_id)
        if place is not None and place < self._told:
            return self._record.told[place]
        return Trial(trial_id, self._record.proposals[trial_id])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return tuple(self.trials) == tuple(other.trials) and tuple(self.finished) == tuple(other.finished)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<History of {len(self)}: {len(self.done)} done, {len(self.failed)} failed, {self.pending} running>"

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials, in the order in which they were asked for."""
        return _Trials(self)

    @property
    def finished(self) -> Sequence[Trial]:
        """The trials that are done or failed, in the order in which they finished."""
        return _First(self._record.told, self._told)

    @property
    def done(self) -> Sequence[Trial]:
        """The trials that have a measurement, in the order in which they finished."""
        return _First(self._record.done, self._done)

    @property
    def failed(self) -> Sequence[Trial]:
        """The trials that failed, in the order in which they finished."""
        return _First(self._record.failed, self._told - self._done)

    @property
    def pending(self) -> int:
        """How many trials run."""
        return self._asked - self._told

    @property
    def running(self) -> tuple[Trial, ...]:
        """The trials that run, in the order in which they were asked for."""
        if self._is_longest:
            return tuple(Trial(i, self._record.proposals[i]) for i in self._record.running)
        return tuple(trial for trial in self.trials if trial.is_running) if self.pending else ()

    @property
    def seconds(self) -> float:
        """The seconds of all finished trials together, failed ones too."""
        return self.spent.seconds

    @property
    def steps(self) -> int:
        """The optimiser steps of all trials that are done, together."""
        return self.spent.steps

    @property
    def flops(self) -> float:
        """The floating-point operations of training of all trials that are done, together, where they were counted."""
        return self.spent.flops

    @property
    def spent(self) -> Spent:
        """What all finished trials took together."""
        return self._record.spent[self._told - 1] if self._told else Spent()

    def lineage(self, trial: Trial) -> tuple[Trial, ...]:
        """Return `trial` and those whose weights it descends from, newest first."""
        legs = [trial]
        while (start := legs[-1].proposal.start) is not None:
            legs.append(self[start])
        return tuple(legs)

    def branch(self) -> "History":
        """Return an equal history with a record of its own: what is appended to it costs this one nothing."""
        other = History()
        other._record = self._copied()
        other._asked, other._told, other._done = self._asked, self._told, self._done
        other._branched = self._asked
        return other

    @property
    def real(self) -> int:
        """How many trials there are, but for those that were appended to a branch, which only a search has heard of."""
        return self._asked if self._branched is None else self._branched

    def replayed(self, key: Hashable, begin: Callable[[], S], step: Callable[[S, Trial], None]) -> S:
        """Return the state that `step` makes of the finished trials, one after another, from what `begin` returns.

        It is kept under `key` so that for a longer history only the trials since are taken in: a cache, which `begin`
        and `step` must determine alone. Read it, and change nothing in it.
        """
        count, state = self._record.replays.pop(key, (0, None))
        if state is None or count > self._told:
            count, state = 0, begin()
        for trial in self._record.told[count : self._told]:
            step(state, trial)
        self._record.replays[key] = (self._told, state)
        return cast("S", state)

    def rng(self, seed: int) -> Generator:
        """Return randomness for the next ask: the same history always gives the same numbers."""
        return np.random.default_rng((seed, self._asked, self._done, self._told - self._done))

    @property
    def _is_longest(self) -> bool:
        return self._asked == len(self._record.proposals) and self._told == len(self._record.told)

    def _longer(self, asked: int = 0, told: int = 0, done: int = 0) -> "History":
        """Return the history that has so much more of the same record."""
        longer = History.__new__(History)
        longer._record = self._record
        longer._asked, longer._told, longer._done = self._asked + asked, self._told + told, self._done + done
        longer._branched = self._branched
        return longer

    def _grown(self) -> "History":
        """Return a history equal to this one whose record ends where it does, ready to be appended to."""
        grown = History.__new__(History)
        grown._record = self._record if self._is_longest else self._copied()
        grown._asked, grown._told, grown._done = self._asked, self._told, self._done
        grown._branched = self._branched
        return grown

    def _copied(self) -> _Record:
        told = self._record.told[: self._told]
        return _Record(
            proposals=self._record.proposals[: self._asked],
            told=told,
            done=self._record.done[: self._done],
            failed=self._record.failed[: self._told - self._done],
            spent=self._record.spent[: self._told],
            place={trial.id: place for place, trial in enumerate(told)},
            running=dict.fromkeys(trial.id for trial in self.trials if trial.is_running),
            networks=self._record.networks,
            nodes=self._record.nodes,
        )


class _First(Sequence[Trial]):
    """The first `count` of a list that may have grown since."""

    def __init__(self, items: list[Trial], count: int) -> None:
        self._items, self._count = items, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Trial, ...]: ...
    def __getitem__(self, index: int | slice) -> Trial | tuple[Trial, ...]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._count)
            if step > 0:
                return tuple(self._items[start:stop:step])
            return tuple(self._items[i] for i in range(start, stop, step))
        return self._items[range(self._count)[index]]

    def __iter__(self) -> Iterator[Trial]:
        return (self._items[i] for i in range(self._count))


class _Trials(Sequence[Trial]):
    """All trials of a history."""

    def __init__(self, history: History) -> None:
        self._history = history

    def __len__(self) -> int:
        return len(self._history)

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Trial, ...]: ...
    def __getitem__(self, index: int | slice) -> Trial | tuple[Trial, ...]:
        if isinstance(index, slice):
            return tuple(self._history[i] for i in range(*index.indices(len(self))))
        return self._history[range(len(self))[index]]
