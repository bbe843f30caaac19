from math import inf, nan

import pytest
from pydantic import TypeAdapter

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.values import SpecError
from amla.trials.progress import Progress, silent
from amla.trials.trial import Cost, Failure, Fit, Measurement, Outcome, Proposal, Relax, SamplePaths, Trial

OPEN = Architecture(
    (
        Node("x", ops.Input((2, 8))),
        Node("a", ops.Identity(), ("x",)),
        Node("pick", ops.Pick(1, 2), ("x", "a")),
    )
)
trials = TypeAdapter(Trial)
outcomes: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def same(trial: Trial) -> Trial:
    return trials.validate_json(trials.dump_json(trial))


@pytest.mark.parametrize("method", [Fit(), Relax(0.1, unrolled=True), SamplePaths(({"pick": ("x", "a")}, {}))])
def test_a_proposal_survives_json(method: Fit | Relax | SamplePaths):
    proposal = Proposal(OPEN, 5, method, start=0, probes={"msss": ("a",), "mean": ()}, horizon=9, seed=3, keep=False)
    assert same(Trial(1, proposal)) == Trial(1, proposal)


@pytest.mark.parametrize(
    "outcome",
    [
        Measurement({"accuracy": 0.1 + 0.2, "parameters": 448}, {"msss": {"a": 1e-300}, "mean": {}}, 1.5),
        Measurement({}, cost=Cost("cuda", 1e18, joules=0.5)),
        Failure("out_of_memory", 'said: "2 GiB"\n\u2028'),
    ],
)
def test_an_outcome_survives_json(outcome: Outcome):
    assert same(Trial(0, Proposal(OPEN, 1), outcome)).outcome == outcome
    assert outcomes.validate_json(outcomes.dump_json(outcome)) == outcome


def test_numbers_that_json_lacks_survive():
    outcome = Measurement({"accuracy": nan, "loss": inf}, {"msss": {"a": -inf, "x": nan}})
    for found in (
        outcomes.validate_json(outcomes.dump_json(outcome)),
        same(Trial(0, Proposal(OPEN, 1), outcome)).outcome,
        TypeAdapter(list[Outcome]).validate_json(TypeAdapter(list[Outcome]).dump_json([outcome]))[0],
    ):
        assert repr(found) == repr(outcome)


def test_progress_survives_json():
    lines = TypeAdapter(Progress)
    line = Progress(3, step=5, budget=10, loss=nan, accuracy=0.5, rate=0.1, seconds=0.25)
    assert repr(lines.validate_json(lines.dump_json(line))) == repr(line)
    silent(line)


def test_a_trial_runs_until_it_is_told():
    trial = Trial(7, Proposal(OPEN, 1))
    assert trial.is_running
    with pytest.raises(LookupError, match="Trial 7 has no measurement: it is still running"):
        _ = trial.measurement


def test_a_failed_trial_says_why_it_has_no_measurement():
    trial = Trial(7, Proposal(OPEN, 1), Failure("crashed", "killed"))
    assert not trial.is_running
    with pytest.raises(LookupError, match=r"Trial 7 has no measurement: it failed \(killed\)"):
        _ = trial.measurement


def test_a_done_trial_has_a_measurement():
    assert Trial(0, Proposal(OPEN, 1), Measurement({"accuracy": 1.0})).measurement.metrics == {"accuracy": 1.0}


def test_a_budget_may_be_nothing_but_not_less():
    assert Proposal(OPEN, 0).budget == 0
    with pytest.raises(SpecError, match="budget is -1 steps; it must be 0 or more"):
        Proposal(OPEN, -1)


@pytest.mark.parametrize(("budget", "horizon"), [(5, 4), (0, 0), (5, -1)])
def test_a_horizon_holds_at_least_its_leg(budget: int, horizon: int):
    with pytest.raises(SpecError, match=f"horizon is {horizon} steps, but its leg alone has {budget}"):
        Proposal(OPEN, budget, horizon=horizon)


def test_probes_watch_nodes_that_exist():
    with pytest.raises(SpecError, match="Probe 'msss' should watch 'ghost', which is not in the architecture"):
        Proposal(OPEN, 1, probes={"msss": ("a", "ghost")})
