"""Evaluators for the members of a crew."""

import errno
import json
import os

from faulty_work import evaluator

from amla.execution.work import Evaluate
from amla.trials.progress import Report
from amla.trials.trial import Measurement, Outcome, Trial


def meets(config: str) -> Evaluate:
    """Wait for the other member at the pipe "meeting"; `config` is the member's number."""

    def evaluate(trial: Trial, report: Report) -> Outcome:
        with open("meeting", "rb" if json.loads(config) else "wb"):
            return Measurement({"pid": float(os.getpid())})

    return evaluate


def without_disk_once(config: str) -> Evaluate:
    """Have no disk the first time; `config` names a file that remembers it."""
    path = json.loads(config)
    if os.path.exists(path):
        return evaluator("{}")
    open(path, "x").close()
    raise OSError(errno.EIO, "Input/output error: could not read", "/data/cifar10")
