"""How well cheap scores rank networks on a task: random networks, scored in each way, against training them for long.

A score is worth what its ranking is worth on the task at hand (White et al. 2021 found none that is good on all). So
networks of the space are drawn at random, trained for long with several seeds, and ranked by each score besides: by
shorter trainings, by trainings on a share of the data, by what is measured before any training (`amla.scores`), by a
statistic of branches (`amla.comparison.branches`), and by parameters and multiply-accumulates, which cost nothing and
are the baseline of all scores. `amla.comparison.auditing` trains what that takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import TypeAdapter

from amla.evidence.agreement import Agreement, agreement
from amla.probes import ProbeError, probe
from amla.reports.numbers import plural
from amla.scores import COUNTED, ScoreError, parts, ranking
from amla.spec.values import value
from amla.study.study import StudyError
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Trial

ZERO_COST = ("synflow", "naswot", "jacob_cov", "zen", "az_nas")  # that are looked at unless others are named
FEWEST = 4  # networks that make a ranking


@value
class Audited:
    """A score: how well it ranks, and what one network costs by it, as a share of the reference's operations.

    If it is `shared` there was one training for all networks, and `cost` is an equal part of that.
    """

    name: str
    agreement: Agreement
    cost: float
    shared: bool = False


@value
class Audit:
    """What scores are worth on a task. `ceiling` is how well one reference training agrees with another one.

    `choice` is the cheapest score whose interval is above `at_least`, None if there is none. `failed` networks, of
    which some training failed, are left out. `unscored` says of zero-cost scores and statistics which networks they
    could not be had of, and why: these rank last by it, and a score that could be had of none is left out.
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

    Before that they are scored by each of `scores`. On each of `subsets`, shares of the training part, they are trained
    for as many epochs as the reference has; and for each of `statistics`, probes, one network with all branches is
    trained for the most of `steps`. Raises StudyError for what makes no audit.
    """

    networks: int
    steps: tuple[int, ...]
    reference: int
    seeds: int = 2
    top: int = 5
    at_least: float = 0.4
    scores: tuple[str, ...] = ()
    subsets: tuple[float, ...] = ()
    statistics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            parts(self.scores)
            for name in self.statistics:
                probe(name)
        except (ScoreError, ProbeError) as error:
            raise StudyError(str(error)) from None
        if counted := [name for name in self.scores if name in COUNTED]:
            raise StudyError(f"{counted[0]!r} is counted, and looked at anyway; leave it out.")
        if not self.steps or max(self.steps) >= self.reference:
            raise StudyError(
                f"The reference trains for {self.reference} steps, scores for {list(self.steps)}; it must be longer."
            )
        if strange := [share for share in self.subsets if not 0 < share < 1]:
            raise StudyError(
                f"A subset is {strange[0]:g} of the training examples; it must be more than 0 and less than 1, as 0.1."
            )
        if self.networks < FEWEST:
            raise StudyError(f"{self.networks} networks make no ranking; take {FEWEST} or more.")


@dataclass(frozen=True)
class Reading:
    """What a statistic of branches makes of each network, and the operations of the training it was read in.

    With `failure`, why it could not be read, there are no scores.
    """

    scores: tuple[float, ...] = ()
    flops: float = 0.0
    failure: str | None = None


_audit = TypeAdapter(Audit)


def as_json(audit: Audit) -> str:
    """Return an audit as JSON."""
    return _audit.dump_json(audit, indent=1).decode()


def judged(
    plan: Plan,
    networks: int,
    trained: Mapping[str, History],
    reference: History,
    scored: Mapping[str, History] = {},
    metric: str = "accuracy",
    read: Mapping[str, Reading] = {},
) -> Audit:
    """Return what the trainings of an audit say by a metric, the scores before them, and statistics of branches.

    Cheap trainings and scorings are by name, one trial for each of the `networks` in turn. Raises StudyError where too
    few networks could be trained.
    """
    long = [_of_network(reference, place, plan.seeds) for place in range(networks)]
    short = {name: [_of_network(history, place, 1) for place in range(networks)] for name, history in trained.items()}
    whole = [place for place, runs in enumerate(long) if runs and all(of[place] for of in short.values())]
    if len(whole) < FEWEST:
        raise StudyError(f"Only {len(whole)} of {networks} networks could be trained; an audit needs {FEWEST} or more.")
    top = min(plan.top, len(whole) // 2)  # all of them are always found
    worths = [float(np.mean([_reached(trial, metric) for trial in long[place]])) for place in whole]
    dear = _flops([trial for place in whole for trial in long[place]]) / plan.seeds
    scores = [
        Audited(name, agreement([_reached(of[place][0], metric) for place in whole], worths, top),
                _flops([of[place][0] for place in whole]) / dear)
        for name, of in short.items()
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
    for name, reading in read.items():
        if reading.failure is not None:
            unscored[name] = f"any network: {reading.failure}"
            continue
        ranks = [reading.scores[place] for place in whole]
        scores.append(Audited(name, agreement(ranks, worths, top), reading.flops / dear, shared=True))
    for name in COUNTED:
        counted = [long[place][0].measurement.metrics[name] for place in whole]
        scores.append(Audited(name, agreement(counted, worths, top), 0.0))
    ceiling = None
    if plan.seeds > 1:
        one, other = ([_reached(long[place][which], metric) for place in whole] for which in (0, 1))
        ceiling = agreement(one, other, top)
    good = [score for score in scores if score.agreement.low >= plan.at_least]
    choice = min(good, key=lambda score: score.cost).name if good else None
    failed = networks - len(whole)
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
    together = f", if {plural(audit.networks, 'network')} share it" if chosen.shared else ""
    return f"Use {chosen.name}: {_tau(chosen.agreement)}, for {cost}{together}."


def shared(audit: Audit) -> str | None:
    """Return what the trainings cost that all networks share, in a sentence; None if there were none."""
    found = [score for score in audit.scores if score.shared]
    if not found:
        return None
    told = ", ".join(f"{score.name} {100 * score.cost * audit.networks:.0f} %" for score in found)
    return (
        "Each statistic is read in one training, of all branches, whose cost is told as shared by "
        f"{plural(audit.networks, 'network')}; the whole of it, as a share of a training of {audit.steps} steps: "
        f"{told}."
    )


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
