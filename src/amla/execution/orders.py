"""What a driver and a worker service say to each other over HTTP: values, each a JSON object.

A driver asks for the Capacity of a service. It posts an Order, whose key is its own digest, and then asks for its
Status until it is over. Weights travel besides, as the bytes of a snapshot named by their digest.
"""

from collections.abc import Mapping
from dataclasses import field
from hashlib import sha256
from re import fullmatch
from typing import Any, Literal

from pydantic import TypeAdapter

from amla.spec.values import value
from amla.trials.progress import Progress
from amla.trials.trial import Outcome, Trial

KEY = "Idempotency-Key"  # a header
DIGEST = r"[0-9a-f]{64}"  # SHA-256, in hexadecimal
RUN = r"[0-9a-f]{32}"
PHASE = r"[a-z]{1,20}"

State = Literal["running", "done", "unable"]


@value
class Capacity:
    """How many trials a worker service runs at once, and how many more it would take now."""

    slots: int
    free: int
    version: Literal[1] = 1


@value
class Kept:
    """A snapshot that a worker service keeps: its digest, and how many bytes it has."""

    digest: str
    bytes: int


@value
class Order:
    """A trial, with all that a worker service must know of it.

    `run` is random, one for each run folder: trials of the same number in other runs are others. `phase` and `task` say
    what is to be learned, `task` as the kind of worker understands it. `start` is the digest of the snapshot of
    `trial.proposal.start`. The trial is to compute with `threads` (None: as the service likes), and to be ended after
    `seconds`, or beyond `memory` bytes.
    """

    run: str
    phase: str
    task: Mapping[str, Any]
    trial: Trial
    start: str | None = None
    threads: int | None = None
    seconds: float | None = None
    memory: int | None = None
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        for name, text, rule in (
            ("run", self.run, RUN),
            ("phase", self.phase, PHASE),
            ("start", self.start, DIGEST),
        ):
            if text is not None and not fullmatch(rule, text):
                raise ValueError(f"{name} is {text[:80]!r}; it must match {rule}.")
        if (self.start is None) != (self.trial.proposal.start is None):
            raise ValueError("start must be given if, and only if, trial.proposal.start is.")
        if self.trial.outcome is not None:
            raise ValueError("trial.outcome is given; a trial that is to run has none.")
        for name, number in (("threads", self.threads), ("seconds", self.seconds), ("memory", self.memory)):
            if number is not None and not 0 < number < float("inf"):
                raise ValueError(f"{name} is {number}; it must be more than 0, and finite.")


@value
class Status:
    """What has become of an order: a trial that is `running`, or `done`, or for which the service is `unable`.

    `lines` are those of the learning curve from the number that was asked for on, and `next` is the number of the line
    after them. `outcome` comes with `done`, `snapshot` too if the trial's weights are kept; `message` with `unable`:
    why this service cannot run it, though another one may.
    """

    id: str
    state: State = "running"
    lines: tuple[Progress, ...] = ()
    next: int = field(default=0)
    outcome: Outcome | None = None
    snapshot: Kept | None = None
    message: str = ""


capacity: TypeAdapter[Capacity] = TypeAdapter(Capacity)
order: TypeAdapter[Order] = TypeAdapter(Order)
status: TypeAdapter[Status] = TypeAdapter(Status)


def key(body: bytes) -> str:
    """Return the key of an order: whoever sends the same one again sends the same key."""
    return sha256(body).hexdigest()
