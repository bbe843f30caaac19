"""A trial: one leg of training or scoring, asked for by an algorithm and answered by a measurement or a failure."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions
from amla.spec.values import Number, SpecError, value

TrialId = int
Table = Mapping[str, Number]


@value
class Fit:
    """Train the weights of a closed architecture."""

    kind: Literal["fit"] = field(default="fit", kw_only=True)


@value
class Relax:
    """Train an open architecture as a mixture: weights on one half of the data, pick weights on the other."""

    kind: Literal["relax"] = field(default="relax", kw_only=True)
    learning_rate: Number = 3e-4
    unrolled: bool = False


@value
class SamplePaths:
    """Train an open architecture one path per step; then score every path."""

    kind: Literal["sample_paths"] = field(default="sample_paths", kw_only=True)
    paths: tuple[Decisions, ...]


Method = Annotated[Fit | Relax | SamplePaths, Field(discriminator="kind")]


@value
class Proposal:
    """What to train, how, how far, from whose weights, and what to watch meanwhile.

    `budget` counts optimiser steps of this leg (0: only score); `horizon` is the length in steps, over all legs of the
    lineage, of the learning-rate schedule (None: the lineage ends with this leg). `probes` names the nodes that each
    probe watches (an empty tuple: all it can). `start` is the trial whose weights this leg inherits: also those of
    another architecture, whose steps count, so that the schedule and the order of the data go on. `keep` says
    whether a later leg may start from this one, so that its weights must be stored.
    """

    architecture: Architecture
    budget: int
    method: Method = Fit()
    start: TrialId | None = None
    probes: Mapping[str, tuple[NodeId, ...]] = field(default_factory=dict)
    horizon: int | None = None
    seed: int = 0
    keep: bool = True

    def __post_init__(self) -> None:
        if self.budget < 0:
            raise SpecError(f"A proposal's budget is {self.budget} steps; it must be 0 or more.")
        if self.horizon is not None and self.horizon < max(self.budget, 1):
            raise SpecError(f"A proposal's horizon is {self.horizon} steps, but its leg alone has {self.budget}.")
        for probe, nodes in self.probes.items():
            for node_id in nodes:
                if node_id not in self.architecture:
                    raise SpecError(f"Probe {probe!r} should watch {node_id!r}, which is not in the architecture.")


@value
class Cost:
    """What a leg took: on which device, floating-point operations counted from the network, joules where readable."""

    device: str
    flops: Number
    joules: Number | None = None


@value
class Measurement:
    """What came back: numbers about the whole, numbers about its parts, and what it took.

    `statistics[probe][node id]` are the readings of the probes; `seconds` go by the study's clock, usually the wall.
    """

    kind: Literal["measurement"] = field(default="measurement", kw_only=True)
    metrics: Table
    statistics: Mapping[str, Mapping[NodeId, Number]] = field(default_factory=dict)
    seconds: Number = 0.0
    cost: Cost | None = None


FailureKind = Literal["out_of_memory", "diverged", "timeout", "crashed", "infeasible"]


@value
class Failure:
    """Why a trial has no measurement. Data, not an exception: the search goes on, and algorithms may learn from it."""

    kind: Literal["failure"] = field(default="failure", kw_only=True)
    reason: FailureKind
    message: str
    seconds: Number = 0.0


Outcome = Annotated[Measurement | Failure, Field(discriminator="kind")]


@value
class Trial:
    """A proposal with its number in the study, and its outcome once there is one."""

    id: TrialId
    proposal: Proposal
    outcome: Outcome | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has been asked for and not yet been told."""
        return self.outcome is None

    @property
    def measurement(self) -> Measurement:
        """The outcome of a trial that is done. Raises LookupError for one that runs or failed."""
        if isinstance(self.outcome, Measurement):
            return self.outcome
        why = f"failed ({self.outcome.message})" if self.outcome else "is still running"
        raise LookupError(f"Trial {self.id} has no measurement: it {why}.")
