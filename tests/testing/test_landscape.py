from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from amla.spaces.envelope import envelope
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import costs
from amla.spec.values import SpecError
from amla.testing import Synthetic, synthetic
from amla.trials.progress import Progress, silent
from amla.trials.trial import Failure, Fit, Measurement, Method, Outcome, Proposal, Relax, SamplePaths, Trial

SPACE = envelope((1, 6, 6), 2, width=4, cells=(1,), max_cells=(3,), branches=("1x1", "3x3")).space
NETWORKS = [SPACE.sample(np.random.default_rng(seed)) for seed in range(8)]


PLAIN = Synthetic()


def measured(landscape: Synthetic = PLAIN, architecture: Architecture = NETWORKS[0], **parts: object) -> Measurement:
    outcome = landscape.evaluate(Trial(0, replace(Proposal(architecture, 10), **parts)))
    assert isinstance(outcome, Measurement)
    return outcome


def accuracy(**parts: object) -> float:
    return measured(**parts).metrics["accuracy"]


def test_the_same_trial_gets_the_same_answer():
    assert measured() == measured() == measured(Synthetic())


def test_the_answer_does_not_depend_on_the_number_of_the_trial():
    one, other = (Synthetic().evaluate(Trial(number, Proposal(NETWORKS[0], 10))) for number in (0, 7))
    assert one == other


def test_another_network_has_another_worth():
    assert len({Synthetic().accuracy(network) for network in set(NETWORKS)}) == len(set(NETWORKS))


def test_accuracy_grows_with_budget_and_horizon_towards_the_truth():
    grown = [accuracy(budget=budget) for budget in (0, 1, 10, 100, 1000, 10**9)]
    assert grown == sorted(grown)
    assert 0 < grown[0] < grown[-1] < 1
    assert accuracy(budget=10, horizon=100) > accuracy(budget=10)
    truth = Synthetic().accuracy(NETWORKS[0])
    assert measured(Synthetic(noise=0.0), budget=10**9).metrics["accuracy"] == pytest.approx(truth, rel=1e-6)


def test_seeds_take_a_little_away():
    seeds = {accuracy(budget=10**9, seed=seed) for seed in range(5)}
    truth = Synthetic().accuracy(NETWORKS[0])
    assert len(seeds) == 5
    assert all(0.99 * truth < found < truth for found in seeds)
    assert len({measured(Synthetic(noise=0.0), seed=seed).metrics["accuracy"] for seed in range(5)}) == 1


def test_a_closed_network_is_counted():
    metrics = measured().metrics
    assert metrics["parameters"] == costs(NETWORKS[0]).parameters
    assert metrics["macs"] == costs(NETWORKS[0]).macs
    assert metrics["loss"] > 0


def test_probes_read_the_nodes_they_watch_or_all():
    statistics = measured(probes={"msss": ("stem", "head"), "mean": ()}).statistics
    assert list(statistics["msss"]) == ["stem", "head"]
    assert list(statistics["mean"]) == [node.id for node in NETWORKS[0]]
    assert all(0 < worth < 1 for worth in statistics["mean"].values())
    assert statistics["msss"].items() <= statistics["mean"].items()


def test_relax_weighs_every_input_of_every_pick():
    found = measured(architecture=SPACE.template, method=Relax(), probes={"mean": ("stem",)})
    inputs = {source for pick in SPACE.template.picks for source in SPACE.template[pick].inputs}
    assert found.statistics["pick_weight"].keys() == inputs
    assert found.statistics["mean"].keys() == {"stem"}
    assert "parameters" not in found.metrics


def test_every_path_is_scored_as_the_network_it_is():
    paths = tuple(SPACE.draw(np.random.default_rng(seed)) for seed in range(3))
    found = measured(architecture=SPACE.template, method=SamplePaths(paths)).statistics["accuracy"]
    assert found == {f"path/{place}": Synthetic().accuracy(SPACE.close(path)) for place, path in enumerate(paths)}


def misfit() -> Architecture:
    wide = Node("wide", ops.Conv(4, (3,)), ("x",))
    return Architecture((Node("x", ops.Input((2, 8))), wide, Node("y", ops.Merge("add"), ("x", "wide"))))


@pytest.mark.parametrize(
    ("architecture", "method", "why"),
    [
        (SPACE.template, Fit(), "a share of a Pick"),
        (NETWORKS[0], Relax(), "relax trains an open architecture, but this one has no Pick"),
        (NETWORKS[0], SamplePaths(()), "sample_paths trains an open architecture"),
        (SPACE.template, SamplePaths(({},)), "No decision for"),
        (misfit(), Fit(), "only inputs of one shape can be added"),
    ],
)
def test_what_cannot_be_built_is_infeasible(architecture: Architecture, method: Method, why: str):
    outcome = Synthetic(seconds=0.5).evaluate(Trial(0, Proposal(architecture, 10, method)))
    assert isinstance(outcome, Failure)
    assert outcome.reason == "infeasible"
    assert outcome.seconds == 0.5
    assert why in outcome.message


def test_trials_fail_as_told():
    def second(trial: Trial) -> Failure | None:
        return Failure("diverged", "the second always does") if trial.id == 1 else None

    outcomes = [Synthetic(fails=second).evaluate(Trial(number, Proposal(NETWORKS[0], 10))) for number in range(3)]
    assert [isinstance(outcome, Failure) for outcome in outcomes] == [False, True, False]


def test_a_learning_curve_is_reported():
    lines: list[Progress] = []
    outcome = Synthetic(seconds=8.0).evaluate(Trial(3, Proposal(NETWORKS[0], 20)), lines.append)
    assert isinstance(outcome, Measurement)
    assert [line.step for line in lines] == [5, 10, 15, 20]
    assert [line.seconds for line in lines] == [2.0, 4.0, 6.0, 8.0]
    assert {(line.trial, line.budget) for line in lines} == {(3, 20)}
    assert [line.accuracy for line in lines] == sorted(line.accuracy for line in lines)
    assert lines[-1].loss == outcome.metrics["loss"]


@pytest.mark.parametrize(("budget", "steps"), [(0, []), (1, [1]), (3, [1, 2, 3])])
def test_a_short_leg_has_a_short_curve(budget: int, steps: list[int]):
    lines: list[Progress] = []
    Synthetic().evaluate(Trial(0, Proposal(NETWORKS[0], budget)), lines.append)
    assert [line.step for line in lines] == steps


def test_answers_can_be_written_down():
    outcomes: TypeAdapter[Outcome] = TypeAdapter(Outcome)
    outcome = measured(probes={"mean": ()})
    assert outcomes.validate_json(outcomes.dump_json(outcome, warnings="error")) == outcome


def test_a_faulty_evaluator_is_synthetic_but_for_its_faults():
    evaluate = synthetic('{"fail": [1], "memory": [2]}')
    plain, failing, hoarding = (Trial(number, Proposal(NETWORKS[0], 10)) for number in range(3))
    assert evaluate(plain, silent) == measured()
    assert evaluate(failing, silent) == Failure("diverged", "Trial 1 was made to fail.")
    with pytest.raises(MemoryError):
        evaluate(hoarding, silent)


def test_without_config_there_is_no_fault():
    assert synthetic()(Trial(0, Proposal(NETWORKS[0], 10)), silent) == measured()


@pytest.mark.parametrize("config", ['{"explode": [1]}', '{"fail": 1}', "fail"])
def test_a_config_is_read_strictly(config: str):
    with pytest.raises(SpecError):
        synthetic(config)
