"""What an algorithm behind a URL is asked and answers: values, each a JSON document.

A generator is a service with three addresses: `POST /v1/ask` and `POST /v1/recommend`, both with a Question, and
`GET /v1/health`. It keeps no state: the question holds all there is to know. It speaks of decisions, the inputs that
each Pick keeps, and never has to build a network.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from pydantic import TypeAdapter

from amla.spec.architecture import Architecture, NodeId
from amla.spec.decisions import Decisions
from amla.spec.values import value
from amla.trials.trial import Outcome, TrialId


@value
class Choice:
    """A Pick: from `at_least` to `at_most` of its `inputs` are kept, the first `fixed` of them always."""

    inputs: tuple[NodeId, ...]
    at_least: int
    at_most: int
    fixed: int


@value
class Past:
    """A trial so far: what was asked, as decisions, and what it came to; no `outcome` yet: it runs."""

    id: TrialId
    decisions: Decisions
    budget: int
    start: TrialId | None
    seed: int
    keep: bool
    outcome: Outcome | None


@value
class Question:
    """A history, and the space in which to go on.

    `picks` are those of the open `template` that are to be decided, in its order; decisions about Picks that others
    make unreachable are ignored. `trials` are in the order in which they were asked for, `finished` names them in the
    order in which they ended. `steps` is how long a network should train, `options` whatever the study tells this
    generator.
    """

    study: str
    seed: int
    steps: int
    template: Architecture
    picks: Mapping[NodeId, Choice]
    trials: tuple[Past, ...]
    finished: tuple[TrialId, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    version: Literal[1] = 1


@value
class Wanted:
    """A proposal, as decisions. See `amla.trials.trial.Proposal` for what the fields mean."""

    decisions: Decisions
    budget: int
    start: TrialId | None = None
    horizon: int | None = None
    seed: int = 0
    keep: bool = False
    probes: Mapping[str, tuple[NodeId, ...]] = field(default_factory=dict)


@value
class Asked:
    """The answer to an ask: no `proposal` means wait for what runs, or the search is over if nothing does."""

    proposal: Wanted | None = None


@value
class Recommended:
    """The answer to a recommend: no `decisions` before there is a network to stand behind."""

    decisions: Decisions | None = None


question: TypeAdapter[Question] = TypeAdapter(Question)
asked: TypeAdapter[Asked] = TypeAdapter(Asked)
recommended: TypeAdapter[Recommended] = TypeAdapter(Recommended)
