"""The history of a study: every trial asked for, in order, and the order in which they finished.

A History is a value; `asked` and `told` return a longer one. All histories of one growth share one record, and each
knows how much of it is its own, so that appending costs O(1) however long the history is. Appending the same twice to
one history gives the same; appending something else copies the record once: both results are right. Networks that are
in use and equal are there once, and so are the nodes that networks have in common. Of a long history the older trials
are packed (`amla.trials.record`): equal each time they are read, but not the same objects.
"""

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar, cast, overload

import numpy as np
from numpy.random import Generator

from amla.trials.record import Record, Spent
from amla.trials.trial import Measurement, Outcome, Proposal, Trial, TrialId

S = TypeVar("S")


class History:
    """Every trial of a study so far. Sequence-like over trials in the order in which they were asked for."""

    def __init__(self) -> None:
        self._record = Record()
        self._asked = self._told = self._done = 0
        self._branched: int | None = None  # after so many trials

    def asked(self, proposal: Proposal) -> "History":
        """Return this history with one more trial, which runs. Raises ValueError for a start that is no trial of it."""
        if proposal.start is not None and not 0 <= proposal.start < self._asked:
            raise ValueError(f"A proposal starts from trial {proposal.start}, but there are {self._asked} trials.")
        if self._asked < len(self._record.places) and self._record.proposal(self._asked) == proposal:
            return self._longer(asked=1)
        longer = self._grown()
        longer._record.ask(proposal)
        longer._asked += 1
        return longer

    def told(self, trial_id: TrialId, outcome: Outcome) -> "History":
        """Return this history with the outcome of a running trial. Raises ValueError for any other trial."""
        if not 0 <= trial_id < self._asked:
            raise ValueError(f"Trial {trial_id} was never asked for; there are {self._asked}.")
        if self._is_over(trial_id):
            raise ValueError(f"Trial {trial_id} has already been told.")
        if self._told < len(self._record.over):
            next_one = self._record.trial(self._told)
            if next_one.id == trial_id and next_one.outcome == outcome:
                return self._longer(told=1, done=isinstance(outcome, Measurement))
        longer = self._grown()
        longer._record.tell(trial_id, outcome)
        longer._told += 1
        longer._done += isinstance(outcome, Measurement)
        return longer

    def __len__(self) -> int:
        return self._asked

    def __getitem__(self, trial_id: TrialId) -> Trial:
        if not 0 <= trial_id < self._asked:
            raise IndexError(f"There is no trial {trial_id}; there are {self._asked}.")
        if self._is_over(trial_id):
            return self._record.trial(self._record.places[trial_id])
        return Trial(trial_id, self._record.proposal(trial_id))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        if self._record is other._record and (self._asked, self._told) == (other._asked, other._told):
            return True  # also where a NaN, which equals no other, is read twice
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
        return _First(self._record, range(self._told), self._told)

    @property
    def done(self) -> Sequence[Trial]:
        """The trials that have a measurement, in the order in which they finished."""
        return _First(self._record, self._record.done, self._done)

    @property
    def failed(self) -> Sequence[Trial]:
        """The trials that failed, in the order in which they finished."""
        return _First(self._record, self._record.failed, self._told - self._done)

    @property
    def pending(self) -> int:
        """How many trials run."""
        return self._asked - self._told

    @property
    def running(self) -> tuple[Trial, ...]:
        """The trials that run, in the order in which they were asked for."""
        running = tuple(self._record.running.items())  # at once, and before it is seen that nothing was told since
        if self._told == len(self._record.over):
            return tuple(Trial(trial_id, proposal) for trial_id, proposal in running if trial_id < self._asked)
        return tuple(self[i] for i in range(self._asked) if not self._is_over(i)) if self.pending else ()

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
        return self._record.spent(self._told)

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
        other._branched = self.real
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
        for place in range(count, self._told):
            step(state, self._record.trial(place))
        self._record.replays[key] = (self._told, state)
        return cast("S", state)

    def rng(self, seed: int) -> Generator:
        """Return randomness for the next ask: the same history always gives the same numbers."""
        return np.random.default_rng((seed, self._asked, self._done, self._told - self._done))

    @property
    def _is_longest(self) -> bool:
        return self._asked == len(self._record.places) and self._told == len(self._record.over)

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

    def _copied(self) -> Record:
        return self._record.first(self._asked, self._told, self._done)

    def _is_over(self, trial_id: TrialId) -> bool:
        return 0 <= self._record.places[trial_id] < self._told


class _First(Sequence[Trial]):
    """The trials at the first `count` of some places, which may be more since."""

    def __init__(self, record: Record, places: "array[int] | range", count: int) -> None:
        self._record, self._places, self._count = record, places, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Trial, ...]: ...
    def __getitem__(self, index: int | slice) -> Trial | tuple[Trial, ...]:
        if isinstance(index, slice):
            return tuple(self._record.trial(self._places[i]) for i in range(*index.indices(self._count)))
        return self._record.trial(self._places[range(self._count)[index]])

    def __iter__(self) -> Iterator[Trial]:
        return (self._record.trial(self._places[i]) for i in range(self._count))


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
