"""One-shot searches: they decide by what their papers say, in legs of one lineage."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean

import pytest

from amla.algorithms.darts import DROP_ONE, Darts
from amla.algorithms.enas import Enas
from amla.algorithms.legs import legs
from amla.algorithms.protocol import Algorithm
from amla.algorithms.sharing import RandomSharing
from amla.algorithms.strongest import accepted, strongest
from amla.spaces.darts import darts
from amla.spaces.nasbench201 import nasbench201
from amla.spaces.paths import chances
from amla.spaces.space import Space, constrained
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.spec.constraints import Constraints
from amla.spec.decisions import Decisions
from amla.testing import Synthetic
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Relax, SamplePaths, Trial

SPACE = nasbench201((3, 8, 8), 4, width=2, cells=2)
GENES = SPACE.genes


def lived(algorithm: Algorithm, answer: Mapping[str, float] | None = None, limit: int = 100) -> History:
    """Return the whole search, in which every input of a Pick counts, and is missed, as `answer` says."""
    history = History()
    while len(history) < limit and (ask := algorithm.ask(history)):
        history = history.asked(ask).told(len(history), told(history.asked(ask)[len(history)], answer))
    return history


def told(trial: Trial, answer: Mapping[str, float] | None) -> Outcome:
    ask = trial.proposal
    if answer is None:
        return Synthetic(noise=0.0).evaluate(trial)
    if isinstance(ask.method, SamplePaths):
        worths = [fmean(answer.get(s, 0.0) for kept in path.values() for s in kept) for path in ask.method.paths]
        return Measurement({}, {"accuracy": {f"path/{place}": worth for place, worth in enumerate(worths)}})
    weights = {s: answer.get(s, 0.0) for pick in ask.architecture.picks for s in ask.architecture[pick].inputs}
    return Measurement({}, {"pick_weight": weights, DROP_ONE: {s: weights[s] for s in ask.probes.get(DROP_ONE, ())}})


def wanted(operation: str) -> dict[str, float]:
    return {f"{gene}/{operation}": 0.9 for gene in GENES}


def kept(algorithm: Algorithm, history: History) -> Decisions:
    network = algorithm.recommend(history)
    assert network is not None
    return SPACE.read(network)


def test_legs_are_one_lineage_of_as_many_steps_as_were_asked_for():
    algorithm = Darts(SPACE, steps=25, legs=4, skip=0.5, order="second", seed=3)
    history = lived(algorithm, wanted("3x3"))
    asked = [trial.proposal for trial in history.trials]
    assert [ask.budget for ask in asked] == [7, 7, 7, 4]
    assert [ask.start for ask in asked] == [None, 0, 1, 2]
    assert {ask.horizon for ask in asked} == {25}
    assert all(ask.method == Relax(3e-4, True, 1e-3, 0.5, tied=SPACE.tied) for ask in asked)
    assert kept(algorithm, history) == {gene: (f"{gene}/3x3",) for gene in GENES}


def test_the_newest_weights_decide():
    algorithm = Darts(SPACE, steps=4, legs=2)
    history = lived(algorithm, wanted("skip"), limit=1)
    ask = algorithm.ask(history)
    assert ask
    history = history.asked(ask)
    history = history.told(1, told(history[1], wanted("1x1")))
    assert kept(algorithm, history) == {gene: (f"{gene}/1x1",) for gene in GENES}


def test_perturbation_decides_a_gene_a_leg_by_what_is_missed_most():
    algorithm = Darts(SPACE, steps=10, legs=2, rate=0.0, select="perturbation", tuning=3, seed=1)
    history = lived(algorithm, wanted("3x3"))
    asked = [trial.proposal for trial in history.trials]
    assert [ask.budget for ask in asked] == [5, 5, 3, 3, 3, 3, 3]
    assert [len(ask.architecture.picks) for ask in asked] == [36, 36, 30, 24, 18, 12, 6]
    assert [bool(ask.probes) for ask in asked] == [False] + [True] * 6
    assert {ask.horizon for ask in asked} == {25}
    assert kept(algorithm, history) == {gene: (f"{gene}/3x3",) for gene in GENES}


def test_perturbation_decides_operations_before_edges():
    space = darts((3, 8, 8), 4, width=2, cells=3, auxiliary=None)
    order = Darts(space, 1, select="perturbation")._order()
    several = [space.template.picks[gene].at_most > 1 for gene in order]
    assert several == sorted(several)
    assert sum(several) == 6  # of four nodes of a cell, the first has no choice


def test_an_edge_is_as_strong_as_its_best_operation():
    inputs = tuple(Node(f"{edge}/{op}", ops.Identity(), ("x",)) for edge in "abc" for op in "12")
    edges = tuple(Node(edge, ops.Pick(), (f"{edge}/1", f"{edge}/2")) for edge in "abc")
    template = Architecture((Node("x", ops.Input((2, 4))), *inputs, *edges, Node("y", ops.Pick(2, 2), ("a", "b", "c"))))
    weights = {"a/1": 0.5, "a/2": 0.5, "b/1": 0.9, "b/2": 0.1, "c/1": 0.3, "c/2": 0.7, "a": 0.6, "b": 0.7, "c": 0.7}
    assert strongest(template, {}, weights) == {"a": ("a/1",), "b": ("b/1",), "c": ("c/2",), "y": ("b", "c")}


def test_a_pick_of_any_number_keeps_what_counts_more_than_half():
    inputs = tuple(Node(f"i{n}", ops.Identity(), ("x",)) for n in range(4))
    template = Architecture(
        (Node("x", ops.Input((2, 4))), *inputs, Node("y", ops.Pick(1, 3), ("i0", "i1", "i2", "i3")))
    )
    assert strongest(template, {}, {"i0": 0.6, "i2": 0.7}) == {"y": ("i0", "i2")}
    assert strongest(template, {}, {"i1": 0.4}) == {"y": ("i1",)}
    assert strongest(template, {}, {f"i{n}": 0.6 + n / 10 for n in range(4)}) == {"y": ("i1", "i2", "i3")}


def test_what_is_recommended_is_accepted():
    space = replace(SPACE, accepts=lambda network: f"{GENES[0]}/3x3" not in network)
    chosen = strongest(space.template, space.tied, wanted("3x3"))
    found = accepted(space, chosen, wanted("3x3"), 0)
    assert found is not None
    assert f"{GENES[0]}/3x3" not in found
    assert f"{GENES[1]}/3x3" in found
    assert accepted(replace(SPACE, accepts=lambda network: False), chosen, wanted("3x3"), 0) is None


def test_the_policy_learns_what_scores_well():
    algorithm = Enas(SPACE, steps=60, legs=30, paths=20, rate=1.0)
    history = lived(algorithm, wanted("3x3"))
    policy = algorithm.policy(legs(history))
    sure = [chances(SPACE.template, gene, policy) for gene in GENES]
    places = [SPACE.template[gene].inputs.index(f"{gene}/3x3") for gene in GENES]
    assert all(chance[place] > 0.5 for chance, place in zip(sure, places, strict=True))
    assert history[0].proposal.method.logits == dict.fromkeys(GENES, (0.0,) * 5)


def test_the_policy_is_even_where_all_score_alike():
    history = lived(Enas(SPACE, steps=6, legs=3), {})
    assert all(set(logits) == {0.0} for logits in Enas(SPACE, 6, 3).policy(legs(history)).values())


def test_random_sharing_recommends_the_best_path_it_scored():
    algorithm = RandomSharing(SPACE, steps=6, legs=3, paths=120)
    history = lived(algorithm)
    assert [trial.proposal.budget for trial in history.trials] == [2, 2, 2, 0, 0, 0]
    assert [len(trial.proposal.method.paths) for trial in history.trials] == [0, 0, 0, 50, 50, 20]
    paths = [path for trial in history.trials for path in trial.proposal.method.paths]
    best = max(paths, key=lambda path: Synthetic().accuracy(SPACE.close(path)))
    assert algorithm.recommend(history) == SPACE.close(best)


@pytest.mark.parametrize("reason", ["diverged", "infeasible", "out_of_memory"])
def test_a_leg_that_would_fail_again_ends_the_search(reason: str):
    algorithm = Darts(SPACE, 10)
    ask = algorithm.ask(History())
    assert ask
    assert algorithm.ask(History().asked(ask).told(0, Failure(reason, "."))) is None


def test_a_leg_that_crashed_is_asked_for_again_a_few_times():
    algorithm, history = Enas(SPACE, 10), History()
    for _ in range(4):
        ask = algorithm.ask(history)
        assert ask == algorithm.ask(History())
        assert ask
        history = history.asked(ask).told(len(history), Failure("crashed", "."))
    assert algorithm.ask(history) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Darts(SPACE, 0), "steps is 0"),
        (lambda: Darts(SPACE, 5, tuning=0), "tuning is 0"),
        (lambda: Darts(SPACE, 5, rate=0.0), "select by perturbation"),
        (lambda: Enas(SPACE, 5, paths=0), "paths is 0"),
        (lambda: RandomSharing(SPACE, 5, legs=0), "legs is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: object, message: str):
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


LITTLE = {"parameters": 1400, "macs": 12_000, "memory": 2560}  # the least is 1,278, 10,656 and 2,560


@pytest.mark.parametrize("name", LITTLE)
@pytest.mark.parametrize(
    "make",
    [
        lambda space: Darts(space, 5, legs=1),
        lambda space: Enas(space, 6, legs=2),
        lambda space: RandomSharing(space, 6),
    ],
    ids=["darts", "enas", "random"],
)
def test_paths_and_what_is_recommended_are_within_constraints(make: Callable[[Space], Algorithm], name: str):
    limits = Constraints(**{name: LITTLE[name]})
    history = lived(make(constrained(SPACE, limits)), wanted("3x3"))  # what is beyond
    paths = [path for trial in history.trials for path in getattr(trial.proposal.method, "paths", ())]
    assert all(limits.hold(SPACE.close(path)) for path in paths)
    recommended = make(constrained(SPACE, limits)).recommend(history)
    assert recommended is not None
    assert limits.hold(recommended)


def test_a_space_that_accepts_nothing_ends_a_search_by_paths():
    space = Space(SPACE.template, lambda network: False, tied=SPACE.tied)
    assert Enas(space, 5).ask(History()) is None
