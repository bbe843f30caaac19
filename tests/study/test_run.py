from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.algorithms.fixed import Fixed
from amla.algorithms.nac import Nac
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.spaces.envelope import envelope
from amla.study.run import Limit, run
from amla.testing import Synthetic, check_executor, check_store, synthetic
from amla.trials.history import History
from amla.trials.progress import silent
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId

ENVELOPE = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(3,), branches=("1x1", "3x3"))
NETWORKS = tuple(ENVELOPE.space.sample(np.random.default_rng(seed)) for seed in range(4))
LANDSCAPE = Synthetic(seconds=1.0)
NO_LIMIT = Limit()


class CutOff(Exception):
    """The power went."""


@dataclass
class Memory:
    """A store that keeps histories and the names of events; the power goes once it has `most` of these."""

    most: int | None = None
    histories: dict[str, History] = field(default_factory=dict)
    events: list[tuple[str, TrialId]] = field(default_factory=list)

    def history(self, study: str) -> History:
        return self.histories.get(study, History())

    def asked(self, study: str, proposal: Proposal) -> None:
        self._note("asked", len(self.history(study)))
        self.histories[study] = self.history(study).asked(proposal)

    def told(self, study: str, trial_id: TrialId, outcome: Outcome) -> None:
        longer = self.history(study).told(trial_id, outcome)
        self._note("told", trial_id)
        self.histories[study] = longer

    def _note(self, kind: str, trial_id: TrialId) -> None:
        if self.most is not None and len(self.events) >= self.most:
            raise CutOff
        self.events.append((kind, trial_id))


@dataclass
class Inline:
    """An executor that runs a trial when it is waited for: of the `workers` it has, the one that `turn` says."""

    evaluate: Callable[[Trial], Outcome] = LANDSCAPE.evaluate
    workers: int = 1
    turn: Callable[[int], int] = lambda running: 0
    batch: int = 1
    running: deque[Trial] = field(default_factory=deque)
    submitted: list[TrialId] = field(default_factory=list)
    most: int = 0

    @property
    def idle(self) -> int:
        return self.workers - len(self.running)

    def submit(self, trial: Trial) -> None:
        assert self.idle > 0
        self.running.append(trial)
        self.submitted.append(trial.id)
        self.most = max(self.most, len(self.running))

    def wait(self) -> Iterable[tuple[TrialId, Outcome]]:
        assert self.running
        for _ in range(min(self.batch, len(self.running))):
            trial = self.running[self.turn(len(self.running))]
            self.running.remove(trial)
            yield trial.id, self.evaluate(trial)


def searches() -> dict[str, Algorithm]:
    return {
        "random": RandomSearch(ENVELOPE.space, 5, trials=6),
        "nac": Nac(ENVELOPE, steps=5, iterations=3),
        "fixed": Fixed(NETWORKS, 5),
    }


def fails(trial: Trial) -> Outcome:
    return Failure("crashed", "killed", seconds=2.0) if trial.id % 2 else LANDSCAPE.evaluate(trial)


def test_the_store_and_the_executor_of_these_tests_are_lawful():
    store = Memory()
    check_store(lambda: store)
    check_executor(lambda config: Inline(lambda trial: synthetic(config)(trial, silent), workers=3, batch=2))


@pytest.mark.parametrize("name", searches())
def test_a_search_runs_to_its_end_and_is_written_down(name: str):
    store = Memory()
    history = run("s", searches()[name], Inline(), store, NO_LIMIT)
    assert len(history) == len(history.done) > 1
    assert store.history("s") == history
    assert searches()[name].ask(history) is None


def test_a_trial_is_asked_written_submitted_and_told():
    store, executor = Memory(), Inline()
    history = run("s", Fixed(NETWORKS[:2], 5), executor, store, NO_LIMIT)
    assert store.events == [("asked", 0), ("told", 0), ("asked", 1), ("told", 1)]
    assert executor.submitted == [0, 1]
    assert history[1].outcome == LANDSCAPE.evaluate(history[1])


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_all_workers_are_kept_busy(workers: int):
    executor = Inline(workers=workers)
    history = run("s", RandomSearch(ENVELOPE.space, 5, trials=6), executor, Memory(), NO_LIMIT)
    assert executor.most == min(workers, 6)
    assert len(history.done) == 6


def test_an_algorithm_that_waits_is_asked_again():
    executor = Inline(workers=4)
    history = run("s", Nac(ENVELOPE, steps=5, iterations=3), executor, Memory(), NO_LIMIT)
    assert executor.most == 1
    assert len(history.done) == 3


def test_trials_are_told_in_the_order_in_which_they_finish():
    executor = Inline(workers=3, turn=lambda running: running - 1, batch=2)
    history = run("s", Fixed(NETWORKS, 5), executor, Memory(), NO_LIMIT)
    assert [trial.id for trial in history.finished] == [2, 1, 3, 0]


