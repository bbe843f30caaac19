"""The worker by itself, at the end of two pipes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from faulty_work import trial, work

from amla.execution import wire
from amla.execution.wire import Start
from amla.trials.trial import Measurement

Pipes = tuple[subprocess.Popen[str], BinaryIO, BinaryIO]


@contextmanager
def worker(parent: int) -> Iterator[Pipes]:
    requests, to_worker = os.pipe()
    from_worker, answers = os.pipe()
    with (
        subprocess.Popen(
            [sys.executable, "-m", "amla.execution.worker", str(requests), str(answers), str(parent)],
            pass_fds=(requests, answers),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as process,
        open(to_worker, "wb", buffering=0) as out,
        open(from_worker, "rb") as lines,
    ):
        os.close(requests)
        os.close(answers)
        yield process, out, lines


def kind(line: bytes) -> str:
    return str(json.loads(line)["kind"])


def test_it_says_ready_begun_and_the_answer_and_ends_with_the_requests():
    with worker(os.getpid()) as (process, out, lines):
        out.write(wire.start.dump_json(Start(work(), None)) + b"\n")
        assert kind(lines.readline()) == "ready"
        for trial_id in range(2):
            out.write(wire.trial.dump_json(trial(trial_id)) + b"\n")
            assert kind(lines.readline()) == "begun"
            answer = wire.message.validate_json(lines.readline())
            assert isinstance(answer, wire.Answer)
            assert answer.trial == trial_id
        out.close()
        assert process.wait(20) == 0


def test_the_end_of_the_requests_ends_a_busy_one_too():
    with worker(os.getpid()) as (process, out, lines):
        out.write(wire.start.dump_json(Start(work(do0="hang"), None)) + b"\n")
        out.write(wire.trial.dump_json(trial(0)) + b"\n")
        assert [kind(lines.readline()) for _ in range(3)] == ["ready", "begun", "line"]
        out.close()
        assert process.wait(20) == -signal.SIGKILL


def test_one_whose_parent_is_gone_does_not_begin():
    with worker(parent=1 if os.getpid() != 1 else 2) as (process, _, lines):
        assert lines.read() == b""
        assert process.wait(20) == 1
        assert process.stderr
        assert "has ended" in process.stderr.read()


def test_odd_numbers_survive_the_wire():
    message = wire.Answer(trial=0, outcome=Measurement({"loss": float("inf")}, seconds=float("inf")))
    assert wire.message.validate_json(wire.message.dump_json(message)) == message
