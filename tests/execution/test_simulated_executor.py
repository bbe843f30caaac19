"""Imagined workers finish in the order of their seconds, and a search by several of them is replayed exactly."""

import pytest
from faulty_work import trial

from amla.execution.simulated import SimulatedExecutor, begun
from amla.storage.memory import Memory
from amla.study.run import Limit, run
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal, Trial

SECONDS = [5.0, 1.0, 3.0, 1.0, 2.0, 2.0, 4.0, 0.5, 2.5, 1.0]


def timed(trial: Trial, report: object) -> Measurement:
    return Measurement({"accuracy": 0.5}, seconds=SECONDS[trial.id])


class Endless:
    """Asks for the same network again and again."""

    def ask(self, history: History) -> Proposal:
        return trial(0).proposal

    def recommend(self, history: History) -> None:
        return None


def test_trials_end_in_the_order_of_their_seconds():
    executor = SimulatedExecutor(timed, 3)
    for number in range(3):
        executor.submit(trial(number))
    ends = []
    while found := executor.wait():
        ends.append((found[0][0], executor.clock))
    assert ends == [(1, 1.0), (2, 3.0), (0, 5.0)]


def test_trials_that_end_at_once_are_answered_as_they_began():
    executor = SimulatedExecutor(lambda trial, report: Measurement({}, seconds=1.0), 3)
    for number in (2, 0, 1):
        executor.submit(trial(number))
    assert [executor.wait()[0][0] for _ in range(3)] == [0, 1, 2]


def test_a_worker_begins_when_it_is_free():
    history = run("x", Endless(), SimulatedExecutor(timed, 2), Memory(), Limit(len(SECONDS)))
    assert [done.id for done in history.done] == by_hand(2)


def by_hand(workers: int) -> list[int]:
    """Return the order of ends, counted half second by half second."""
    ends, order, now, begun = dict[int, float](), list[int](), 0.0, 0
    while len(order) < len(SECONDS):
        for number in sorted(number for number, end in ends.items() if end == now):
            order.append(number)
            del ends[number]
        while len(ends) < workers and begun < len(SECONDS):
            ends[begun] = now + SECONDS[begun]
            begun += 1
        now += 0.5
    return order


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("events", range(1, 2 * len(SECONDS)))
def test_a_search_that_was_cut_off_goes_on_as_if_it_had_not_been(workers: int, events: int):
    class CutOff(Memory):
        left = events

        def asked(self, study: str, proposal: Proposal) -> None:
            self._count()
            super().asked(study, proposal)

        def told(self, study: str, trial_id: int, outcome: object) -> None:
            self._count()
            super().told(study, trial_id, outcome)

        def _count(self) -> None:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1

    whole = SimulatedExecutor(timed, workers)
    expected = run("x", Endless(), whole, Memory(), Limit(len(SECONDS)))
    store = CutOff()
    with pytest.raises(KeyboardInterrupt):
        run("x", Endless(), SimulatedExecutor(timed, workers), store, Limit(len(SECONDS)))
    store.left = 99
    again = SimulatedExecutor(timed, workers, history=store.history("x"))
    assert run("x", Endless(), again, store, Limit(len(SECONDS))) == expected
    assert again.clock == whole.clock


def test_what_ran_on_more_workers_can_go_on_on_fewer():
    history = History()
    for number in range(4):
        history = history.asked(trial(number).proposal)
    history = history.told(3, Measurement({}, seconds=2.0))
    starts, now = begun(history, 1)
    assert now == 2.0
    assert starts.keys() == {0, 1, 2}


def test_an_evaluator_that_breaks_is_a_failure():
    executor = SimulatedExecutor(lambda trial, report: 1 / 0)
    executor.submit(trial(0))
    ((_, outcome),) = executor.wait()
    assert isinstance(outcome, Failure)


def test_more_trials_than_workers_are_refused():
    executor = SimulatedExecutor(timed)
    executor.submit(trial(0))
    with pytest.raises(RuntimeError, match="call wait"):
        executor.submit(trial(1))
    with pytest.raises(ValueError, match="workers is 0"):
        SimulatedExecutor(timed, 0)
