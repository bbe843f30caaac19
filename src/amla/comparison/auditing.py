"""Trains what an audit of cheap scores takes, as phases of a study."""

from dataclasses import replace

import numpy as np

from amla.algorithms.fixed import Fixed
from amla.algorithms.zero_cost import Scored
from amla.comparison.audit import Audit, Plan, Reading, judged
from amla.comparison.branches import Branches
from amla.probes import probe
from amla.reports.numbers import plural
from amla.spaces.envelope import Envelope
from amla.spaces.space import Space
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.digest import digest
from amla.study.conductor import Conductor
from amla.study.resolve import space_of, task_of
from amla.study.run import Limit
from amla.study.settings.places import TabularSettings
from amla.study.study import Study, StudyError
from amla.tasks.subset import steps_of_as_many_epochs, subset
from amla.tasks.task import Task
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement

REFERENCE = "reference"
DRAWS = 20  # times as many networks are drawn as are wanted, at most
APART = 1000  # between the seeds of scores and those of the reference, which must know nothing of each other
ABLATED = 1000  # held-out examples, at most, that a probe of the loss reads once for every branch and once for all


def check_plan(plan: Plan, study: Study, task: Task) -> None:
    """Raise StudyError for what an audit of this study cannot have: before anything is trained."""
    for share in plan.subsets:
        if share >= study.data.share:
            raise StudyError(f"A subset is {share:g} of the training examples, but data.share is {study.data.share:g}.")
        task_of(_on(study, share), task.dataset)
    if plan.statistics:
        _branches(plan, study, task)


def audited(conductor: Conductor, plan: Plan) -> Audit:
    """Return what scores are worth on the task of a study; what was trained before is not trained again.

    Raises StudyError where fewer than four networks could be trained, and as `check_plan`.
    """
    study, task = conductor.underway.study, conductor.underway.task
    check_plan(plan, study, task)
    networks = drawn(space_of(study, task).space, plan.networks, study.seed)
    scored = {
        name: conductor.run(f"score-{name}", Scored(networks, (name,), study.seed), Limit())
        for name in dict.fromkeys(plan.scores)
    }
    read = {name: _read(conductor, plan, name, networks) for name in dict.fromkeys(plan.statistics)}

    def trained(phase: str, steps: int, share: float | None = None) -> History:
        return conductor.run(phase, Fixed(networks, steps, (study.seed,), keep=False), Limit(), share)

    short = {plural(steps, "step"): trained(f"steps-{steps}", steps) for steps in sorted(set(plan.steps))}
    for share in sorted(set(plan.subsets)):
        steps = subset_steps(plan.reference, study, task, share)
        short[f"{100 * share:g} % of the data"] = trained(f"subset-{share:g}-{steps}", steps, share)
    seeds = tuple(range(APART, APART + plan.seeds))
    phase = f"{REFERENCE}-{plan.reference}-{plan.seeds}"
    reference = conductor.run(phase, Fixed(networks, plan.reference, seeds, keep=False), Limit())
    return judged(plan, len(networks), short, reference, scored, study.metric, read)


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


def subset_steps(reference: int, study: Study, task: Task, share: float) -> int:
    """Return in how many steps a share of the training part is seen as often as all of it is in the reference."""
    train = task.parts.train
    some = len(subset(train, share, study.data.split_seed))
    every = len(train.labels) if task.some is None else len(task.some)
    return steps_of_as_many_epochs(reference, every, some, study.recipe.batch)


def _read(conductor: Conductor, plan: Plan, name: str, networks: tuple[Architecture, ...]) -> Reading:
    """Return what a statistic says, in a training as long as the longest of the short ones: all networks share it."""
    study, task = conductor.underway.study, conductor.underway.task
    branches = _branches(plan, study, task)
    training = Fixed((branches.whole,), max(plan.steps), (study.seed,), keep=False, probes={name: branches.nodes})
    match conductor.run(f"statistic-{name}-{max(plan.steps)}", training, Limit())[0].outcome:
        case Measurement(statistics=statistics, cost=cost):
            readings = statistics[name]
            scores = tuple(branches.worth(network, readings) for network in networks)
            flops = (cost.flops if cost else 0.0) + _looking(name, branches, task)
            return Reading(scores, flops)
        case Failure(message=message):
            return Reading(failure=message)
        case None:
            raise LookupError(f"The training in which {name} is read is still running.")


def _looking(name: str, branches: Branches, task: Task) -> float:
    """Return the operations that a probe takes besides training: two a MAC of each pass over held-out examples."""
    if probe(name).of != "loss" or task.held_out is None:
        return 0.0
    examples = min(ABLATED, len(task.held_out.labels))
    return 2.0 * costs(branches.whole).macs * examples * (1 + len(branches.nodes))


def _branches(plan: Plan, study: Study, task: Task) -> Branches:
    """Return the branches of a study's space. Raises StudyError if its networks have none, or nothing is trained."""
    space, named = space_of(study, task), ", ".join(plan.statistics)
    if isinstance(study.backend, TabularSettings):
        raise StudyError(f"The statistic {named} is read while a network trains, but a table trains nothing.")
    if not isinstance(space, Envelope):
        raise StudyError(
            f"The statistic {named} is one of branches, but the networks of space.kind {study.space.kind} have none; "
            "leave it out, or take space.kind envelope."
        )
    return Branches(space)


def _on(study: Study, share: float) -> Study:
    return replace(study, data=replace(study.data, share=share))
