"""How well cheap scores rank networks on a task: random networks, scored in each way, against training them for long.

A score is worth what its ranking is worth on the task at hand (White et al. 2021 found none that is good on all). So
networks of the space are drawn at random, trained for long with several seeds, and ranked by each score besides: by
shorter trainings, by what is measured before any training (`amla.scores`), and by parameters and multiply-accumulates,
which cost nothing and are the baseline of all scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import TypeAdapter

from amla.algorithms.fixed import Fixed
from amla.algorithms.zero_cost import Scored
from amla.evidence.agreement import Agreement, agreement
from amla.reports.numbers import plural
from amla.scores import COUNTED, ScoreError, parts, ranking
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.spec.values import value
from amla.study.conductor import Conductor
from amla.study.resolve import space_of
from amla.study.run import Limit
from amla.study.study import StudyError
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Trial

REFERENCE = "reference"
ZERO_COST = ("synflow", "naswot", "jacob_cov", "zen", "az_nas")  # that are looked at unless others are named
DRAWS = 20  # times as many networks are drawn as are wanted, at most
APART = 1000  # between the seeds of scores and those of the reference, which must know nothing of each other


@value
class Audited:
    """A score: how well it ranks, and what one network costs by it, as a share of the reference's operations."""

    name: str
    agreement: Agreement
    cost: float


