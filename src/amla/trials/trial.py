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
Logits = Mapping[NodeId, tuple[Number, ...]]  # of a gene: one for each input after those it always keeps


@value
class Fit:
    """Train the weights of a closed architecture."""

    kind: Literal["fit"] = field(default="fit", kw_only=True)


FIT, PICKS = 3, 2  # passes of a training step: forward, back to inputs and to weights; pick weights need not the last
Tied = Mapping[NodeId, NodeId]  # Picks that are decided as another one is: they keep inputs at the same places


@value
class Relax:
    """Train an open architecture as a mixture: weights on one half of the data, pick weights on the other.

    A Pick of m inputs gives each the share m * softmax(pick weights); one of a varying number, sigmoid(pick weight).
    Before each step of the weights, Adam moves the pick weights at `learning_rate` (0: not at all; then all the data
    train the weights) with `weight_decay`; if `unrolled`, by the gradient after the next step of the weights (Liu,
    Simonyan and Yang 2019, eq. 7). `skip` is what the input of a Pick of one that is an identity counts besides,
    falling linearly to 0 at the horizon (Chu et al. 2021). Learned scales and shifts of batch normalisation are trained
    only if `affine`. Picks that are `tied` have the pick weights of another.
    """

    kind: Literal["relax"] = field(default="relax", kw_only=True)
    learning_rate: Number = 3e-4
    unrolled: bool = False
    weight_decay: Number = 1e-3
    skip: Number = 0.0
    affine: bool = False
    tied: Tied = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay", "skip"):
            if not getattr(self, name) >= 0:
                raise SpecError(f"relax.{name} is {getattr(self, name)}; it must be 0 or more.")

    @property
    def passes(self) -> int:
        """How many passes through the network a step takes, each of as many operations as a forward one."""
        if not self.learning_rate:
            return FIT
        return 3 * FIT + 2 * PICKS if self.unrolled else FIT + PICKS


@value
class SamplePaths:
    """Train an open architecture one path a step; then score each of `paths`, batch normalisation set for it.

    The path of a step is drawn by seed and step, its inputs by `logits` (`amla.spaces.paths`); Picks that they do not
    name are drawn with even chances. Paths are scored on `examples` held-out examples (None: on all). Picks that are
    `tied` decide as another one does, and paths need not name them.
    """

    kind: Literal["sample_paths"] = field(default="sample_paths", kw_only=True)
    paths: tuple[Decisions, ...] = ()
    logits: Logits = field(default_factory=dict)
    examples: int | None = None
    tied: Tied = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.examples is not None and self.examples < 1:
            raise SpecError(f"sample_paths.examples is {self.examples}; it must be 1 or more, or None for all.")


@value
class Untrained:
    """Score a closed architecture by what can be measured of it before it is trained (`amla.scores`).

    Its weights are drawn anew by the seed, whatever the recipe says of their start, and nothing is trained or kept.
    `examples` of the training part are looked at, all of them different; scores that need no data take as much noise.
    """

    kind: Literal["untrained"] = field(default="untrained", kw_only=True)
    scores: tuple[str, ...]
    examples: int = 64

    def __post_init__(self) -> None:
        if self.examples < 2:
            raise SpecError(f"untrained.examples is {self.examples}; it must be 2 or more.")


Method = Annotated[Fit | Relax | SamplePaths | Untrained, Field(discriminator="kind")]


@value
class Proposal:
    """What to train, how, how far, from whose weights, and what to watch meanwhile.

    `budget` counts optimiser steps of this leg (0: only score); `horizon` is the length in steps, over all legs of the
    lineage, of the learning-rate schedule (None: the lineage ends with this leg). `probes` names the nodes that each
    probe watches (an empty tuple: all it can). `start` is the trial whose weights this leg inherits: also those of
    another architecture, whose steps count, so that the schedule and the order of the data go on. `keep` says
    whether a later leg may start from this one, so that its weights must be stored. `recipe` says which numbers of the
    recipe are other ones in this trial, by address: {"optimiser.rate": 0.05} (`amla.tasks.dials.turned`).
    """

    architecture: Architecture
    budget: int
    method: Method = Fit()
    start: TrialId | None = None
    probes: Mapping[str, tuple[NodeId, ...]] = field(default_factory=dict)
    horizon: int | None = None
    seed: int = 0
    keep: bool = True
    recipe: Mapping[str, Number] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.budget < 0:
            raise SpecError(f"A proposal's budget is {self.budget} steps; it must be 0 or more.")
        if self.horizon is not None and self.horizon < max(self.budget, 1):
            raise SpecError(f"A proposal's horizon is {self.horizon} steps, but its leg alone has {self.budget}.")
        for probe, nodes in self.probes.items():
            for node_id in nodes:
                if node_id not in self.architecture:
                    raise SpecError(f"Probe {probe!r} should watch {node_id!r}, which is not in the architecture.")
        if isinstance(self.method, Relax | SamplePaths):
            _check_tied(self.architecture, self.method.tied)
        if isinstance(self.method, Untrained) and (self.budget or self.start is not None or self.probes or self.keep):
            raise SpecError(
                "A proposal to score an untrained network has a budget of 0, starts from no trial, watches nothing and "
                "keeps no weights."
            )
        if isinstance(self.method, SamplePaths):
            _check_logits(self.architecture, self.method.logits)


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


def _check_tied(architecture: Architecture, tied: Tied) -> None:
    """Raise SpecError unless each Pick of `tied` decides as one that is like it and not tied itself."""
    for pick, gene in tied.items():
        for name in (pick, gene):
            if name not in architecture.picks:
                raise SpecError(f"{pick!r} is tied to {gene!r}, but {name!r} is no Pick of the architecture.")
        same = architecture.picks[pick] == architecture.picks[gene]
        if gene in tied or not same or len(architecture[pick].inputs) != len(architecture[gene].inputs):
            raise SpecError(f"{pick!r} is tied to {gene!r}, which must be a like Pick that is itself not tied.")


def _check_logits(architecture: Architecture, logits: Logits) -> None:
    for gene, given in logits.items():
        if gene not in architecture.picks:
            raise SpecError(f"{gene!r} has logits, but is no Pick of the architecture.")
        if len(given) != (free := len(architecture[gene].inputs) - architecture.picks[gene].fixed):
            raise SpecError(f"{gene!r} has {len(given)} logits for {free} inputs; give one for each that may be left.")