def test_failures_are_written_down_and_the_search_goes_on():
    history = run("s", RandomSearch(ENVELOPE.space, 5, trials=6), Inline(fails), Memory(), NO_LIMIT)
    assert (len(history.done), len(history.failed)) == (3, 3)


def test_two_studies_in_one_store_do_not_mix():
    store = Memory()
    one = run("one", Fixed(NETWORKS[:2], 5), Inline(), store, NO_LIMIT)
    other = run("other", Fixed(NETWORKS[2:], 5), Inline(), store, NO_LIMIT)
    assert (store.history("one"), store.history("other")) == (one, other)


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_trials_than_the_limit(workers: int):
    history = run("s", RandomSearch(ENVELOPE.space, 5), Inline(workers=workers), Memory(), Limit(trials=4))
    assert (len(history), history.pending) == (4, 0)


def test_no_trial_is_asked_for_after_the_limit_of_seconds():
    history = run("s", RandomSearch(ENVELOPE.space, 5), Inline(fails), Memory(), Limit(seconds=4.0))
    assert [trial.outcome.seconds for trial in history.finished if trial.outcome] == [1.0, 2.0, 1.0]
    assert history.seconds == 4.0


def test_what_runs_at_the_limit_is_waited_for():
    history = run("s", RandomSearch(ENVELOPE.space, 5), Inline(workers=3), Memory(), Limit(seconds=1.0))
    assert len(history.done) == 3


@pytest.mark.parametrize(
    ("limit", "reached"),
    [
        (Limit(), False),
        (Limit(trials=3), False),
        (Limit(trials=2), True),
        (Limit(trials=0), True),
        (Limit(seconds=1.6), False),
        (Limit(seconds=1.5), True),
        (Limit(trials=9, seconds=1.0), True),
        (Limit(trials=1, seconds=9.0), True),
    ],
)
def test_a_limit_is_reached_by_trials_asked_for_or_seconds_told(limit: Limit, reached: bool):
    history = History().asked(Proposal(NETWORKS[0], 5)).asked(Proposal(NETWORKS[1], 5))
    history = history.told(1, Measurement({}, seconds=1.5))
    assert limit.reached(history) == reached


def test_a_larger_limit_goes_on_where_a_smaller_one_ended():
    store = Memory()
    for trials in (0, 2, 2, 5):
        cut = run("s", RandomSearch(ENVELOPE.space, 5), Inline(), store, Limit(trials=trials))
        assert len(cut) == trials
    assert cut == run("s", RandomSearch(ENVELOPE.space, 5), Inline(), Memory(), Limit(trials=5))


@pytest.mark.parametrize("name", searches())
def test_cut_off_at_any_event_and_resumed_is_the_same_as_never_cut_off(name: str):
    whole = Memory()
    run("s", searches()[name], Inline(), whole, NO_LIMIT)
    for most in range(len(whole.events)):
        store = Memory(most)
        with pytest.raises(CutOff):
            run("s", searches()[name], Inline(), store, NO_LIMIT)
        store.most = None
        assert run("s", searches()[name], Inline(), store, NO_LIMIT) == whole.history("s")
        assert store.events == whole.events


@settings(deadline=None, max_examples=25)
@given(
    cuts=st.lists(st.integers(0, 6), max_size=6),
    workers=st.lists(st.integers(1, 4), min_size=7, max_size=7),
    order=st.randoms(use_true_random=False),
)
def test_whatever_is_cut_off_every_trial_is_told_once(cuts: list[int], workers: list[int], order: object):
    """Each time the machine has another number of workers, too: fewer, perhaps, than trials that ran."""
    store, turn = Memory(), lambda running: order.randrange(running)
    for more, count in zip(cuts, workers, strict=False):
        store.most = len(store.events) + more
        try:
            run("s", RandomSearch(ENVELOPE.space, 5, trials=8), Inline(fails, count, turn), store, NO_LIMIT)
        except CutOff:
            continue
        break
    store.most = None
    history = run("s", RandomSearch(ENVELOPE.space, 5, trials=8), Inline(fails, workers[-1], turn), store, NO_LIMIT)
    assert sorted(store.events) == [(kind, number) for kind in ("asked", "told") for number in range(8)]
    assert [trial.outcome for trial in history.trials] == [fails(trial) for trial in history.trials]


def test_trials_left_running_are_submitted_again_first_and_not_asked_for_again():
    store, executor = Memory(), Inline(workers=2)
    for network in NETWORKS[:3]:
        store.asked("s", Proposal(network, 5))
    history = run("s", Fixed(NETWORKS, 5), executor, store, NO_LIMIT)
    assert executor.submitted == [0, 1, 2, 3]
    assert len(history.done) == 4
    assert store.events[3:] == [("told", 0), ("told", 1), ("asked", 3), ("told", 2), ("told", 3)]


def test_a_finished_study_asks_for_nothing_more():
    store, executor = Memory(), Inline()
    history = run("s", Fixed(NETWORKS, 5), Inline(), store, NO_LIMIT)
    assert run("s", Fixed(NETWORKS, 5), executor, store, NO_LIMIT) == history
    assert executor.submitted == []
