"""Which network is the result: the most accurate, or of those not to be told from it the cheapest."""

from dataclasses import replace

import pytest

from amla.evidence.shares import wilson
from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.study.prefer import costs_of, front, preferred
from amla.study.settings.places import TabularSettings
from amla.study.settings.searches import DartsSearchSettings, NacSettings, Nsga2Settings, RandomSettings, Terms
from amla.study.settings.spaces import NasBench201Settings
from amla.study.study import Data, Final, Study, StudyError
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal

STUDY = Study("a", Data("digits"), algorithm=RandomSettings(3, 5), final=Final(5))


def network(classes: int) -> Architecture:
    nodes = Node("image", ops.Input((1, 4, 4))), Node("head", ops.GlobalPool(), ("image",))
    return Architecture((*nodes, Node("logits", ops.Classify(classes), ("head",))))


def history(*rows: tuple[float, float, float, float | None], budget: int = 5) -> History:
    """Return trials of an accuracy, parameters, MACs and a latency each, on 400 validation examples."""
    found = History()
    for number, (accuracy, parameters, macs, latency) in enumerate(rows):
        metrics = {"accuracy": accuracy, "examples": 400.0, "parameters": parameters, "macs": macs}
        metrics |= {} if latency is None else {"latency": latency}
        found = found.asked(Proposal(network(2 + number), budget)).told(number, Measurement(metrics))
    return found


ROWS = (0.90, 900.0, 50.0, 3e-3), (0.89, 500.0, 80.0, 2e-3), (0.60, 100.0, 10.0, 1e-3), (0.88, 600.0, 60.0, 1.5e-3)


def test_the_most_accurate_is_what_the_search_recommends():
    assert preferred("accurate", history(*ROWS)) is None
    assert preferred("small", History()) is None


@pytest.mark.parametrize(("prefer", "found"), [("small", 1), ("fast", 3)])
def test_the_cheapest_of_those_that_cannot_be_told_from_the_best_is_preferred(prefer: str, found: int):
    choice = preferred(prefer, history(*ROWS))
    assert choice is not None
    assert choice.trial.id == found
    assert f"Preferred {prefer}: construction {found} has the" in choice.why
    assert "construction 0, the best" in choice.why


def test_where_latency_is_not_measured_the_multiply_accumulates_stand_for_it():
    choice = preferred("fast", history(*((*row[:3], None) for row in ROWS)))
    assert choice is not None
    assert choice.trial.id == 0
    assert "the fewest MACs" in choice.why


def test_the_rule_is_the_interval_of_the_best():
    low, _ = wilson(360, 400)
    just, below = (round(low * 400) + 1) / 400, (round(low * 400) - 1) / 400
    for accuracy, found in ((just, 1), (below, 0)):
        choice = preferred("small", history((0.90, 900.0, 1.0, None), (accuracy, 10.0, 1.0, None)))
        assert choice is not None
        assert choice.trial.id == found


@pytest.mark.parametrize(("reached", "found"), [(0.496, 1), (0.485, 0), (-3.0, 0)])
def test_by_a_metric_without_an_interval_the_rule_is_a_margin(reached: float, found: int):
    past = History()
    for number, (r2, parameters) in enumerate(((0.5, 900.0), (reached, 10.0))):
        metrics = {"r2": r2, "examples": 400.0, "parameters": parameters, "macs": 1.0}
        past = past.asked(Proposal(network(2 + number), 5)).told(number, Measurement(metrics))
    choice = preferred("small", past, "r2")
    assert choice is not None
    assert choice.trial.id == found
    assert "within 0.01 of R²" in choice.why
    assert choice.trial in front(past, ("parameters", "macs"), "r2")


def test_what_is_preferred_is_on_the_front():
    past = history(*ROWS)
    costs = costs_of(STUDY, past)
    assert costs == ("parameters", "latency")
    ids = [trial.id for trial in front(past, costs)]
    assert ids == [0, 1, 3, 2]
    for prefer in ("small", "fast"):
        choice = preferred(prefer, past)
        assert choice is not None
        assert choice.trial.id in ids


def test_a_front_is_of_the_costs_that_the_search_goes_by_too():
    study = Study("a", Data("digits"), algorithm=Nsga2Settings(3, 5, ("peak_memory",)), final=Final(5))
    assert costs_of(study, history((0.9, 1.0, 1.0, None))) == ("peak_memory", "parameters", "macs")


def test_on_a_device_of_a_table_nothing_stands_for_its_latency():
    table = TabularSettings(table="nasbench201", latency=("pixel3",))
    named = Nsga2Settings(3, 5, ("latency.pixel3",))
    study = Study("a", Data("cifar10"), space=NasBench201Settings(), algorithm=named, final=Final(5), backend=table)
    assert costs_of(study, history((0.9, 1.0, 1.0, None))) == ("latency.pixel3", "parameters")


def test_a_study_without_networks_to_choose_from_says_so():
    with pytest.raises(StudyError, match="a one-shot search trains no networks to choose from"):
        Study("a", Data("digits"), algorithm=DartsSearchSettings(5), final=Final(5), prefer="small")
    with pytest.raises(StudyError, match=r"final\.macs makes the final network wider"):
        Study("a", Data("digits"), algorithm=RandomSettings(3, 5), final=Final(5, macs=1000), prefer="small")


@pytest.mark.parametrize("prefer", ["small", "fast"])
def test_networks_that_are_not_trained_alike_once_each_cannot_be_compared(prefer: str):
    changing = NacSettings(2, 50, windows=9, stable=0.7)
    with pytest.raises(StudyError, match=rf"prefer is {prefer}, but with algorithm\.stable trainings end at different"):
        Study("a", Data("digits"), algorithm=changing, final=Final(5), prefer=prefer)
    with pytest.raises(StudyError, match=rf"prefer is {prefer}, but with terms\.seeds"):
        Study("a", Data("digits"), algorithm=RandomSettings(3, 5), terms=Terms(seeds=2), final=Final(5), prefer=prefer)
    one = Study("a", Data("digits"), algorithm=RandomSettings(3, 5), terms=Terms(), final=Final(5), prefer=prefer)
    assert replace(one, prefer="accurate", terms=Terms(seeds=2)).terms == Terms(seeds=2)
