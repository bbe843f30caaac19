"""What an executor does with a trial wherever it runs: make an evaluator, evaluate, and call failures by their name."""

import errno
import importlib
import json
import re
import traceback
from collections.abc import Callable
from time import monotonic
from typing import cast

from pydantic import TypeAdapter

from amla.spec.values import value
from amla.trials.progress import Report
from amla.trials.trial import Failure, FailureKind, Outcome, Trial


class WorkerError(RuntimeError):
    """Worker processes that cannot be started, or do not live to begin a trial."""


Evaluate = Callable[[Trial, Report], Outcome]

_ADDRESS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_MESSAGE = 4_000  # characters of a failure's message that are kept
_MACHINE = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EACCES", "EMFILE", "ENFILE", "ENODEV", "ENXIO", "ESTALE")
    if hasattr(errno, name)
)
_MEMORY = (  # what libraries and kernels say where there is no MemoryError
    "can't allocate memory",  # torch, on the CPU
    "cannot allocate memory",  # the C library
    "memory allocation",  # OpenBLAS, and Rust
    "out of memory",  # CUDA
    "bad_alloc",  # C++
    "resource_exhausted",  # XLA
    "memoryerror",  # Python, when it is the last that a process wrote
    "returned null without setting an exception",  # Python, where memory ends within its compiler
    "failed to map segment",  # the dynamic linker
)
_outcome: TypeAdapter[Outcome] = TypeAdapter(Outcome)


@value
class Work:
    """How a worker process makes its evaluator: the function at `factory`, called with the text `config`.

    `factory` is an address such as "amla.testing:synthetic"; `config` is JSON.
    """

    factory: str
    config: str = "{}"

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.factory):
            raise ValueError(f"{self.factory!r} is no address of a function; write 'package.module:function'.")
        try:
            json.loads(self.config)
        except ValueError as error:
            raise ValueError(f"The config of {self.factory!r} is no JSON ({error}): {self.config[:80]!r}.") from None


def evaluator(work: Work) -> Evaluate:
    """Return what `work` describes, ready to evaluate. Raises whatever the import or the factory raises."""
    module, _, name = work.factory.partition(":")
    return cast("Evaluate", getattr(importlib.import_module(module), name)(work.config))


def attempt(evaluate: Evaluate, trial: Trial, report: Report, memory: int | None = None) -> Outcome:
    """Return the outcome of `trial`; an exception is a Failure. `memory` is the limit in bytes, named if it was hit.

    Raises OSError where the machine is at fault and not the trial: a full or broken disk, a lack of permission. No
    other trial would fare better, and this one can be tried again.
    """
    began = monotonic()
    try:
        outcome = evaluate(trial, report)
        _outcome.dump_json(outcome, warnings="error")  # what cannot be written down is no outcome
        return outcome
    except Exception as error:
        if is_of_the_machine(error):
            raise
        spent = monotonic() - began
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError | OSError) and is_of_memory(str(error))):
            traceback.clear_frames(error.__traceback__)  # what filled the memory goes before the message is made
            bound = f" (the limit is {memory:,} bytes)" if memory else ""
            return failure("out_of_memory", f"{_told(error)}{bound}", spent)
        return failure("crashed", _told(error), spent)


def failure(reason: FailureKind, message: str, seconds: float) -> Failure:
    """Return a Failure whose message can be written down, however it came about."""
    shown = message if len(message) <= _MESSAGE else f"{message[: _MESSAGE - 4]} ..."
    return Failure(reason, shown.encode(errors="backslashreplace").decode(), seconds)


def is_of_the_machine(error: Exception) -> bool:
    """Return whether `error` is a fault of the machine, which every other trial would run into as well."""
    return isinstance(error, OSError) and error.errno in _MACHINE


def is_of_memory(text: str) -> bool:
    """Return whether `text`, from an exception or the last words of a process, speaks of a lack of memory."""
    return any(phrase in text.lower() for phrase in _MEMORY)


def _told(error: Exception) -> str:
    """Return "<type>: <message> (<file>:<line>)", the place being where it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({where[0].filename}:{where[0].lineno})" if where else ""
    return f"{type(error).__name__}: {error}{place}"
