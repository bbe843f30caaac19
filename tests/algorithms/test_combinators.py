"""Combinators: what they keep from a search, and what they tell it."""

import numpy as np
import pytest
from small import FAILED, asked, climbed, lived, network, of, places, word

from amla.algorithms.budgeted import Budgeted
from amla.algorithms.evolution import Evolution
from amla.algorithms.fixed import Fixed
from amla.algorithms.halving import Halving
from amla.algorithms.local import LocalSearch
from amla.algorithms.random import RandomSearch
from amla.algorithms.screened import Distinct, Filtered
from amla.algorithms.shadow import Repeated, Warm, joined, means
from amla.spaces.nasbench_macro import nasbench_macro
from amla.spaces.space import Space
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.costs import costs
from amla.spec.digest import digest
from amla.trials.history import History
from amla.trials.trial import Cost, Failure, Measurement, Proposal

SPACE = places(3)
BRANCHES = {"a": 1, "b": 1, "c": 3, "d": 3}  # by name, each with its kernel
TWINS = Space(
    Architecture(
        (
            Node("x", ops.Input((2, 4))),
            *(Node(name, ops.Conv(2, (kernel,)), ("x",)) for name, kernel in BRANCHES.items()),
            Node("pick", ops.Pick(at_least=1, at_most=2), tuple(BRANCHES)),
            Node("pool", ops.GlobalPool("mean"), ("pick",)),
            Node("out", ops.Classify(2), ("pool",)),
        )
    )
)


def of_twins(*kept: str) -> Architecture:
    return TWINS.close({"pick": kept})


A, B, C, AC, BD = (of_twins(*kept) for kept in ("a", "b", "c", "ac", "bd"))


def test_isomorphic_networks_are_trained_once():
    history = lived(Distinct(Fixed((A, B, AC, BD, C, A), 5)), [0.1, 0.2, 0.3])
    assert digest(A) == digest(B)
    assert [trial.proposal.architecture for trial in history.trials] == [A, AC, C]
    assert Distinct(Fixed((A, B, AC, BD, C, A), 5)).ask(history) is None


def test_a_search_is_told_what_the_twin_came_to():
    heard: list[list[float]] = []

    class Listening:
        def ask(self, history: History) -> Proposal | None:
            heard.append([trial.measurement.metrics["accuracy"] for trial in history.done])
            return Fixed((A, B, C), 5).ask(history)

        def recommend(self, history: History) -> None:
            return None

    history = lived(Distinct(Listening()), [0.7])
    assert asked(Distinct(Listening()), history).architecture == C
    assert heard[-1] == [0.7, 0.7]


def test_while_the_twin_is_being_trained_the_search_hears_that_it_runs():
    algorithm, history = Distinct(Fixed((A, B, C), 5)), History()
    for expected in (A, C):
        history = history.asked(asked(algorithm, history))
        assert history.trials[-1].proposal.architecture == expected
    assert algorithm.ask(history) is None


def test_the_same_network_for_more_steps_is_something_new():
    history = lived(Distinct(Halving(TWINS, 4, rungs=2, eta=2)), [0.5, 0.4, 0.6])
    assert history[2].proposal.start == 0


def test_a_twin_goes_on_in_place_of_what_was_not_trained():
    class Leg:
        def ask(self, history: History) -> Proposal | None:
            wanted = (Proposal(A, 2), Proposal(B, 2), Proposal(B, 3, start=1))
            return wanted[len(history)] if len(history) < 3 else None

        def recommend(self, history: History) -> None:
            return None

    history = lived(Distinct(Leg()), [0.5])
    proposal = asked(Distinct(Leg()), history)
    assert (proposal.architecture, proposal.start, proposal.budget) == (A, 0, 3)


def test_a_search_of_what_is_all_known_is_over():
    algorithm = Distinct(RandomSearch(TWINS, 5))
    history = climbed(algorithm, 100, judge=lambda network: 0.5)
    assert len(history) == len({digest(TWINS.close({"pick": kept})) for kept in ("a", "c", "ab", "ac", "cd")}) == 5
    assert algorithm.ask(history) is None


def test_what_is_refused_does_not_make_a_random_search_draw_a_network_twice():
    space = nasbench_macro((3, 8, 8), 3, width=4, last=8)
    most = sorted(costs(space.sample(np.random.default_rng(seed))).macs for seed in range(40))[20]
    history = climbed(Filtered(RandomSearch(space, 5), {"macs": most}), 20, judge=lambda network: 0.5)
    assert len({trial.proposal.architecture for trial in history.trials}) == len(history) == 20


def test_a_search_never_sees_what_is_beyond_its_bounds():
    bound = costs(A).parameters
    history = climbed(Filtered(RandomSearch(TWINS, 5), {"parameters": bound}), 10, judge=lambda network: 0.5)
    assert {costs(trial.proposal.architecture).parameters for trial in history.trials} == {bound}
    reasons = []

    class Listening:
        def ask(self, history: History) -> Proposal | None:
            reasons.extend(trial.outcome for trial in history.failed)
            return Fixed((AC, A), 5).ask(history)

        def recommend(self, history: History) -> None:
            return None

    assert asked(Filtered(Listening(), {"parameters": bound}), History()).architecture == A
    assert isinstance(reasons[0], Failure)
    assert (reasons[0].reason, reasons[0].message) == (
        "infeasible",
        f"parameters are {costs(AC).parameters}; {bound} are allowed",
    )


