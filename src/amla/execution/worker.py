"""The worker process: makes its evaluator, then evaluates the trials that it is sent, one after another.

Run as `python -m amla.execution.worker <requests> <answers> <parent>`: the numbers of two pipes and of the process
that started it. It ends with that process, whatever its trial is doing then.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
import time
from typing import BinaryIO

from amla.execution import wire
from amla.execution.work import attempt, evaluator, is_of_the_machine
from amla.trials.progress import Progress

GRACE = 1.0  # seconds that a worker without a parent has to end in good order
PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def main(requests: int, answers: int, parent: int) -> None:
    """Serve until the pipe `requests` ends."""
    for pipe in (requests, answers):
        os.set_inheritable(pipe, False)  # a program that a trial starts must not hold them open
    _end_with(parent, requests)
    with open(requests, "rb") as lines, open(answers, "wb") as out:
        _serve(lines, out)


def _serve(lines: BinaryIO, out: BinaryIO) -> None:
    def say(message: wire.Message) -> None:
        out.write(wire.message.dump_json(message, warnings="error") + b"\n")
        out.flush()

    def report(progress: Progress) -> None:
        say(wire.Line(progress=progress))

    start = wire.start.validate_json(lines.readline())
    try:
        if start.memory is not None:
            _limit_memory(start.memory)
        evaluate = evaluator(start.work)
        say(wire.Ready())
    except OSError as error:
        if not is_of_the_machine(error):
            raise
        say(wire.fault(error))
        return
    for line in lines:
        trial = wire.trial.validate_json(line)
        say(wire.Begun(trial=trial.id))
        try:
            say(wire.Answer(trial=trial.id, outcome=attempt(evaluate, trial, report, start.memory)))
        except OSError as error:
            say(wire.fault(error))


def _limit_memory(limit: int) -> None:
    """Bound the memory of this process where the system can; Linux does, others more or less."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _end_with(parent: int, requests: int) -> None:
    """End this process soon after its parent, even in the middle of a trial."""
    if sys.platform == "linux":
        # The thread below needs the interpreter's lock, which a trial may hold for long; the kernel does not.
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("The process that started this worker has ended.")
    threading.Thread(target=_watch, args=(requests,), daemon=True).start()


def _watch(requests: int) -> None:
    poll = select.poll()
    poll.register(requests, 0)  # no event but the hang-up, which is always told
    poll.poll()
    time.sleep(GRACE)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # and what the trial has started
    os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
