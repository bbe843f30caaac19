from math import inf, nan

from amla.algorithms.protocol import best
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Relax, TrialId

X = Node("x", ops.Input((2, 8)))
CLOSED = Architecture((X,))
OPEN = Architecture((X, Node("a", ops.Identity(), ("x",)), Node("pick", ops.Pick(), ("x", "a"))))


def history(*legs: tuple[Outcome | float, int, TrialId | None]) -> History:
    """Return the history of trials that came to an outcome (or accuracy), after steps, from another's weights."""
    grown = History()
    for outcome, steps, start in legs:
        told = Measurement({"accuracy": outcome}) if isinstance(outcome, float) else outcome
        grown = grown.asked(Proposal(CLOSED, steps, start=start)).told(len(grown), told)
    return grown


def winner(found: History, metric: str = "accuracy") -> TrialId | None:
    trial = best(found, metric)
    return None if trial is None else trial.id


def test_nothing_is_best_of_nothing():
    assert winner(History()) is None
    assert winner(history((Failure("crashed", "killed"), 5, None))) is None
    assert winner(History().asked(Proposal(CLOSED, 5))) is None


def test_the_highest_metric_wins():
    assert winner(history((0.5, 5, None), (0.9, 5, None), (0.7, 5, None))) == 1


def test_the_first_of_equals_wins_in_whichever_order_they_finished():
    grown = History().asked(Proposal(CLOSED, 5)).asked(Proposal(CLOSED, 5))
    for trial_id in (1, 0):
        grown = grown.told(trial_id, Measurement({"accuracy": 0.5}))
    assert winner(grown) == 0


def test_only_those_that_trained_longest_compete():
    assert winner(history((0.9, 5, None), (0.5, 10, None), (0.4, 10, None))) == 1


def test_a_lineage_trained_for_all_its_legs():
    assert winner(history((0.3, 5, None), (0.5, 7, None), (0.4, 5, 0))) == 2


def test_metrics_that_are_missing_or_no_numbers_do_not_count():
    assert winner(history((nan, 5, None), (inf, 5, None), (0.1, 5, None), (Measurement({}), 5, None))) == 2
    assert winner(history((nan, 5, None))) is None


def test_a_metric_can_be_named():
    one, other = Measurement({"accuracy": 0.9, "f1": 0.1}), Measurement({"accuracy": 0.1, "f1": 0.9})
    assert winner(history((one, 5, None), (other, 5, None)), "f1") == 1


def test_open_architectures_do_not_count():
    grown = History().asked(Proposal(OPEN, 5, Relax())).told(0, Measurement({"accuracy": 0.9}))
    assert winner(grown) is None
