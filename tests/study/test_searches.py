"""From a study file to the algorithms it may name, and to the terms on which they search."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amla.algorithms.budgeted import Budgeted
from amla.algorithms.halving import Halving
from amla.algorithms.protocol import Algorithm
from amla.algorithms.random import RandomSearch
from amla.algorithms.runoff import RunOff
from amla.algorithms.screened import Distinct, Filtered
from amla.algorithms.shadow import Repeated, Warm
from amla.cli.lines import called
from amla.study import plan
from amla.study.asked import ALGORITHMS
from amla.study.log import writing
from amla.study.phases import SEARCH
from amla.study.resolve import algorithm_of
from amla.study.settings.searches import RunOffSettings, Terms
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import envelope_of, space_of
from amla.study.study import StudyError, from_plain, from_yaml, to_yaml
from amla.testing import Synthetic
from amla.trials.history import History
from amla.trials.trial import Trial

SPACE = envelope_of(EnvelopeSettings(width=8, cells=(1, 1), max_cells=(2, 2)), (1, 8, 8), 2)


def study(algorithm: dict[str, Any], **settings: Any) -> Any:
    plain = {"name": "s", "data": {"source": "digits"}, "algorithm": {"steps": 10, **algorithm}, "final": {"steps": 5}}
    return from_plain({**plain, **settings})


def algorithm(settings: dict[str, Any], **others: Any) -> Algorithm:
    return algorithm_of(study(settings, **others), SPACE, 10)


def searched(search: Algorithm, trials: int) -> History:
    history = History()
    while len(history) < trials and (proposal := search.ask(history)):
        history = history.asked(proposal).told(len(history), Synthetic().evaluate(Trial(len(history), proposal)))
    return history


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_of_the_command_line_searches_as_long_as_it_says(name: str):
    length = {"candidates": 9, "trained": 3} if name == "zero_cost" else {"trials": 12}
    settings = replace(ALGORITHMS[name], steps=9, **length)
    made = replace(study({"kind": "random"}), algorithm=settings)
    assert from_yaml(to_yaml(made)) == made
    assert len(searched(algorithm_of(made, SPACE, 9), 20)) == 12
    if name == "zero_cost":
        assert [called(made, SEARCH, trial, 0) for trial in (4, 10)] == [
            "untrained network 5 of 9",
            "network 2 of 3 at most",
        ]
        return
    assert called(made, SEARCH, 4, 0).endswith("5 of 12")
    assert called(replace(made, terms=Terms(seeds=2)), SEARCH, 4, 0).endswith("5 of 24")


@pytest.mark.parametrize("name", sorted(ALGORITHMS.keys() - {"random", "zero_cost"}))
def test_a_search_without_an_end_can_be_foreseen(name: str):
    made = replace(study({"kind": "random"}), algorithm=replace(ALGORITHMS[name], steps=9, trials=None))
    assert called(made, SEARCH, 4, 0).endswith(" 5")
    if name not in ("bayes", "optuna"):  # which take seconds
        assert len(plan.foreseen(algorithm_of(made, SPACE, 9), 9)) == plan.FORESEEN


@pytest.mark.parametrize("costs", [[], ["macs"]])
def test_legs_of_successive_halving_are_foreseen(costs: list[str]):
    legs = plan.foreseen(algorithm({"kind": "asha", "trials": 40, "costs": costs}), 10)
    assert {round(leg.share * 10) for leg in legs} == {1, 2, 7}  # 1, 3 and 10 steps in all


def test_terms_apply_to_any_algorithm_in_their_order():
    made: Any = algorithm({"kind": "asha"}, terms={"distinct": True, "seeds": 2, "most": {"macs": 9e6}})
    assert isinstance(made, Budgeted)
    assert made.trials == 80
    assert isinstance(made.search, Repeated)
    assert isinstance(made.search.search, Distinct)
    assert isinstance(made.search.search.search, Filtered)
    assert isinstance(made.search.search.search.search, Halving)


def test_terms_of_random_search_count_networks():
    made = algorithm({"kind": "random", "trials": 3}, terms={"seeds": 2})
    assert len(searched(made, 20)) == 6
    assert isinstance(algorithm({"kind": "random"}), RandomSearch)


def test_nac_searches_on_terms_too():
    made = algorithm({"kind": "nac", "iterations": 1}, terms={"seeds": 2})
    assert [trial.proposal.seed for trial in searched(made, 20).trials] == [0, 1, 0, 1]


def test_a_run_off_follows_a_search_on_terms():
    made = replace(study({"kind": "evolution", "trials": 4}, terms={"seeds": 2}), run_off=RunOffSettings(2, 2))
    search = algorithm_of(made, SPACE, 10)
    assert isinstance(search, RunOff)
    assert [trial.proposal.budget for trial in searched(search, 20).trials] == [10] * 8 + [20] * 2


def test_a_search_knows_the_runs_that_it_comes_after(tmp_path: Path):
    proposal = RandomSearch(SPACE.space, 10, seed=5).ask(History())
    assert proposal is not None
    with writing(tmp_path) as store:
        store.asked(SEARCH, proposal)
        store.told(SEARCH, 0, Synthetic().evaluate(Trial(0, proposal)))
    made: Any = algorithm({"kind": "evolution"}, terms={"after": [str(tmp_path)]})
    assert isinstance(made.search, Warm)
    assert [trial.proposal.architecture for trial in made.search.past.trials] == [proposal.architecture]
    other = envelope_of(EnvelopeSettings(width=6, cells=(1,), max_cells=(1,)), (1, 8, 8), 2)
    elsewhere: Any = algorithm_of(study({"kind": "evolution"}, terms={"after": [str(tmp_path)]}), other, 10)
    assert len(elsewhere.search.past) == 0  # its networks are not of that space
    assert np.isfinite(made.search.past[0].measurement.metrics["accuracy"])


def on_a_table(costs: list[str], latency: list[str], kind: str = "nsga2") -> Any:
    backend = {"kind": "tabular", "table": "nasbench201", "latency": latency}
    return study({"kind": kind, "costs": costs}, space={"kind": "nasbench201"}, backend=backend)


@pytest.mark.parametrize("kind", ["nsga2", "asha", "optuna"])
def test_a_search_on_a_table_goes_by_latency_on_the_devices_that_the_study_names(kind: str):
    named = on_a_table(["macs", "latency.pixel3"], ["raspi4", "pixel3"], kind)
    made: Any = algorithm_of(named, space_of(named.space, (3, 32, 32), 10), 12)
    assert made.search.costs == ("macs", "latency.pixel3")


@pytest.mark.parametrize(
    ("costs", "latency", "may"),
    [
        (["latency.pixel2"], ["pixel3"], "parameters, macs, latency.pixel3: what the table tells"),
        (["latency.pixel3"], [], "parameters, macs: what the table tells, of the devices in backend.latency"),
        (["latency"], ["pixel3"], "parameters, macs, latency.pixel3"),
        (["peak_memory"], [], "parameters, macs"),
    ],
)
def test_other_costs_than_a_table_tells_are_refused(costs: list[str], latency: list[str], may: str):
    with pytest.raises(StudyError, match=f"algorithm.costs names {costs[0]!r}; it may name {may}"):
        on_a_table(costs, latency)


@pytest.mark.parametrize(
    ("settings", "others", "message"),
    [
        (
            {"kind": "nsga2", "costs": ["latency.pixel3"]},
            {},
            "algorithm.costs names 'latency.pixel3', which tables alone tell; name 'latency'",
        ),
        (
            {"kind": "nsga2", "costs": ["latency"]},
            {},
            "algorithm.costs names 'latency', which is measured where latency is given",
        ),
        ({"kind": "nsga2", "costs": ["beauty"]}, {}, "algorithm.costs names 'beauty'; it may name parameters, macs"),
        ({"kind": "asha", "eta": 1}, {}, "algorithm: eta is 1"),
        ({"kind": "evolution", "sample": 0}, {}, "algorithm: sample is 0"),
        ({"kind": "optuna", "options": {"nonsense": 1}}, {}, "algorithm: options are"),
        ({"kind": "random"}, {"terms": {"most": {"latency": 1}}}, "terms: most bounds 'latency'"),
        ({"kind": "random"}, {"terms": {"after": ["nowhere"]}}, "terms.after names 'nowhere', which holds no records"),
    ],
)
def test_mistakes_are_told_with_their_address(settings: dict[str, Any], others: dict[str, Any], message: str):
    with pytest.raises(StudyError, match=message):
        algorithm(settings, **others)


@pytest.mark.parametrize(
    ("settings", "others", "message"),
    [
        ({"kind": "evolution", "trials": 0}, {}, "algorithm.trials is 0; it must be 1 or more"),
        ({"kind": "random"}, {"terms": {"seeds": 0}}, "terms.seeds is 0; it must be from 1 to 1000"),
        ({"kind": "nac", "mode": "paper"}, {"terms": {}}, "terms are given, but paper mode"),
        ({"kind": "optuna", "sampler": "cmaes"}, {}, "algorithm"),
    ],
)
def test_numbers_and_names_are_checked_before_anything_runs(settings: dict[str, Any], others: Any, message: str):
    with pytest.raises(StudyError, match=message):
        study(settings, **others)
