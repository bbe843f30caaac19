"""The law of executors finds those that break it, and says how."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from amla.study.run import Executor
from amla.testing import check_executor, synthetic
from amla.trials.progress import silent
from amla.trials.trial import Failure, Measurement, Outcome, Trial, TrialId

Answers = list[tuple[TrialId, Outcome]]


@dataclass
class Queue:
    """An executor in this process that takes two trials, but for what `told` makes of the answers."""

    config: str
    told: Callable[[Answers], Answers] = lambda answers: answers
    spare: int = 0
    queue: list[Trial] = field(default_factory=list)

    @property
    def idle(self) -> int:
        return 2 - len(self.queue) + (self.spare if self.queue else 0)

    def submit(self, trial: Trial) -> None:
        self.queue.append(trial)

    def wait(self) -> Answers:
        trial, evaluate = self.queue.pop(0), synthetic(self.config)
        return self.told([(trial.id, evaluate(trial, silent))])


def test_a_queue_is_none_of_them():
    check_executor(Queue)
    check_executor(Queue, trials=1)
    check_executor(Queue, faults=())


@pytest.mark.parametrize(
    ("executor", "broken"),
    [
        (lambda config: Queue(config, lambda answers: answers * 2), "answered twice"),
        (lambda config: Queue(config, lambda answers: []), "wait came back with nothing"),
        (lambda config: Queue(config, lambda answers: [(7, answers[0][1])]), "answered without being submitted"),
        (lambda config: Queue(config, lambda answers: [(answers[0][0], Failure("crashed", ""))]), "shows no fault"),
        (lambda config: Queue(config, lambda answers: [(answers[0][0], Measurement({}))]), "was measured as"),
        (lambda config: Queue("{}"), "shows 'fail' and should fail, diverged"),
        (lambda config: Queue(config, spare=1), "1 trials run of 2 that can, but idle is 2"),
        (lambda config: Queue(config, spare=-2), "1 trials run of 2 that can, but idle is -1"),
    ],
)
def test_an_executor_that_miscounts_is_found(executor: Callable[[str], Executor], broken: str):
    with pytest.raises(AssertionError, match=broken):
        check_executor(executor)


def test_an_executor_without_room_is_found():
    with pytest.raises(AssertionError, match="Nothing runs, but idle is 0"):
        check_executor(lambda config: Queue(config, queue=[Trial(0, None)] * 2))
