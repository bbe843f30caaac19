"""What a scheduler says: values, each a JSON document. The client reads what the server writes."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from amla.spec.values import value
from amla.study.result import Scored
from amla.trials.trial import Outcome, Proposal, Trial, TrialId

State = Literal["created", "queued", "running", "stopping", "stopped", "failed", "done"]
OVER: tuple[State, ...] = ("created", "stopped", "failed", "done")  # nothing more comes unless somebody asks for it
LARGEST_STUDY = 1 << 20  # bytes


@value
class Found:
    """What a study that is done has found; `accuracy` on the test part, with its 95 % interval, where it is of classes.

    `scored` is the metric that it was chosen by, where that is another one: always, where numbers are predicted.

    `shape` is that of an example, (channels, *spatial); empty in records of before it was kept.
    """

    accuracy: float | None
    low: float | None
    high: float | None
    examples: int
    parameters: int
    macs: int
    steps: int
    search_seconds: float
    final_seconds: float
    shape: tuple[int, ...] = ()
    scored: Scored | None = None


@value
class Count:
    """How many trials of a phase have been asked for, and how many of them are over."""

    asked: int
    told: int


@value
class Standing:
    """A study on a server: what it is called there, how far it is, and what it has found.

    `why` says what a failed one failed of, or what a queued one waits for. `created` is in seconds since 1970, `trace`
    what its lines in all journals have in common. `phases` is empty in a list.
    """

    key: str
    name: str
    state: State
    created: float
    trace: str
    why: str | None = None
    phases: Mapping[str, Count] = field(default_factory=dict)
    found: Found | None = None

    @property
    def is_over(self) -> bool:
        """Whether it does nothing more unless somebody asks for it."""
        return self.state in OVER


@value
class Standings:
    """The studies of a server, newest first, from some number on; `total` is how many there are."""

    studies: tuple[Standing, ...]
    total: int


@value
class Past:
    """A trial, and which events of its phase asked for it and told its outcome: they are numbered from 0."""

    trial: Trial
    asked: int
    told: int | None


@value
class Page:
    """Trials of a phase, by number; `total` is how many there are."""

    phase: str
    trials: tuple[Past, ...]
    total: int


@value
class Happened:
    """An event of a study: a trial was asked for, or its outcome told."""

    phase: str
    sequence: int
    trial: TrialId
    proposal: Proposal | None = None
    outcome: Outcome | None = None


@value
class Artifact:
    """A file of a run folder; `changed` is in seconds since 1970."""

    name: str
    size: int
    changed: float


@value
class Artifacts:
    """The files of a run folder."""

    artifacts: tuple[Artifact, ...]
