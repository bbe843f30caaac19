"""What is kept of a run: what it had spent at each point, joules only where all of them are known."""

import pytest

from amla.comparison.record import points_of, spent
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials.history import History
from amla.trials.trial import Cost, Failure, Measurement, Proposal

PROPOSAL = Proposal(Architecture((Node("x", ops.Input((2, 8))),)), 1)


def history(*costs: Cost | None) -> History:
    found = History()
    for number, cost in enumerate(costs):
        measurement = Measurement({"accuracy": 0.5 + 0.1 * number}, cost=cost)
        found = found.asked(PROPOSAL).told(number, measurement)
    return found


def test_joules_are_summed_point_by_point():
    found = history(Cost("cpu", 1e6, 2.0), Cost("cpu", 1e6, 3.0))
    assert [point.joules for point in points_of(found, "accuracy")] == [2.0, 5.0]
    assert spent(found).joules == 5.0


@pytest.mark.parametrize("unknown", [Cost("cpu", 1e6), None])
def test_one_trial_without_joules_leaves_the_sum_unknown(unknown: Cost | None):
    found = history(Cost("cpu", 1e6, 2.0), unknown, Cost("cpu", 1e6, 3.0))
    assert [point.joules for point in points_of(found, "accuracy")] == [2.0, None, None]
    assert spent(found).joules is None


def test_of_trials_that_failed_joules_are_not_asked_for():
    failed = history(Cost("cpu", 1e6, 2.0)).asked(PROPOSAL).told(1, Failure("diverged", "nan"))
    assert [point.joules for point in points_of(failed, "accuracy")] == [2.0, 2.0]
    assert spent(failed).joules == 2.0
    assert spent(History()).joules is None
