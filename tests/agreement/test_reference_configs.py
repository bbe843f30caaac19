"""The networks of 2018 are what was published: counted parameters, and every one of them trains."""

from math import isfinite
from typing import Any

import pytest
from made_up import make_task
from reference import RECORDS, called, found, raw, thin

from amla.backends.torch.backend import TorchBackend
from amla.spec.architecture import Architecture
from amla.spec.costs import costs
from amla.spec.legacy.config import read_config
from amla.spec.legacy.network import build
from amla.study.legacy import shape_of
from amla.tasks.recipe import Constant, Recipe, Sgd
from amla.trials.trial import Fit

each = pytest.mark.parametrize("record", RECORDS, ids=called)
RANDOM = [f"network.cons-exp-3-rnd{number}-longrun.json" for number in range(1, 11)]


def network(record: dict[str, Any]) -> Architecture:
    config, _ = read_config(record)
    return build(config, shape_of(config))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("config.nac.construction.json", 1_839_274),
        ("config.nac.final.json", 10_942_475),
        ("network.cons-exp-3-bc-longrun.json", 48_721_247),
        ("network.cons-exp-3-wc-longrun.json", 27_505_216),
        ("network.cons-exp-3-en.json", 12_998_738),
    ],
)
def test_a_network_has_the_parameters_that_were_counted_of_it(name: str, parameters: int):
    assert costs(network(found(name))).parameters == parameters


def test_the_random_networks_are_as_large_as_was_counted_and_two_of_them_are_one():
    networks = [network(found(name)) for name in RANDOM]
    counted = [costs(each).parameters / 1e6 for each in networks]
    assert (round(min(counted)), round(max(counted)), round(sum(counted) / 10, 1)) == (79, 142, 96.4)
    assert networks[4] == networks[5]
    assert len(set(counted)) == 9


def test_a_search_of_random_networks_begins_with_as_many_branches_as_were_published():
    drawn, published = network(found("network.cons-exp-3-rnd.json")), network(found(RANDOM[0]))
    norms = [sum(node.op.kind == "batch_norm" for node in each) for each in (drawn, published)]
    assert norms[0] == norms[1] == 60 + 17 + 15 + 15


@each
def test_a_file_and_a_record_of_it_say_the_same(record: dict[str, Any]):
    of_file, of_record = read_config(raw(record)), read_config(record)
    assert of_file[0] == of_record[0]


@each
def test_no_field_that_has_no_effect_is_passed_over(record: dict[str, Any]):
    told = {note.field for note in read_config({**record, "colour": "red"})[1]}
    assert "colour" in told
    ignored = record["parameters"].keys() & {
        "gpu_usage",
        "eval_interval",
        "evalintval",
        "exec",
        "log_stats",
        "mode",
        "k",
    }
    assert {f"parameters.{name}" for name in ignored} <= told
    assert all(note.says for note in read_config(record)[1])


@each
def test_every_network_trains(record: dict[str, Any]):
    config, _ = read_config(thin(record))
    architecture = build(config, (3, 16, 16), classes=4)
    task = make_task((3, 16, 16), recipe=Recipe(2, Sgd(1e-3), Constant()), examples=40)
    learner = TorchBackend("cpu").build(architecture, Fit(), task, 0)
    losses = []
    learner.fit(1, 1, lambda step, loss, accuracy, rate: losses.append(loss))
    assert isfinite(losses[0])
    assert costs(architecture).training_parameters == sum(w.numel() for w in learner._weights.values())