@value
class Audit:
    """What scores are worth on a task. `ceiling` is how well one reference training agrees with another one.

    `choice` is the cheapest score whose interval is above `at_least`, None if there is none. `failed` networks, of
    which some training failed, are left out. `unscored` says of zero-cost scores which networks they could not be had
    of, and why: these rank last by it, and a score that could be had of none is left out.
    """

    networks: int
    failed: int
    steps: int
    seeds: int
    top: int
    at_least: float
    scores: tuple[Audited, ...]
    ceiling: Agreement | None
    choice: str | None
    unscored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is trained: so many `networks` for each of `steps`, and for `reference` steps with so many `seeds`.

    Before that they are scored by each of `scores`. Raises StudyError for what makes no audit.
    """

    networks: int
    steps: tuple[int, ...]
    reference: int
    seeds: int = 2
    top: int = 5
    at_least: float = 0.4
    scores: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            parts(self.scores)
        except ScoreError as error:
            raise StudyError(str(error)) from None
        if counted := [name for name in self.scores if name in COUNTED]:
            raise StudyError(f"{counted[0]!r} is counted, and looked at anyway; leave it out.")
        if not self.steps or max(self.steps) >= self.reference:
            raise StudyError(
                f"The reference trains for {self.reference} steps, scores for {list(self.steps)}; it must be longer."
            )
        if self.networks < 4:
            raise StudyError(f"{self.networks} networks make no ranking; take 4 or more.")


_audit = TypeAdapter(Audit)


def as_json(audit: Audit) -> str:
    """Return an audit as JSON."""
    return _audit.dump_json(audit, indent=1).decode()


def audited(conductor: Conductor, plan: Plan) -> Audit:
    """Return what scores are worth on the task of a study; what was trained before is not trained again.

    Raises StudyError where fewer than four networks could be trained.
    """
    study, task = conductor.underway.study, conductor.underway.task
    networks = drawn(space_of(study, task).space, plan.networks, study.seed)
    scored = {
        name: conductor.run(f"score-{name}", Scored(networks, (name,), study.seed), Limit())
        for name in dict.fromkeys(plan.scores)
    }
    phases = {
        steps: conductor.run(f"steps-{steps}", Fixed(networks, steps, (study.seed,), keep=False), Limit())
        for steps in sorted(plan.steps)
    }
    seeds = tuple(range(APART, APART + plan.seeds))
    reference = conductor.run(REFERENCE, Fixed(networks, plan.reference, seeds, keep=False), Limit())
    return judged(plan, networks, phases, reference, scored, study.metric)


def drawn(space: Space, count: int, seed: int) -> tuple[Architecture, ...]:
    """Return so many different networks, drawn from a space; fewer if it has not so many. Raises SpaceError."""
    rng = np.random.default_rng((seed, count))
    found: dict[str, Architecture] = {}
    for _ in range(DRAWS * count):
        network = space.sample(rng)
        found.setdefault(digest(network), network)
        if len(found) == count:
            break
    return tuple(found.values())


def judged(
    plan: Plan,
    networks: Sequence[Architecture],
    phases: Mapping[int, History],
    reference: History,
    scored: Mapping[str, History] = {},
    metric: str = "accuracy",
) -> Audit:
    """Return what the trainings of an audit say by a metric, and the scores before them."""
    long = [_of_network(reference, place, plan.seeds) for place in range(len(networks))]
    short = {
        steps: [_of_network(history, place, 1) for place in range(len(networks))] for steps, history in phases.items()
    }
    whole = [place for place, runs in enumerate(long) if runs and all(of[place] for of in short.values())]
    if len(whole) < 4:
        raise StudyError(f"Only {len(whole)} of {len(networks)} networks could be trained; an audit needs 4 or more.")
    top = min(plan.top, len(whole) // 2)  # all of them are always found
    worths = [float(np.mean([_reached(trial, metric) for trial in long[place]])) for place in whole]
    dear = _flops([trial for place in whole for trial in long[place]]) / plan.seeds
    scores = [
        Audited(plural(steps, "step"), agreement([_reached(of[place][0], metric) for place in whole], worths, top),
                _flops([of[place][0] for place in whole]) / dear)
        for steps, of in short.items()
    ]  # fmt: skip
    unscored: dict[str, str] = {}
    for name, history in scored.items():
        trials = [history[place] for place in whole]
        done = [trial for trial in trials if isinstance(trial.outcome, Measurement)]
        if words := _words(trials):
            unscored[name] = words
        if done:
            ranks = ranking(
                [trial.outcome.metrics if isinstance(trial.outcome, Measurement) else {} for trial in trials], (name,)
            )
            cost = _flops(done) * len(whole) / len(done) / dear
            scores.append(Audited(name, agreement(ranks, worths, top), cost))
    for name in COUNTED:
        counted = [long[place][0].measurement.metrics[name] for place in whole]
        scores.append(Audited(name, agreement(counted, worths, top), 0.0))
    ceiling = None
    if plan.seeds > 1:
        one, other = ([_reached(long[place][which], metric) for place in whole] for which in (0, 1))
        ceiling = agreement(one, other, top)
    good = [score for score in scores if score.agreement.low >= plan.at_least]
    choice = min(good, key=lambda score: score.cost).name if good else None
    failed = len(networks) - len(whole)
    whole_plan = (plan.reference, plan.seeds, top, plan.at_least)
    return Audit(len(whole), failed, *whole_plan, tuple(scores), ceiling, choice, unscored)


def verdict(audit: Audit) -> str:
    """Return what to do, in a sentence or two."""
    if audit.choice is None:
        best = max(audit.scores, key=lambda score: score.agreement.low)
        return (
            f"No score is good enough: the interval of none is above {audit.at_least:g}. The nearest is {best.name}, "
            f"{_tau(best.agreement)}. Train for longer, or audit more networks, which narrows the intervals."
        )
    chosen = next(score for score in audit.scores if score.name == audit.choice)
    cost = "nothing" if chosen.cost == 0 else f"{100 * chosen.cost:.1f} % of a training of {audit.steps} steps"
    return f"Use {chosen.name}: {_tau(chosen.agreement)}, for {cost}."


def _words(trials: Sequence[Trial]) -> str:
    """Return of how many networks a score could not be had, and why; nothing if of all."""
    failures = [trial.outcome.message for trial in trials if isinstance(trial.outcome, Failure)]
    return f"{len(failures)} of {plural(len(trials), 'network')}: {failures[0]}" if failures else ""


def _tau(found: Agreement) -> str:
    return f"tau {found.tau:.2f} (95 % interval {found.low:.2f} to {found.high:.2f})"


def _of_network(history: History, place: int, seeds: int) -> list[Trial]:
    """Return the trainings of a network, empty if one of them failed."""
    done = {trial.id: trial for trial in history.done}
    wanted = range(place * seeds, (place + 1) * seeds)
    return [done[trial] for trial in wanted] if all(trial in done for trial in wanted) else []


def _reached(trial: Trial, metric: str) -> float:
    return trial.measurement.metrics[metric]


def _flops(trials: Sequence[Trial]) -> float:
    return sum(trial.measurement.cost.flops for trial in trials if trial.measurement.cost)
