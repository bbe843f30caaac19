"""A given network is trained as a study would train what it finds: one that nobody searched for, too."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import STUDY, task_for

from amla.spec.constraints import Constraints
from amla.spec.costs import costs
from amla.spec.text import to_json
from amla.study.alone import alone
from amla.study.resolve import check
from amla.study.run import Limit
from amla.study.settings.baselines import BaselineSettings
from amla.study.settings.places import Simulated, TabularSettings
from amla.study.settings.searches import FixedSettings, RunOffSettings
from amla.study.settings.spaces import EnvelopeSettings, NasBench201Settings
from amla.study.study import Data, Final, StudyError
from amla.study.unsearched import plain_network
from amla.study.widen import widened

SPACE = EnvelopeSettings(width=12, cells=(1, 1), max_cells=(1, 3), macs=200_000)


def test_it_is_not_searched_and_all_else_is_as_it_was():
    limit = Limit(trials=9, seconds=60.0, steps=900)
    study = replace(STUDY, limit=limit, run_off=RunOffSettings(2, 3), baselines=BaselineSettings())
    found = alone(study, Path("runs/x/baselines/plain-2-a-stage.arch.json"))
    assert found.name == "made-up-plain-2-a-stage"
    assert found.algorithm == FixedSettings(("runs/x/baselines/plain-2-a-stage.arch.json",), 1)
    assert (found.run_off, found.baselines, found.terms, found.tuning) == (None, None, None, None)
    assert found.limit == Limit(seconds=60.0)
    assert (found.recipe, found.final, found.data, found.seed) == (study.recipe, study.final, study.data, study.seed)


def test_a_plain_network_with_more_cells_than_the_search_may_grow_is_made_as_wide(tmp_path: Path):
    study = replace(STUDY, space=SPACE, final=Final(50, macs=800_000))
    network = plain_network(SPACE, Constraints(), task_for(), 2)
    assert network is not None
    file = tmp_path / "plain.arch.json"
    file.write_text(to_json(network))
    found = alone(study, file)
    check(found, task_for(found))
    wide = widened(found, task_for(found), network, 0.0)
    assert 0.8 * 800_000 < costs(wide).macs <= 800_000
    assert {node.id for node in wide} == {node.id for node in network}


def test_a_table_trains_none():
    study = replace(
        STUDY,
        space=NasBench201Settings(),
        backend=TabularSettings("nasbench201"),
        executor=Simulated(),
        data=Data("cifar10"),
    )
    with pytest.raises(StudyError, match="backend is a table"):
        alone(study, Path("a.arch.json"))
