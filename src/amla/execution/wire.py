"""What an executor and its worker processes say to each other: values, each a line of JSON.

A worker is told once how to Start, and then one Trial after another. It answers Ready once it has its evaluator; and
of every trial that it has Begun, some Lines, and last an Answer or a Fault. On another machine someone else starts
workers, and says in their stead what they say of a trial; or that they are Unable.
"""

import os
from dataclasses import field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from amla.execution.work import Work
from amla.spec.values import value
from amla.trials.progress import Progress
from amla.trials.trial import Outcome, Trial, TrialId


@value
class Start:
    """What a worker does, within how many bytes of memory."""

    work: Work
    memory: int | None


@value
class Ready:
    """The worker has its evaluator, and waits for a trial."""

    kind: Literal["ready"] = field(default="ready", kw_only=True)


@value
class Begun:
    """The worker has read a trial: from here on it is the trial that must answer for the worker's death."""

    kind: Literal["begun"] = field(default="begun", kw_only=True)
    trial: TrialId


@value
class Line:
    """A line of the learning curve."""

    kind: Literal["line"] = field(default="line", kw_only=True)
    progress: Progress


@value
class Answer:
    """The outcome of a trial."""

    kind: Literal["answer"] = field(default="answer", kw_only=True)
    trial: TrialId
    outcome: Outcome


@value
class Fault:
    """The machine is at fault; there is no outcome."""

    kind: Literal["fault"] = field(default="fault", kw_only=True)
    number: int
    message: str
    file: str | None


@value
class Unable:
    """No worker can be started; there is no outcome."""

    kind: Literal["unable"] = field(default="unable", kw_only=True)
    message: str


Message = Annotated[Ready | Begun | Line | Answer | Fault | Unable, Field(discriminator="kind")]

start: TypeAdapter[Start] = TypeAdapter(Start)
trial: TypeAdapter[Trial] = TypeAdapter(Trial)
message: TypeAdapter[Message] = TypeAdapter(Message, config=ConfigDict(ser_json_inf_nan="constants"))


def fault(error: OSError) -> Fault:
    """Return a Fault that can be written down, whatever is in the names of files."""
    message = error.strerror or str(error)
    return Fault(
        number=error.errno or 0,
        message=message.encode(errors="backslashreplace").decode(),
        file=None if error.filename is None else os.fsencode(error.filename).decode(errors="backslashreplace"),
    )