def test_a_search_of_what_is_all_beyond_is_over():
    assert Filtered(RandomSearch(TWINS, 5), {"macs": 1}).ask(History()) is None


def test_what_cannot_be_counted_is_no_bound():
    with pytest.raises(ValueError, match="'latency', which cannot be counted; take one of"):
        Filtered(RandomSearch(TWINS, 5), {"latency": 1.0})


def test_each_network_is_trained_with_every_seed_and_the_search_told_the_means():
    algorithm = Repeated(Evolution(SPACE, 5, population=2, sample=9, seed=7), seeds=2)
    history = lived(algorithm, [0.1, 0.9, 0.6, 0.5])
    first, second = (history[place].proposal.architecture for place in (0, 2))
    assert [trial.proposal.architecture for trial in history.trials] == [first, first, second, second]
    assert [trial.proposal.seed for trial in history.trials] == [7, 8, 7, 8]
    shown = means(history, 2)
    assert [trial.measurement.metrics["accuracy"] for trial in shown.done] == [0.5, pytest.approx(0.55)]
    assert algorithm.recommend(history) == second


def test_costs_of_seeds_are_added_and_one_failure_fails_the_network():
    spent = Measurement({"accuracy": 0.5}, seconds=2.0, cost=Cost("cpu", 10.0, 3.0))
    history = lived(Repeated(RandomSearch(SPACE, 5), 2), [spent, spent, spent, FAILED])
    done, failed = means(history, 2).trials
    assert (done.measurement.seconds, done.measurement.cost) == (4.0, Cost("cpu", 20.0, 6.0))
    assert failed.outcome == Failure("crashed", "made to fail", seconds=2.0)


def test_each_seed_goes_on_from_its_own_weights():
    history = lived(Repeated(Halving(SPACE, 4, rungs=2, eta=2), 2), [0.1, 0.1, 0.9, 0.9, 0.9, 0.9])
    assert [trial.proposal.start for trial in history.trials] == [None, None, None, None, 2, 3]


def test_means_of_a_history_shorter_than_one_seen_are_right():
    longer = lived(Repeated(RandomSearch(SPACE, 5), 2), [0.1] * 6)
    history = History()
    for trial in longer.trials:
        history = history.asked(trial.proposal)
    short = history.told(0, of(0.3)).told(1, of(0.5))
    assert len(means(short.told(2, of(0.1)), 2)) == 3
    assert [len(means(short, 2)), len(means(short, 2).done)] == [3, 1]


def test_a_search_knows_other_studies_from_the_start():
    past = lived(RandomSearch(SPACE, 5, seed=3), [0.2, 0.9, 0.1])
    algorithm = Warm(Evolution(SPACE, 5, population=3, sample=30), past)
    child, parent = asked(algorithm, History()).architecture, past[1].proposal.architecture
    assert sum(a != b for a, b in zip(word(child), word(parent), strict=True)) == 1
    assert algorithm.recommend(History()) is None  # what others reached, they may have reached on other data


def test_a_local_search_does_not_train_again_what_others_have():
    past = climbed(LocalSearch(places(2, "ab"), 5), 3)
    history = climbed(Warm(LocalSearch(places(2, "ab"), 5), past), 10)
    assert {word(trial.proposal.architecture) for trial in (*past.trials, *history.trials)} == {"aa", "ab", "ba", "bb"}
    assert len(history) == 1


def test_a_leg_from_weights_of_another_study_begins_anew():
    past = lived(Halving(SPACE, 4, rungs=2, eta=2), [0.9, 0.1])
    proposal = asked(Warm(Halving(SPACE, 4, rungs=2, eta=2), past), History())
    assert (proposal.architecture, proposal.start, proposal.budget) == (past[0].proposal.architecture, None, 4)


def test_finished_trials_of_several_studies_are_joined():
    one = lived(Halving(SPACE, 4, rungs=2, eta=2), [0.9, 0.1, 0.8])
    other = one.asked(Proposal(network(SPACE, "abc"), 1))  # runs
    whole = joined([one, other])
    assert [trial.proposal.start for trial in whole.trials] == [None, None, 0, None, None, 3]
    first = one[0].proposal.architecture
    assert [t.id for t in joined([one], lambda found: found != first).trials] == [0]


def test_a_budget_ends_a_search():
    search = RandomSearch(SPACE, 5)
    assert len(climbed(Budgeted(search, trials=4), 10, workers=3)) == 4
    assert len(climbed(Budgeted(search, steps=23), 10, workers=3)) == 4
    cost = Measurement({"accuracy": 0.5}, seconds=2.0, cost=Cost("cpu", 10.0))
    assert Budgeted(search, flops=20).ask(lived(search, [cost])) is not None
    assert Budgeted(search, flops=20).ask(lived(search, [cost, cost])) is None
    assert Budgeted(search, seconds=4).ask(lived(search, [cost, cost])) is None
