"""The law of executors: every trial submitted is answered exactly once, whatever dies."""

import json
from collections.abc import Callable, Collection
from typing import Literal

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.study.run import Executor
from amla.testing.landscape import Synthetic
from amla.trials.trial import Failure, FailureKind, Measurement, Outcome, Proposal, Trial, TrialId

Fault = Literal["fail", "crash", "hang", "memory"]

FAULTS: tuple[Fault, ...] = ("fail",)  # that every executor survives
REASONS: dict[Fault, FailureKind] = {
    "fail": "diverged",
    "crash": "crashed",
    "hang": "timeout",
    "memory": "out_of_memory",
}


def check_executor(
    make_executor: Callable[[str], Executor], *, faults: Collection[Fault] = FAULTS, trials: int = 12
) -> None:
    """Raise AssertionError where an executor breaks its law, while some trials show the `faults` it can survive.

    `make_executor` gets the config of `amla.testing:synthetic`, which its workers evaluate with; one that is to
    survive "hang" needs a time limit. Each trial is answered once, as in this process or by the failure that its fault
    asks for; `idle` is what it was at first, less the trials submitted and not answered; and `wait` never comes back
    with nothing.
    """
    faulty = {3 * place + 1: fault for place, fault in enumerate(faults)}  # spread among the others
    trials = max(trials, 3 * len(faulty) + 1)
    config = {fault: [trial_id for trial_id, its in faulty.items() if its == fault] for fault in faults}
    executor = make_executor(json.dumps(config))
    outcomes = _run(executor, [_trial(trial_id) for trial_id in range(trials)])
    for trial_id, outcome in outcomes.items():
        _check_outcome(_trial(trial_id), outcome, faulty.get(trial_id))
    again = _run(executor, [_trial(trials)])  # it still works after all that
    _check_outcome(_trial(trials), again[trials], None)


def _run(executor: Executor, waiting: list[Trial]) -> dict[TrialId, Outcome]:
    capacity = executor.idle
    if capacity < 1:
        raise AssertionError(f"Nothing runs, but idle is {capacity}.")
    running: set[TrialId] = set()
    outcomes: dict[TrialId, Outcome] = {}
    while waiting or running:
        while waiting and executor.idle:
            executor.submit(waiting[0])
            running.add(waiting.pop(0).id)
            _check_idle(executor, capacity, len(running))
        answers = list(executor.wait())
        if not answers:
            raise AssertionError(f"wait came back with nothing, though {sorted(running)} run.")
        for trial_id, outcome in answers:
            if trial_id not in running:
                what = "twice" if trial_id in outcomes else "without being submitted"
                raise AssertionError(f"Trial {trial_id} was answered {what}.")
            running.remove(trial_id)
            outcomes[trial_id] = outcome
        _check_idle(executor, capacity, len(running))
    return outcomes


def _check_idle(executor: Executor, capacity: int, running: int) -> None:
    if executor.idle != capacity - running:
        raise AssertionError(f"{running} trials run of {capacity} that can, but idle is {executor.idle}.")


def _check_outcome(trial: Trial, outcome: Outcome, fault: Fault | None) -> None:
    if fault is not None:
        if not isinstance(outcome, Failure) or outcome.reason != REASONS[fault]:
            raise AssertionError(f"Trial {trial.id} shows {fault!r} and should fail, {REASONS[fault]}; got {outcome}.")
        return
    here = Synthetic().evaluate(trial)
    if not isinstance(outcome, Measurement) or not isinstance(here, Measurement):
        raise AssertionError(f"Trial {trial.id} shows no fault, but came back as {outcome}.")
    if (outcome.metrics, outcome.statistics) != (here.metrics, here.statistics):
        raise AssertionError(f"Trial {trial.id} was measured as {outcome}; here it is {here}.")


def _trial(trial_id: TrialId) -> Trial:
    network = Architecture(
        (
            Node("image", ops.Input((1, 4, 4))),
            Node("conv", ops.Conv(2, (3, 3)), ("image",)),
            Node("head", ops.GlobalPool(), ("conv",)),
            Node("logits", ops.Classify(2), ("head",)),
        )
    )
    return Trial(trial_id, Proposal(network, 10 + trial_id, probes={"msss": ("conv",)}, seed=trial_id))
