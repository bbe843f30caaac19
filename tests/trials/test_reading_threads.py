"""One thread appends to a record while others read: at every line of either, each history reads as it should."""

import sys
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials import record
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId

NETWORK = Architecture((Node("x", ops.Input((2, 8))),))


def proposal(seed: int) -> Proposal:
    return Proposal(NETWORK, 1, seed=seed)


def outcome(trial_id: TrialId) -> Outcome:
    return Measurement({"accuracy": trial_id / 10}, seconds=1.0) if trial_id % 2 else Failure("crashed", "", 1.0)


def begun() -> History:
    """Return a history of six trials, of which 0, 1 and 2 are over."""
    history = History()
    for seed in range(6):
        history = history.asked(proposal(seed))
    for trial_id in range(3):
        history = history.told(trial_id, outcome(trial_id))
    return history


def read(history: History) -> object:
    return (
        list(history.trials),
        list(history.finished),
        list(history.done),
        list(history.failed),
        list(history.running),
        history.spent,
        history.replayed("ids", list[TrialId], lambda ids, trial: ids.append(trial.id)).copy(),
    )


EXPECTED = (
    [Trial(n, proposal(n), outcome(n) if n < 3 else None) for n in range(6)],
    [Trial(n, proposal(n), outcome(n)) for n in range(3)],
    [Trial(1, proposal(1), outcome(1))],
    [Trial(n, proposal(n), outcome(n)) for n in (0, 2)],
    [Trial(n, proposal(n)) for n in range(3, 6)],
    (3.0, 1, 0.0),
    [0, 1, 2],
)


def between(
    line: int, history: History, run: Callable[[History], object], meanwhile: Callable[[History], object]
) -> tuple[object, list[object]]:
    """Return what `run` returns, and `meanwhile` before that line of the history and its record, if it has it."""
    passed, before, found = 0, sys.gettrace(), list[object]()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal passed
        if not frame.f_code.co_filename.endswith(("trials/record.py", "trials/history.py")):
            return None
        if event == "line":
            passed += 1
            if passed == line:
                sys.settrace(None)
                found.append(meanwhile(history))
                sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        return run(history), found
    finally:
        sys.settrace(before)


def asks(history: History) -> None:
    history.asked(proposal(6))


def tells(history: History) -> None:
    history.told(4, outcome(4))


@pytest.mark.parametrize("newest", [record.NEWEST, 1])
@pytest.mark.parametrize("append", [asks, tells])
def test_whoever_reads_while_another_appends_reads_what_there_was(
    append: Callable[[History], None], newest: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(record, "NEWEST", newest)
    for line in count(1):
        history = begun()
        _, seen = between(line, history, append, read)
        assert read(history) == EXPECTED
        if not seen:
            assert line > 10
            return
        assert seen == [EXPECTED], f"read before line {line}"


@pytest.mark.parametrize("append", [asks, tells])
def test_whoever_appends_while_another_reads_changes_nothing_of_what_is_read(append: Callable[[History], None]):
    for line in count(1):
        found, appended = between(line, begun(), read, append)
        assert found == EXPECTED, f"appended to before line {line}"
        if not appended:
            assert line > 40
            return
