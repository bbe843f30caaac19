import errno

import pytest
from faulty_work import trial

from amla.execution.inline import InlineExecutor
from amla.trials.progress import Progress
from amla.trials.trial import Failure, Measurement


def test_a_trial_runs_when_it_is_waited_for():
    ran = []
    executor = InlineExecutor(lambda trial, report: ran.append(trial.id) or Measurement({}))
    executor.submit(trial(7))
    assert (ran, executor.idle) == ([], 0)
    assert executor.wait() == [(7, Measurement({}))]
    assert (ran, executor.idle) == ([7], 1)
    assert executor.wait() == []


def test_progress_is_reported():
    line, heard = Progress(0, 1, 10, 0.5, 0.5, 0.1, 0.0), []

    def evaluate(trial, report):
        report(line)
        return Measurement({})

    executor = InlineExecutor(evaluate, heard.append)
    executor.submit(trial(0))
    executor.wait()
    assert heard == [line]


def test_a_second_trial_is_refused():
    executor = InlineExecutor(lambda trial, report: Measurement({}))
    executor.submit(trial(0))
    with pytest.raises(RuntimeError, match="call wait"):
        executor.submit(trial(1))


def test_a_failure_does_not_stop_it():
    def evaluate(trial, report):
        return 1 / 0

    executor = InlineExecutor(evaluate)
    for trial_id in range(2):
        executor.submit(trial(trial_id))
        ((_, outcome),) = executor.wait()
        assert isinstance(outcome, Failure)
        assert outcome.message.startswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("stop", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_trial_that_was_stopped_from_outside_can_be_tried_again(stop):
    stops = [stop]

    def evaluate(trial, report):
        if stops:
            raise stops.pop()
        return Measurement({})

    executor = InlineExecutor(evaluate)
    executor.submit(trial(0))
    with pytest.raises(type(stop)):
        executor.wait()
    assert executor.idle == 0
    assert executor.wait() == [(0, Measurement({}))]
